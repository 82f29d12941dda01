"""Checks of the installation and of a study, each with what to do about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from cta_data.errors import CtaError
from cta_data.intake.consistency import inconsistencies, subject_files
from cta_data.intake.overlap import shared_patients
from cta_data.pipeline.convert.clinical import problems_of
from cta_data.pipeline.recorded import changed_files, recorded_outputs
from cta_data.study import layout
from cta_data.study.distribution import cohort_datasets, known_siblings, restriction
from cta_data.study.study import ENVIRONMENT, Study, open_study
from cta_data.study.tables import (
    AnnotationRow,
    ImageRow,
    ModelFoldRow,
    PredictionRow,
    TableRow,
    TransformRow,
    UnitRow,
    VariantRow,
)
from cta_data.study.tables.schemas import table_schemas
from cta_data.study.tables.store import read_arrow
from cta_data.versioning.committed import datasets_of, untracked
from cta_data.versioning.datasets import git_identity
from cta_data.versioning.git_settings import settings_set_aside
from cta_data.versioning.leftovers import stale_locks
from cta_data.versioning.lost_content import lost_content
from cta_data.versioning.ownership import require_trusted
from cta_data.versioning.push_guard import has_guard

NEEDED = ("datalad", "pydicom", "dicom2nifti", "SimpleITK", "pandas", "pyarrow", "duckdb")
EXTRAS = {"nnunetv2": "train", "hd-bet": "brain", "dask-jobqueue": "cluster"}
LEAST_FREE_GB = 5.0
FILE_COLUMNS: dict[type[TableRow], tuple[str, ...]] = {
    ImageRow: ("path", "mask_path"),
    AnnotationRow: ("path", "names_path"),
    TransformRow: ("path",),
    VariantRow: ("labels_path", "mask_path"),
}
"""Columns of tables that name files, from the top of the study."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str


def diagnose(study: Path | None) -> list[Finding]:
    """Look at the installation, and at the study where there is one."""
    findings = [*_programs(), *_libraries(), _identity()]
    try:
        opened = open_study(study)
    except CtaError as error:
        named = study is not None or os.environ.get(ENVIRONMENT)
        findings.append(Finding("error" if named else "ok", "study", str(error)))
        return findings
    try:
        require_trusted(opened.root)
    except CtaError as error:
        return [*findings, Finding("error", "study", str(error))]
    for check in (
        _configuration,
        _settings,
        _cohorts,
        _clinical,
        _shared,
        _distribution,
        _disk,
        _units,
        _committed,
        _lost,
        _locks,
        _tables,
        _rows,
        _sourcedata,
        _orphans,
        _unlisted,
        _withdrawals,
        _interrupted,
    ):
        findings += _guarded(check, opened)
    return findings


def _guarded(check: Callable[[Study], Iterator[Finding]], study: Study) -> list[Finding]:
    try:
        return list(check(study))
    except CtaError as error:
        return [Finding("error", check.__name__.strip("_"), str(error))]


def _programs() -> Iterator[Finding]:
    for program in ("git", "git-annex", "datalad"):
        where = shutil.which(program)
        if where is None:
            yield Finding("error", program, "not found on PATH; activate the environment it is in")
            continue
        command = [program, "version"] if program == "git-annex" else [program, "--version"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            yield Finding("error", program, f"{where} does not start: {error.strerror}")
            continue
        yield Finding("ok", program, (done.stdout or done.stderr).splitlines()[0])


def _libraries() -> Iterator[Finding]:
    yield Finding("ok", "python", sys.version.split()[0])
    for name in NEEDED:
        yield Finding("ok", name, metadata.version(name))
    for name, extra in EXTRAS.items():
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            how = f"pip install 'cta_data[{extra}]' -c constraints.txt"
            yield Finding("warning", name, f"not installed; only needed for {extra}: {how}")


def _identity() -> Finding:
    try:
        known = git_identity(Path.cwd())
    except CtaError as error:
        return Finding("error", "git identity", str(error))
    if known:
        return Finding("ok", "git identity", "set")
    return Finding(
        "error",
        "git identity",
        "not set: git config --global user.name NAME and user.email ADDRESS",
    )


def _configuration(study: Study) -> Iterator[Finding]:
    configuration = study.configuration
    settings = ", ".join(sorted(configuration.build.settings))
    yield Finding("ok", "study.toml", f"study {configuration.study.name}, settings {settings}")
    unknown = set(configuration.build.cohorts) - set(study.cohorts)
    if unknown:
        yield Finding(
            "warning", "study.toml", f"build.cohorts names {', '.join(sorted(unknown))}, not added"
        )


def _settings(study: Study) -> Iterator[Finding]:
    aside = settings_set_aside(study.root)
    if aside:
        told = f"`datalad rerun` commits with your settings of git, our commands do not: {aside[0]}"
        told += "".join(f", {name}" for name in aside[1:])
        yield Finding("warning", "git settings", f"{told}. Run `cta-data doctor` after a rerun")


def _cohorts(study: Study) -> Iterator[Finding]:
    for cohort in study.cohorts_here:
        card = study.card(cohort)
        here = "here" if study.has_sourcedata(cohort) else "not installed"
        yield Finding("ok", f"cohort {cohort}", f"{card.cohort.title}; sourcedata {here}")

    for cohort, error in study.not_available.items():
        yield Finding("warning", f"cohort {cohort}", str(error))


def _clinical(study: Study) -> Iterator[Finding]:
    for cohort in study.cohorts_here:
        for problem in problems_of(study, cohort):
            yield Finding("warning", f"cohort {cohort}", problem)


def _shared(study: Study) -> Iterator[Finding]:
    shared = shared_patients(study)
    if shared:
        text = f"patients who are two subjects: {len(shared)}, such as {shared[0]}"
        yield Finding("warning", "subjects", f"{text}; `build` refuses to train on them")


def _distribution(study: Study) -> Iterator[Finding]:
    for cohort in study.cohorts_here:
        datasets = [path for path in cohort_datasets(study, cohort) if known_siblings([path])]
        if datasets and restriction(study, cohort) and not all(map(has_guard, datasets)):
            text = "restricted, and a push from this copy may not keep to it"
            yield Finding(
                "warning", f"cohort {cohort}", f"{text}; `cta-data distribution` sets its guard"
            )


def _disk(study: Study) -> Iterator[Finding]:
    free = shutil.disk_usage(study.root).free / 1e9
    level: Literal["ok", "warning"] = "ok" if free > LEAST_FREE_GB else "warning"
    yield Finding(level, "disk", f"{free:.1f} GB free")


def _units(study: Study) -> Iterator[Finding]:
    rows = study.tables.rows(UnitRow)
    gone = [path for path in recorded_outputs(study) if not study.has(path)]
    failed = [row for row in rows if row.status == "error"]
    if gone:
        text = f"{len(gone)} outputs are gone, such as {gone[0]}; the next command makes them again"
        yield Finding("warning", "outputs", text)
    if failed:
        text = f"{len(failed)} units failed; the next command tries them again"
        yield Finding("warning", "units", text)
    changed = changed_files(study)
    if changed:
        text = f"{len(changed)} files differ from what the tables say, such as {changed[0]}"
        text += "; run the step again with --recompute. An edited annotation: `cta-data correct`"
        yield Finding("error", "content", text)
    warned = [(row, text) for row in rows for text in row.warnings]
    if warned:
        row, text = warned[0]
        text = f"{len(warned)} results to look at, such as {row.id}: {text}"
        yield Finding("warning", "results", f"{text}; `cta-data status` lists them")
    if not (gone or failed or changed):
        yield Finding("ok", "units", f"{len(rows)} units, outputs in place and as recorded")


def _committed(study: Study) -> Iterator[Finding]:
    """Find what a command made or took in that git does not hold: no clone would have it."""
    if not (study.root / ".git").exists():
        return
    files = [path for path in recorded_outputs(study) if os.path.lexists(study.root / path)]
    for cohort in study.cohorts_here:
        source = study.sourcedata_path(cohort)
        if study.has_sourcedata(cohort):
            files += [f"{source}/{name}" for name in subject_files(study.root / source)]
    left = untracked(study.root, files)
    if left:
        text = f"{len(left)} files are in no commit, such as {left[0]}; no clone has them"
        yield Finding("error", "git", f"{text}: run the command that made them again")


def _lost(study: Study) -> Iterator[Finding]:
    """Find content that no known place has: no clone can get it, and no step can read it."""
    for dataset in datasets_of(study.root):
        lost = lost_content(dataset)
        if lost:
            example = (dataset / lost[0]).relative_to(study.root)
            text = f"the content of {len(lost)} files is lost, such as {example}: no known place"
            yield Finding(
                "error",
                "content",
                f"{text} has it. Restore it from a backup (`git annex reinject`), or remove these "
                "files and run the commands that made them",
            )


def _locks(study: Study) -> Iterator[Finding]:
    """Find locks of git that nobody holds any more."""
    stale = stale_locks(study.root, layout.REPOSITORIES)
    if stale:
        text = f"{len(stale)} locks of git that nobody holds, such as {stale[0]}"
        yield Finding("warning", "git", f"{text}; the next command that changes it removes them")


def _tables(study: Study) -> Iterator[Finding]:
    """Find tables that cannot be read, also where no other check asks for them."""
    for table in table_schemas():
        try:
            read_arrow(study.root / layout.MANIFESTS, table)
        except CtaError as error:
            yield Finding("error", "tables", str(error))


def _rows(study: Study) -> Iterator[Finding]:
    """Find rows of tables about files that are not there."""
    for of, columns in FILE_COLUMNS.items():
        named = (row.column(column) for row in study.tables.rows(of) for column in columns)
        gone = sorted({path for path in named if path and not study.has(path)})
        if gone:
            text = f"{len(gone)} files that the table {of.TABLE} names are gone, such as {gone[0]}"
            yield Finding("error", "tables", f"{text}; the command that made them makes them again")


def _sourcedata(study: Study) -> Iterator[Finding]:
    """Hold the tables about the raw files against the files themselves."""
    for cohort in study.cohorts_here:
        if study.has_sourcedata(cohort):
            for text in inconsistencies(study.root / study.sourcedata_path(cohort)):
                yield Finding("error", f"cohort {cohort}", text)


def _orphans(study: Study) -> Iterator[Finding]:
    """Find files beside the outputs that no unit accounts for."""
    known = set(recorded_outputs(study))
    known |= {
        path
        for row in study.tables.rows(AnnotationRow)
        for path in (row.path, row.names_path)
        if path
    }
    for cohort in study.cohorts_here:
        folder = study.root / study.derivatives_path(cohort)
        stray = [
            path.relative_to(study.root).as_posix()
            for path in sorted(folder.glob("sub-*/**/*.*"))
            if not path.is_dir() and path.relative_to(study.root).as_posix() not in known
        ]
        if stray:
            text = f"{len(stray)} files that no unit made, such as {stray[0]}"
            yield Finding("warning", f"cohort {cohort}", text)


def _unlisted(study: Study) -> Iterator[Finding]:
    """Find weights and masks that no row of their table is of: nothing of the study uses them."""
    listed = {row.path for of in (ModelFoldRow, PredictionRow) for row in study.tables.rows(of)}
    folds = (study.root / layout.MODELS).glob("*/*/fold_*")
    weights = [path / layout.CHECKPOINT for path in sorted(folds)]
    records = sorted((study.root / layout.PREDICTIONS).glob(f"*/*/{layout.PREDICTION_RECORD}"))
    masks = [mask for record in records for mask in sorted(record.parent.glob("*.nii.gz"))]
    for what, paths in (("weights", weights), ("masks", masks)):
        there = [path.relative_to(study.root).as_posix() for path in paths if os.path.lexists(path)]
        stray = [path for path in there if path not in listed]
        if stray:
            text = f"{len(stray)} files of {what} that this study did not make, such as {stray[0]}"
            used = "`predict --model` uses models of elsewhere; nothing is scored of them otherwise"
            yield Finding("warning", what, f"{text}: {used}")


def _withdrawals(study: Study) -> Iterator[Finding]:
    """Prove that nothing is left of patients who withdrew consent."""
    from cta_data.pipeline.withdrawal.checks import check_withdrawals

    for proof in check_withdrawals(study):
        yield Finding(proof.level, proof.subject, proof.message)


def _interrupted(study: Study) -> Iterator[Finding]:
    from cta_data.engine.driver import UNCOMMITTED

    if (study.root / UNCOMMITTED).exists():
        text = "a command was interrupted before its commit; run it again to finish"
        yield Finding("warning", "commit", text)
