"""The demonstration: digital patients through every step, to training sets and models."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from cta_data.demo.closing import closing_lines
from cta_data.demo.readers import readers_plan, tell_readers
from cta_data.demo.training import configure, tell, train_and_evaluate
from cta_data.engine import ExecutorOptions, Report, RunOptions
from cta_data.engine.records import EXIT_FAILED
from cta_data.errors import ConfigurationError
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.phantom import ReadersPlan, VoxelSizes, write_cohort, write_trial
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.processes import open_pool
from cta_data.reports.home import write_home
from cta_data.reports.report import make_reports, write_reports
from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.study import Study
from cta_data.terminal.output import console, print_lines, print_report
from cta_data.terminal.progress import ProgressObserver
from cta_data.training.nnunet.environment import require_training_packages
from cta_data.versioning.datasets import save
from cta_data.versioning.provenance import command_words

SETTINGS = ("A", "B", "C", "D")
EXTERNAL = ("susm", "ynhh", "ummc", "ukhd")
PATIENTS_EACH = 3
EXTERNAL_VOXEL_MM = 1.5
VOXEL_MM = 1.5
"""Coarser than a scanner's, so that the demonstration is quick."""
CT_SLICE_MM = 1.5


def run_demonstration(
    folder: Path,
    patients: int,
    seed: int,
    jobs: int,
    *,
    cohorts: str = "internal",
    train: bool = False,
    voxel_mm: float = VOXEL_MM,
    readers: bool = False,
) -> int:
    """Make a trial of digital patients in `folder`, and a study that builds A to D from it.

    Parameters
    ----------
    cohorts
        `internal`, `all`, or names of external cohorts with commas, which join as test sets.
    train
        Also train, predict and evaluate settings A to D with tiny models.
    voxel_mm
        Voxels of the trial's MRI, and of its CT in the plane (mm).
    readers
        Whether every patient of the trial is annotated on both techniques, and half of them by a
        second reader.

    Raises
    ------
    ConfigurationError
        The folder holds something already, or a package that training needs is missing.
    """
    if train:
        require_training_packages()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            "demo_folder_not_empty" if folder.is_dir() else "demo_path_not_a_folder", where=folder
        )
    external = external_cohorts(cohorts)
    out = console()
    out.print("These are digital phantoms: simulated heads, not data of any person.")
    _lend_identity()
    started = time.monotonic()
    plan = readers_plan(patients) if readers else None
    trial = _write_trial(folder, patients, seed, jobs, started, voxel_mm, plan)
    sources = _write_external(folder, external, seed, jobs, started)
    study = _make_study(folder.absolute() / "study", trial / "raw", seed, jobs, plan)
    for cohort, source in sources.items():
        study = _add_external(study, cohort, source, jobs)
    study = configure(study, train=train)
    out.print(f"2. A study with those files in its sourcedata: {folder}/study ({_since(started)})")
    out.print("3. cta-data build --setting A --setting B --setting C --setting D")
    report = _build(study, jobs)
    trained = not train or _train(study, folder, jobs, started)
    _write_reports(study)
    out.print(f"\nDone in {_since(started)}.")
    print_lines(closing_lines(study.root, folder / "study", trained=train, readers=readers))
    # What the external cohorts' traps cost is told above: it is part of the demonstration.
    broken = any(record.status == "error" for record in report.records)
    if not trained:
        return EXIT_FAILED
    return 0 if external and not broken else report.exit_code()


def _build(study: Study, jobs: int) -> Report:
    steps = [*SUBJECT_STEPS, *(build_step(study, name) for name in SETTINGS)]
    command = command_words("build", setting=SETTINGS)
    options = RunOptions(executor=ExecutorOptions(jobs), command=command)
    with ProgressObserver() as progress:
        report = execute(
            study, steps, options, progress.observer(), finish=partial(write_home, study)
        )
    print_report(report, as_json=False)
    return report


def _write_reports(study: Study) -> None:
    made = make_reports(study)
    if made is not None:
        write_reports(study, made, command_words("report"))


def _write_trial(
    folder: Path,
    patients: int,
    seed: int,
    jobs: int,
    started: float,
    voxel_mm: float,
    plan: ReadersPlan | None,
) -> Path:
    out, trial = console(), folder.absolute() / "trial"
    halves = (patients // 2, patients - patients // 2)
    out.print(f"1. A hospital's export of {patients} synthetic patients: {folder}/trial/raw")
    sizes = VoxelSizes(
        mprage=voxel_mm, space=voxel_mm, ct_in_plane=voxel_mm, ct_slice=max(voxel_mm, CT_SLICE_MM)
    )
    written = write_trial(
        trial,
        n_naq=halves[0],
        n_haq=halves[1],
        seed=seed,
        voxel_sizes=sizes,
        workers=jobs,
        readers=plan,
    )
    out.print(f"   {sum(w.lesions_drawn for w in written)} lesions drawn ({_since(started)})")
    return trial


def _train(study: Study, folder: Path, jobs: int, started: float) -> bool:
    out = console()
    out.print(f"4. cta-data experiment paper --fold 0 --device cpu ({_since(started)})")
    done = train_and_evaluate(study, jobs)
    whole = tell(done)
    out.print(f"   trained, predicted and evaluated ({_since(started)})")
    return whole


def _make_study(path: Path, raw: Path, seed: int, jobs: int, readers: ReadersPlan | None) -> Study:
    study = create_study(path, "demo", ("internal",))
    if readers:
        study = tell_readers(study, readers)
    # The same seed gives the same labels: a demonstration has nobody's identity to protect.
    salt = study.root / study.sourcedata_path("internal") / "pseudonyms.salt"
    salt.write_text(f"{seed:064x}\n", encoding="ascii")
    card = study.card("internal")
    with open_addition(study, "internal", card, raw, AdditionOptions(jobs=jobs)) as plan:
        add_source(study, "internal", plan)
    return study


def external_cohorts(names: str) -> tuple[str, ...]:
    """Return the external cohorts that were asked for.

    Raises
    ------
    ConfigurationError
        One of them has no digital patients.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    if asked == ["all"]:
        return EXTERNAL
    unknown = sorted(set(asked) - {"internal", *EXTERNAL})
    if unknown:
        raise ConfigurationError(
            "demo_cohort_unknown", unknown=tuple(unknown), external=tuple(EXTERNAL)
        )
    return tuple(name for name in EXTERNAL if name in asked)


def _write_external(
    folder: Path, cohorts: tuple[str, ...], seed: int, jobs: int, started: float
) -> dict[str, Path]:
    """Write the cohorts as they are distributed, one beside the other; return their raw files."""
    sources: dict[str, Path] = {}
    releases = folder.absolute() / "releases"
    write = partial(_write_release, releases, seed)
    with open_pool(jobs) as pool:  # starts no process before there is work
        for cohort, (raw, cases) in zip(cohorts, pool.map(write, cohorts), strict=True):
            sources[cohort] = raw
            told = f"   {cohort}, as it is distributed: {cases} cases"
            console().print(f"{told} ({_since(started)})")
    return sources


def _write_release(releases: Path, seed: int, cohort: str) -> tuple[Path, int]:
    written = write_cohort(
        releases / cohort,
        cohort,
        patients=PATIENTS_EACH,
        seed=seed,
        voxel_mm=EXTERNAL_VOXEL_MM,
    )
    return written.raw, len(written.cases)


def _add_external(study: Study, cohort: str, source: Path, jobs: int) -> Study:
    """Make a cohort and take its files in, with what nobody but its owner can know."""
    study = ensure_cohort(study, cohort)
    if cohort == "ukhd":
        card = study.root / study.cohort_path(cohort) / "card.toml"
        decided = card.read_text("utf-8").replace("# lesion_values = [1] ", "lesion_values = [2] ")
        decided = decided.replace("# other_values = { 2 =", "other_values = { 1 =")
        card.write_text(decided, encoding="utf-8")
        save(study.root, "Label codes of ukhd", [card])
        study.refresh()
    with open_addition(
        study, cohort, study.card(cohort), source, AdditionOptions(jobs=jobs)
    ) as plan:
        add_source(study, cohort, plan)
    return study


def _lend_identity() -> None:
    """Commit as the demonstration where git knows no author; nothing is configured."""
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "cta_data demonstration")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "demonstration@example.org")


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"
