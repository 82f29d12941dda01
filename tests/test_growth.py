"""What commands load, read and start does not grow with the sessions of a study."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.table_study import COHORT, make_table_study

from cta_data.engine import RunOptions, Selection, plan_steps
from cta_data.imaging.brain import REQUIREMENTS
from cta_data.pipeline.build import build_step
from cta_data.pipeline.extract_brain import NEED_MORE
from cta_data.pipeline.overview import study_status
from cta_data.pipeline.runner import SUBJECT_STEPS
from cta_data.study import sourcedata as inventory
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow, stored_rows
from cta_data.study.tables import store as tables
from cta_data.study.unit_id import UnitId

IMAGING = {
    *("SimpleITK", "scipy", "nibabel", "pydicom", "highdicom", "cc3d", "skimage", "PIL"),
    *("torch", "matplotlib", "datalad", "distributed", "dask", "dicom2nifti"),
}
FIRST = UnitId("convert", SessionId(COHORT, "00000", "1"))
LISTED = """
import sys
from cta_data.cli.application import app
try:
    app(sys.argv[1:], standalone_mode=False)
except SystemExit:
    pass
print("loaded:", *sys.modules)
"""


def status(study: Study) -> None:
    study_status(study)


def plan(study: Study) -> None:
    steps = (*SUBJECT_STEPS, build_step(study, "A"))
    assert list(plan_steps(study, steps, RunOptions()))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_table_study(tmp_path_factory.mktemp("growth") / "study", 6).root


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (("status",), IMAGING | {"pandas", "duckdb"}),
        (("query", "select count(*) from units"), IMAGING | {"pandas", "pyarrow.compute"}),
        (("build", "--setting", "A", "--dry-run"), IMAGING | {"pandas", "duckdb"}),
        (("--help",), IMAGING | {"pandas", "duckdb"}),
    ],
)
def test_commands_that_only_look_load_no_library_for_images(
    small: Path, words: tuple[str, ...], unneeded: set[str]
) -> None:
    """What a command does not use costs it neither time nor memory."""
    place = ["--study", str(small)] if words != ("--help",) else []
    done = subprocess.run(
        [sys.executable, "-c", LISTED, *words, *place], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split("loaded:")[1].split()) & unneeded == set()


@pytest.mark.parametrize("command", [status, plan])
def test_every_table_is_read_once_a_command(
    small: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Study], None]
) -> None:
    """However many sessions and steps ask, a table's file, and one of sourcedata, is read once."""
    read: Counter[str] = Counter()
    arrow, text = tables._read_checked, inventory.read_table

    def counted_arrow(path: Path, table: str) -> object:
        read[table] += 1
        return arrow(path, table)

    def counted_text(path: Path, row_type: type) -> list:
        read[path.name] += 1
        return text(path, row_type)

    monkeypatch.setattr(tables, "_read_checked", counted_arrow)
    monkeypatch.setattr(inventory, "read_table", counted_text)
    command(Study(small))
    assert read["units"] == read["series.tsv"] == 1
    assert set(read.values()) == {1}


@pytest.mark.parametrize("command", [status, plan])
def test_looking_starts_no_process(
    small: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Study], None]
) -> None:
    """What is planned and shown follows from tables and links: git is not asked."""
    started: list[object] = []
    real = subprocess.Popen

    def noted(*arguments: object, **options: object) -> object:
        started.append(arguments)
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", noted)
    command(Study(small))
    assert started == []


def test_a_plan_is_made_one_unit_at_a_time(small: Path) -> None:
    """The first decision is there before the second unit is looked at: memory does not grow."""
    seen: list[str] = []
    study = Study(small)
    step = SUBJECT_STEPS[0]

    def watched(study: Study, selection: Selection) -> object:
        for unit in step.plan(study, selection):
            seen.append(unit.id.subject)
            yield unit

    decisions = plan_steps(
        study, [type(step)(step.name, watched, step.run, step.owns)], RunOptions()
    )
    next(decisions)
    assert seen == ["00000"]


def test_only_columns_that_are_looked_at_are_converted(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are views: of the 12 columns of `units`, a status converts the key, state and reason."""
    converted: list[str] = []
    values = stored_rows._Columns.__missing__

    def counted(self: stored_rows._Columns, name: str) -> object:
        converted.append(name)
        return values(self, name)

    monkeypatch.setattr(stored_rows._Columns, "__missing__", counted)
    rows = Study(small).tables.by_key(UnitRow)
    assert {rows[FIRST.key].status} == {"ok"}
    assert Counter(converted)["inputs"] == Counter(converted)["outputs"] == 0
    assert "status" in converted


def test_a_row_that_was_read_is_as_one_that_was_made(small: Path) -> None:
    """It compares, is changed, hashes and travels to another process as any row of its type."""
    row = Study(small).tables.by_key(UnitRow)[FIRST.key]
    made = UnitRow.of(FIRST, status="ok", key="k", step_version=1, parameters="p")
    assert row == made and hash(row) == hash(made) and repr(row) == repr(made)
    assert replace(row, status="error") == replace(made, status="error")
    assert pickle.loads(pickle.dumps(row)) == made
    assert row.id == FIRST and row.columns() == made.columns()
    with pytest.raises(AttributeError):
        _ = row.nothing  # type: ignore[attr-defined]


def test_an_inventory_is_read_again_where_a_table_was_written(small: Path) -> None:
    """What is added meanwhile is seen: a study does not remember what is no longer so."""
    study = Study(small)
    first = study.inventory(COHORT)
    assert first is not None and study.inventory(COHORT) is first
    folder = study.root / study.sourcedata_path(COHORT)
    rows = [*first.subjects, inventory.SubjectRow("99999", "Q9", "accepted")]
    inventory.write_subjects(folder, rows)
    again = study.inventory(COHORT)
    assert again is not None and len(again.subjects) == len(first.subjects) + 1
    inventory.write_subjects(folder, first.subjects)


def test_back_ends_that_need_more_are_those_that_are_checked() -> None:
    """Planning knows, without loading them, which back ends of brain extraction need more."""
    assert set(NEED_MORE) == set(REQUIREMENTS)
