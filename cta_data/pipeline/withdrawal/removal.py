"""What of a subject is removed: rows of tables, raw data, folders of unfinished work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from cta_data.engine.running import forget_running
from cta_data.engine.staging import clear_staging, remove
from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.pipeline.withdrawal.traces import files_of, is_row_of, names_inside
from cta_data.study import layout
from cta_data.study.sourcedata import (
    read_inventory,
    write_persons,
    write_series,
    write_set_aside,
    write_subjects,
)
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES, UnitRow
from cta_data.study.tables.schemas import table_schemas

UNPACKED = Path(".cta") / "unpacked"


def remove_rows(study: Study, names: SubjectNames) -> None:
    """Remove the rows about a subject from all tables, and what rows of others say of it."""
    for of in ROW_TYPES:
        keys = table_schemas()[of.TABLE].key
        gone = {
            tuple(map(row.column, keys)) for row in study.tables.rows(of) if is_row_of(row, names)
        }
        if gone:
            study.tables.replace(of, keys, gone, [])
    study.tables.upsert([_without_subject(row, names) for row in study.tables.rows(UnitRow)])


def _without_subject(row: UnitRow, names: SubjectNames) -> UnitRow:
    """Return the row of a unit of many patients without the files of one."""
    pairs = [
        (path, key)
        for path, key in zip(row.inputs, row.input_keys, strict=True)
        if not names.in_path(path)
    ]
    outputs = tuple(path for path in row.outputs if not names.in_path(path))
    warnings = tuple(text for text in row.warnings if not names.in_text(text))
    reason = row.reason if row.reason and not names.in_text(row.reason) else None
    if (len(pairs), outputs, warnings) == (len(row.inputs), row.outputs, row.warnings):
        return row if reason == row.reason else replace(row, reason=reason)
    return replace(
        row,
        inputs=tuple(path for path, _ in pairs),
        input_keys=tuple(key for _, key in pairs),
        outputs=outputs,
        warnings=warnings,
        reason=reason,
    )


def remove_empty_predictions(study: Study, paths: Iterable[str]) -> None:
    """Remove what is left of predictions that have no mask any more, with the row of their unit.

    Parameters
    ----------
    paths
        Files that were removed, from the top of the study.
    """
    tops = {Path(path).parent for path in paths if path.startswith(f"{layout.PREDICTIONS}/")}
    for top in sorted(tops):
        folder = study.root / top
        if folder.is_dir() and not any(folder.glob("*.nii.gz")):
            remove(study.root, [(top / one.name).as_posix() for one in folder.iterdir()])
            of_set = ("predict", top.parent.name, top.name)
            study.tables.replace(UnitRow, ("step", "model", "test_set"), {of_set}, [])


def remove_from_inventories(study: Study, names: SubjectNames) -> list[Path]:
    """Remove a subject from the tables of sourcedata, of all cohorts; return the files changed."""
    changed: list[Path] = []
    for cohort in study.cohorts_here:
        if not study.has_sourcedata(cohort):
            continue
        folder = study.root / study.sourcedata_path(cohort)
        found = read_inventory(folder)
        written = []
        if cohort == names.cohort:
            subject = names.subject
            written += write_subjects(folder, [r for r in found.subjects if r.subject != subject])
            written += write_series(folder, [r for r in found.series if r.subject != subject])
            aside = [r for r in found.set_aside if r.subject != subject]
            written += write_set_aside(folder, aside)
        persons = [
            row
            for row in found.persons
            if names.patient not in ((cohort, row.subject), (row.cohort, row.other))
        ]
        written += write_persons(folder, persons) if persons != found.persons else []
        changed += [folder / name for name in written]
    return changed


def remove_work(study: Study, names: SubjectNames) -> list[str]:
    """Remove unfinished work that holds a subject's data; return the folders and files.

    Everything of it is made again where it is needed, of the patients who are left.
    """
    clear_staging(study.root)
    forget_running(study.root)
    shutil.rmtree(study.root / UNPACKED, ignore_errors=True)
    shutil.rmtree(study.root / layout.PATCH_WORK, ignore_errors=True)
    work = study.root / layout.TRAINING_WORK
    removed = []
    for folder in sorted(_held_folders(work)):
        inside = [f"{folder.relative_to(study.root).as_posix()}/{one}" for one in files_of(folder)]
        mine = [path for path in inside if names.in_path(path)]
        if not mine and not any(names_inside(study.root, path, names) for path in inside):
            continue
        removed += _remove_preprocessed(study.root, work / "cases", mine)
        shutil.rmtree(folder)
        removed.append(folder.relative_to(study.root).as_posix())
    return removed


def _held_folders(work: Path) -> Iterator[Path]:
    """Yield the folders of training sets that were prepared and of trainings that are running."""
    for name in ("prepared", "training"):
        if (work / name).is_dir():
            yield from (path for path in (work / name).iterdir() if path.is_dir())


def _remove_preprocessed(root: Path, pool: Path, links: Iterable[str]) -> list[str]:
    """Remove what a training set's files point to, or are the same file as, in the pool."""
    if not pool.is_dir():
        return []
    numbers = {os.stat(root / path).st_ino for path in links if os.path.exists(root / path)}
    gone = [path for path in sorted(pool.iterdir()) if path.stat().st_ino in numbers]
    for path in gone:
        path.unlink()
    return [path.relative_to(root).as_posix() for path in gone]
