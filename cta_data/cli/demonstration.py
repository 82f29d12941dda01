"""The demonstration: digital patients through every step up to the training sets."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cta_data.cli.output import ProgressObserver, console, print_frame
from cta_data.creation import create_study
from cta_data.engine import ExecutorOptions, RunOptions
from cta_data.errors import ConfigurationError
from cta_data.intake import AdditionOptions
from cta_data.phantom import VoxelSizes, write_trial
from cta_data.steps.add import add_source, open_addition
from cta_data.steps.build import build_step
from cta_data.steps.pipeline import SUBJECT_STEPS, execute
from cta_data.study import Study

SETTINGS = ("A", "B", "C", "D")
VOXELS = VoxelSizes(mprage=1.25, space=1.25, ct_in_plane=1.25, ct_slice=1.5)
"""Coarser than a scanner's, so that the demonstration is quick."""
LESIONS_BY_QUALITY = """
select quality, grid, count(*) as lesions, round(median(volume_cm3), 3) as median_cm3,
       round(min(volume_cm3), 3) as smallest_cm3, count(lost_reason) as lost,
       round(median(transfer_volume_ratio), 3) as volume_ratio
from lesions group by all order by all
"""


def run_demonstration(folder: Path, patients: int, seed: int, jobs: int) -> int:
    """Make a trial of digital patients in `folder`, and a study that builds A to D from it.

    Raises
    ------
    ConfigurationError
        The folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(
            "the folder is not empty",
            where=str(folder),
            next_step="Remove it or name another: cta-data demo FOLDER",
        )
    out = console()
    out.print("These are digital patients: simulated heads, not data of any person.")
    _lend_identity()
    started = time.monotonic()
    trial = folder.absolute() / "trial"
    halves = (patients // 2, patients - patients // 2)
    out.print(f"1. A hospital's export of {patients} digital patients: {folder}/trial/raw")
    written = write_trial(
        trial, n_naq=halves[0], n_haq=halves[1], seed=seed, voxel_sizes=VOXELS, workers=jobs
    )
    out.print(f"   {sum(w.lesions_drawn for w in written)} lesions drawn ({_since(started)})")
    study = _make_study(folder.absolute() / "study", trial / "raw", seed)
    out.print(f"2. A study with those files in its sourcedata: {folder}/study ({_since(started)})")
    out.print("3. cta-data build --setting A --setting B --setting C --setting D")
    steps = [*SUBJECT_STEPS, *(build_step(study, name) for name in SETTINGS)]
    command = ("cta-data", "build", *(w for name in SETTINGS for w in ("--setting", name)))
    options = RunOptions(executor=ExecutorOptions(jobs), command=command)
    with ProgressObserver() as progress:
        report = execute(study, steps, options, progress.observer())
    for failure in report.failures:
        out.print(f"   not done: {failure.unit}: {failure.reason}")
    _print_results(study, folder, started)
    return report.exit_code()


def _make_study(path: Path, raw: Path, seed: int) -> Study:
    study = create_study(path, "demo", ("internal",))
    # The same seed gives the same labels: a demonstration has nobody's identity to protect.
    salt = study.root / study.sourcedata_path("internal") / "pseudonyms.salt"
    salt.write_text(f"{seed:064x}\n", encoding="ascii")
    card = study.card("internal")
    with open_addition(study, "internal", card, raw, AdditionOptions()) as plan:
        add_source(study, "internal", plan)
    return Study(path)


def _print_results(study: Study, folder: Path, started: float) -> None:
    out = console()
    out.print("\nLesions by quality and grid (cta-data query):")
    print_frame(study.query(LESIONS_BY_QUALITY))
    out.print("\nTraining sets:")
    for row in study.query(
        "select setting, count(*) filter (partition = 'train') as train,"
        " count(*) filter (partition = 'test') as test from splits group by all order by all"
    ).itertuples():
        out.print(f"  setting {row.setting}: {row.train} patients train, {row.test} test")
    out.print(f"\nDone in {_since(started)}. Look at what it made:")
    for line in (
        f"cd {folder}/study",
        "cta-data status                         every subject, step by step",
        "cat builds/Dataset502_CTAB/dataset.json images and labels by reference",
        "git log                                 one record a command; datalad rerun repeats it",
        "cta-data build --setting B              nothing left to do: every unit notneeded",
    ):
        out.print(f"  {line}")


def _lend_identity() -> None:
    """Commit as the demonstration where git knows no author; nothing is configured."""
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "cta_data demonstration")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "demonstration@example.org")


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"
