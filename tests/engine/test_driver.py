"""The driver: conservation, placing, tables, and what a second command does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers.refusals import has_reason, require_reason
from helpers.toy_steps import Seen, execute, files, make_study, reasons, statuses, tables, toy_step

from cta_data.engine import RunOptions, Selection, Unit, plan_steps, run_steps
from cta_data.engine.driver import UNCOMMITTED
from cta_data.engine.log import read_timings
from cta_data.engine.staging import staging_folder
from cta_data.errors import CtaError
from cta_data.reasons import Reason
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.versioning.datasets import Fetched

MIXTURE = {"s1": "one", "s2": "refuse", "s3": "fail", "s4": "doubt", "s5": "blocked", "s6": "full"}


def log_of(root: Path) -> list[dict]:
    latest = max((root / ".cta" / "log").glob("*.jsonl"))
    return [json.loads(line) for line in latest.read_text().splitlines()]


def test_every_unit_ends_in_one_way_and_is_told_everywhere(tmp_path: Path) -> None:
    """Units in = ok + impossible + error: in the report, to the observer, in the log, as rows."""
    study = make_study(tmp_path, **MIXTURE)
    seen = Seen()
    report = execute(study, seen=seen)
    expected = {
        **{"s1": "ok", "s2": "impossible", "s3": "error"},
        **{"s4": "impossible", "s5": "impossible", "s6": "error"},
    }
    assert statuses(report) == expected
    assert report.counts() == {"toy": {"ok": 1, "impossible": 3, "error": 2}}
    assert report.exit_code() == 3
    assert seen.records == report.records
    assert [(step, len(decisions)) for step, decisions in seen.planned] == [("toy", 6)]
    header, *lines = log_of(tmp_path)
    assert header["command"] == ["cta-data", "toy"]
    assert {line["subject"]: line["status"] for line in lines} == expected
    rows = Study(tmp_path).tables.rows(UnitRow)
    assert {row.column("subject"): row.status for row in rows} == expected


def test_one_subject_s_trouble_is_its_own_and_says_why(tmp_path: Path) -> None:
    """Refused data, a full disk and a defect each give a reason; only the defect a traceback."""
    study = make_study(tmp_path, **MIXTURE)
    report = execute(study)
    told = reasons(report)
    assert (told["s2"].code, told["s2"].where) == ("slices_missing", "s2")
    # What an exception says may be a patient's name, read from a damaged header.
    assert told["s3"].code == "unforeseen_error"
    assert told["s3"].values["error_type"] == "ValueError"
    assert told["s3"].values["place"].startswith("cta_data/engine/worker.py:")
    assert "this text fails" not in str(told["s3"])
    codes = {subject: told[subject].code for subject in ("s4", "s5", "s6")}
    assert codes == {"s4": "on_hold", "s5": "step_not_done", "s6": "disk_full_for_unit"}
    traces = {line["subject"]: line["traceback"] for line in log_of(tmp_path)[1:]}
    assert "toy_steps.py" in traces["s3"] and "ValueError: this text fails" in traces["s3"]
    assert traces["s1"] == traces["s2"] == ""
    rows = Study(tmp_path).tables.rows(UnitRow)
    stored = {row.column("subject"): (row.reason, row.reason_code) for row in rows}
    kept = {subject: (str(reason), reason.code) for subject, reason in told.items() if reason}
    assert stored == {**kept, "s1": (None, None)}


def test_only_what_is_whole_is_placed(tmp_path: Path) -> None:
    """Half-written outputs of failing units leave nothing behind, in staging either.

    What is refused after all was made keeps its files and rows, so that one can look at it.
    """
    study = make_study(tmp_path, **MIXTURE)
    execute(study)
    assert files(tmp_path) == {"out/s1/text.txt": "ONE", "out/s4/text.txt": "DOUBT"}
    assert not any((tmp_path / ".cta" / "staging").iterdir())
    assert {row.column("subject") for row in Study(tmp_path).tables.rows(SessionRow)} == {
        "s1",
        "s4",
    }
    units = {row.column("subject"): row.outputs for row in Study(tmp_path).tables.rows(UnitRow)}
    assert units["s4"] == ("out/s4/text.txt",) and units["s3"] == ()


def test_a_second_command_changes_nothing(tmp_path: Path) -> None:
    """Everything is notneeded, the tables are byte for byte the same, nothing is to commit."""
    study = make_study(tmp_path, s1="one", s2="two")
    first = execute(study)
    assert first.exit_code() == 0
    assert (tmp_path / UNCOMMITTED).exists()
    (tmp_path / UNCOMMITTED).unlink()
    before, inodes = tables(tmp_path), os.stat(tmp_path / "manifests" / "units.parquet").st_ino
    second = execute(study)
    assert second.counts() == {"toy": {"notneeded": 2}}
    assert second.exit_code() == 0
    assert tables(tmp_path) == before
    assert os.stat(tmp_path / "manifests" / "units.parquet").st_ino == inodes
    assert not (tmp_path / UNCOMMITTED).exists()


def test_a_second_command_tries_errors_again_and_refusals_not(tmp_path: Path) -> None:
    """An error may pass by itself; refused data stays refused until it changes."""
    study = make_study(tmp_path, **MIXTURE)
    execute(study)
    seen = Seen()
    report = execute(study, seen=seen)
    actions = {d.unit.id.subject: d.action for d in seen.planned[0][1]}
    assert [s for s, action in actions.items() if action == "run"] == ["s3", "s6"]
    assert statuses(report)["s1"] == "notneeded"
    assert reasons(report)["s4"].code == "on_hold"
    (tmp_path / "in" / "s2.txt").write_text("mended")
    assert statuses(execute(study, subjects=("s2",))) == {"s2": "ok"}
    assert files(tmp_path)["out/s2/text.txt"] == "MENDED"


def test_a_changed_input_costs_that_unit_alone(tmp_path: Path) -> None:
    """Its rows and files are replaced, those of others are left as they are."""
    study = make_study(tmp_path, s1="one", s2="two", s3="three")
    execute(study)
    untouched = os.stat(tmp_path / "out/s1/text.txt").st_ino
    (tmp_path / "in" / "s2.txt").write_text("changed")
    report = execute(study)
    assert statuses(report) == {"s1": "notneeded", "s2": "ok", "s3": "notneeded"}
    assert os.stat(tmp_path / "out/s1/text.txt").st_ino == untouched
    rows = {row.column("subject"): row.sex for row in Study(tmp_path).tables.rows(SessionRow)}
    assert rows == {"s1": "one", "s2": "changed", "s3": "three"}


def test_what_is_no_longer_made_is_removed_with_its_folder(tmp_path: Path) -> None:
    """A second output that a new run does not make goes, and no empty folder stays."""
    study = make_study(tmp_path, s1="two")
    execute(study)
    assert set(files(tmp_path)) == {"out/s1/text.txt", "out/s1/more/second.txt"}
    (tmp_path / "in" / "s1.txt").write_text("one")
    execute(study)
    assert set(files(tmp_path)) == {"out/s1/text.txt"}
    assert not (tmp_path / "out/s1/more").exists()


@pytest.mark.parametrize("now", ["fail", "refuse", "blocked"])
def test_a_unit_that_gets_no_result_keeps_no_old_one(tmp_path: Path, now: str) -> None:
    """Files and rows of an earlier input would pass for those of the present one."""
    study = make_study(tmp_path, s1="two", s2="two")
    execute(study)
    (tmp_path / "in" / "s1.txt").write_text(now)
    execute(study)
    assert set(files(tmp_path)) == {"out/s2/text.txt", "out/s2/more/second.txt"}
    assert [row.column("subject") for row in Study(tmp_path).tables.rows(SessionRow)] == ["s2"]
    (tmp_path / "in" / "s1.txt").write_text("two")
    report = execute(study)
    assert statuses(report) == {"s1": "ok", "s2": "notneeded"}
    assert "out/s1/text.txt" in files(tmp_path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"suffix": "!"}, Reason("parameters_changed")),
        ({"version": 2}, Reason("step_version_changed", step_version=1, version=2)),
    ],
)
def test_parameters_and_versions_rerun_all(tmp_path: Path, changes: dict, why: Reason) -> None:
    """What every result depends on reruns every unit, and says so."""
    study = make_study(tmp_path, s1="one", s2="two")
    execute(study)
    seen = Seen()
    execute(study, toy_step(**changes), seen=seen)
    assert {d.reason for d in seen.planned[0][1]} == {why}
    assert {record.status for record in seen.records} == {"ok"}


def test_an_output_that_is_gone_is_made_again_and_a_dropped_one_not(tmp_path: Path) -> None:
    """A dangling link is a result whose content lies elsewhere."""
    study = make_study(tmp_path, s1="one", s2="one")
    execute(study)
    (tmp_path / "out/s1/text.txt").unlink()
    dropped = tmp_path / "out/s2/text.txt"
    dropped.unlink()
    dropped.symlink_to("../../.git/annex/objects/x/MD5E-s3--abc.txt")
    assert statuses(execute(study)) == {"s1": "ok", "s2": "notneeded"}
    assert dropped.is_symlink()


def test_an_output_is_never_written_through_a_link(tmp_path: Path) -> None:
    """What an annexed file's link leads to stays as it was; the link is replaced."""
    study = make_study(tmp_path, s1="one")
    execute(study)
    stored = tmp_path / ".git" / "annex" / "objects" / "MD5E-s3--abc.txt"
    stored.parent.mkdir(parents=True)
    output = tmp_path / "out/s1/text.txt"
    output.rename(stored)
    output.symlink_to("../../.git/annex/objects/MD5E-s3--abc.txt")
    (tmp_path / "in" / "s1.txt").write_text("changed")
    assert statuses(execute(study)) == {"s1": "ok"}
    assert stored.read_text() == "ONE"
    assert not output.is_symlink()
    assert output.read_text() == "CHANGED"


def test_an_output_that_cannot_be_placed_is_its_unit_s_error(tmp_path: Path) -> None:
    """A folder in the way costs that subject, which is told where."""
    study = make_study(tmp_path, s1="one", s2="one")
    (tmp_path / "out" / "s1" / "text.txt" / "x").mkdir(parents=True)
    report = execute(study)
    assert statuses(report) == {"s1": "error", "s2": "ok"}
    assert "text.txt" in str(reasons(report)["s1"])
    rows = Study(tmp_path).tables
    assert [row.column("subject") for row in rows.rows(SessionRow)] == ["s2"]


def test_recomputing_gives_the_same_bytes(tmp_path: Path) -> None:
    """A repeated command runs all that can run and ends with the same tables and files."""
    study = make_study(tmp_path, s1="one", s2="refuse", s3="blocked")
    execute(study)
    before = tables(tmp_path), files(tmp_path)
    report = execute(study, recompute=True)
    assert statuses(report) == {"s1": "ok", "s2": "impossible", "s3": "impossible"}
    assert (tables(tmp_path), files(tmp_path)) == before


def test_a_selection_touches_nobody_else(tmp_path: Path) -> None:
    """Units of others are neither run nor reported, and their rows stay."""
    study = make_study(tmp_path, s1="one", s2="two")
    execute(study)
    (tmp_path / "in" / "s1.txt").write_text("changed")
    (tmp_path / "in" / "s2.txt").write_text("changed")
    assert statuses(execute(study, subjects=("s2",))) == {"s2": "ok"}
    rows = {row.column("subject"): row.sex for row in Study(tmp_path).tables.rows(SessionRow)}
    assert rows == {"s1": "one", "s2": "changed"}
    assert execute(study, subjects=("s9",)).exit_code() == 2


def test_a_dry_run_changes_nothing_and_looks_ahead(tmp_path: Path) -> None:
    """Planning writes no file; what an earlier step will make is planned to run."""
    study = make_study(tmp_path, s1="one", s2="blocked")
    second = toy_step("second", source="out", folder="later")
    before = sorted(tmp_path.rglob("*"))
    decisions = list(plan_steps(study, (toy_step(), second), RunOptions()))
    assert sorted(tmp_path.rglob("*")) == before
    told = {(d.unit.id.step, d.unit.id.subject): d.action for d in decisions}
    assert told == {
        **{("toy", "s1"): "run", ("second", "s1"): "run"},
        **{("toy", "s2"): "impossible", ("second", "s2"): "impossible"},
    }


def test_an_interrupted_command_leaves_no_trace_in_the_next(tmp_path: Path) -> None:
    """What a killed worker had half written is cleared, and can never look finished."""
    study = make_study(tmp_path, s1="one")
    left = tmp_path / ".cta" / "staging" / "abc" / "out" / "s1"
    left.mkdir(parents=True)
    (left / "half.txt").write_text("half")
    execute(study)
    assert set(files(tmp_path)) == {"out/s1/text.txt"}
    assert not (tmp_path / ".cta" / "staging" / "abc").exists()


def test_a_second_command_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """One command at a time; afterwards the study is free again, also after an error."""
    study = make_study(tmp_path, s1="one")
    with study_lock(study), pytest.raises(CtaError, check=has_reason("study_locked")):
        execute(study)
    assert files(tmp_path) == {}
    with pytest.raises(RuntimeError), study_lock(study):
        raise RuntimeError
    assert statuses(execute(study)) == {"s1": "ok"}


def test_a_study_that_may_not_be_written_is_refused_by_name(tmp_path: Path) -> None:
    """A read-only study, or one of somebody else: one error that names it, and nothing is made."""
    study = make_study(tmp_path / "study", s1="one")
    study.root.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may write everywhere
        with (
            pytest.raises(CtaError, check=has_reason("study_not_writable")) as caught,
            study_lock(study),
        ):
            pass
    finally:
        os.seteuid(user)
        study.root.chmod(0o755)
    assert caught.value.where == str(study.root) and "ermission" in caught.value.why
    assert not (study.root / ".cta").exists()


def test_rows_of_a_command_that_ran_meanwhile_are_kept(tmp_path: Path) -> None:
    """A command that had read the tables before another one ran plans and writes on top of it."""
    study = make_study(tmp_path, s1="one", s2="two")
    assert study.tables.rows(UnitRow) == []
    execute(Study(tmp_path), subjects=("s1",))
    options = RunOptions(selection=Selection((), ("s2",)))
    assert statuses(run_steps(study, (toy_step(),), options)) == {"s2": "ok"}
    assert {row.column("subject") for row in Study(tmp_path).tables.rows(UnitRow)} == {"s1", "s2"}
    again = run_steps(study, (toy_step(),), RunOptions())
    assert statuses(again) == {"s1": "notneeded", "s2": "notneeded"}


def fetch_fails(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(
        "cta_data.engine.driver.fetch", lambda root, paths: Fetched((), {path: "no place has it"})
    )


def test_an_input_that_cannot_be_fetched_costs_its_unit_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on; the unit is an error with the file's name, and is tried again."""
    study = make_study(tmp_path, s1="one", s2="two")
    with monkeypatch.context() as patch:
        fetch_fails(patch, "in/s1.txt")
        report = execute(study)
    assert statuses(report) == {"s1": "error", "s2": "ok"}
    require_reason(
        reasons(report)["s1"], "input_not_fetched", where="in/s1.txt", error="no place has it"
    )
    assert statuses(execute(study)) == {"s1": "ok", "s2": "notneeded"}


def test_a_result_outlives_an_input_that_cannot_be_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeating fails, but what was made from the same input stays, with its rows.

    What was made from another input goes, as after any other failure.
    """
    study = make_study(tmp_path, s1="one", s2="one")
    execute(study)
    before = files(tmp_path), tables(tmp_path)
    with monkeypatch.context() as patch:
        fetch_fails(patch, "in/s1.txt")
        assert statuses(execute(study, recompute=True)) == {"s1": "error", "s2": "ok"}
        assert (files(tmp_path), tables(tmp_path)) == before
        assert statuses(execute(study)) == {"s1": "notneeded", "s2": "notneeded"}
        (tmp_path / "in" / "s1.txt").write_text("changed")
        assert statuses(execute(study)) == {"s1": "error", "s2": "notneeded"}
    assert set(files(tmp_path)) == {"out/s2/text.txt"}
    assert [row.column("subject") for row in Study(tmp_path).tables.rows(SessionRow)] == ["s2"]


def test_rows_that_the_step_does_not_own_stop_the_command(tmp_path: Path) -> None:
    """A step cannot touch another step's table by accident."""
    study = make_study(tmp_path, s1="one")
    with pytest.raises(CtaError, check=has_reason("rows_not_owned", step="toy", alien="subjects")):
        execute(study, toy_step(owns=lambda unit: {}))


def test_units_that_read_the_same_keep_apart(tmp_path: Path) -> None:
    """Two units whose inputs and parameters are equal have staging folders of their own."""
    study = make_study(tmp_path, s1="one", s2="one")
    one = Unit(next(iter(toy_step().plan(study, Selection()))).id, 1, (), {})  # type: ignore[union-attr]
    other = Unit(UnitId("toy", SessionId("c", "s2", "1")), 1, (), {})
    assert one.key == other.key
    first, second = (staging_folder(tmp_path, unit.id.key, unit.key) for unit in (one, other))
    assert first != second


def test_what_follows_the_steps_is_done_under_the_lock(tmp_path: Path) -> None:
    """`finish` sees the whole report while no other command can start."""
    study = make_study(tmp_path, s1="one")
    seen: list[int] = []

    def finish(report: object) -> None:
        with pytest.raises(CtaError, check=has_reason("study_locked")), study_lock(study):
            pass
        seen.append(len(report.records))  # type: ignore[attr-defined]

    run_steps(study, (toy_step(),), RunOptions(), finish=finish)
    assert seen == [1]


def test_logs_give_the_time_of_the_latest_execution(tmp_path: Path) -> None:
    """What differs from run to run is in the log, for units that were really run."""
    study = make_study(tmp_path, s1="one")
    execute(study)
    first = read_timings(tmp_path)
    unit = UnitId("toy", SessionId("c", "s1", "1"))
    assert set(first) == {unit} and first[unit].seconds > 0
    execute(study)
    assert read_timings(tmp_path) == first


@pytest.mark.slow
@pytest.mark.parametrize("end", ["crash", "killed"])
def test_one_process_after_the_other_a_crash_costs_one_unit(tmp_path: Path, end: str) -> None:
    """Without workers, too, what ends the process of a unit is that unit's error; others go on."""
    study = make_study(tmp_path, s1="one", s2=end, s3="three", s4=end)
    report = execute(study)
    assert statuses(report) == {"s1": "ok", "s2": "error", "s3": "ok", "s4": "error"}
    how = {"crash": "exit code 1", "killed": "SIGKILL"}[end]
    require_reason(reasons(report)["s2"], "worker_died", how=how)
    assert files(tmp_path) == {"out/s1/text.txt": "ONE", "out/s3/text.txt": "THREE"}
    (tmp_path / "in" / "s2.txt").write_text("mended")
    assert statuses(execute(study, subjects=("s2",))) == {"s2": "ok"}


def test_workers_give_the_same_tables_and_a_crash_costs_one_unit(tmp_path: Path) -> None:
    """Two processes end as one does, also where one of them dies in the middle of a subject."""
    texts = {f"s{n}": f"text {n}" for n in range(6)} | {"s6": "fail", "s7": "doubt"}
    alone = make_study(tmp_path / "alone", **texts, s8="fail")
    execute(alone)
    together = make_study(tmp_path / "together", **texts, s8="crash")
    report = execute(together, jobs=2)
    assert statuses(report)["s8"] == "error"
    require_reason(reasons(report)["s8"], "worker_died")
    assert [s for s, status in statuses(report).items() if status == "error"].count("s8") == 1
    assert len(report.records) == 9
    assert files(alone.root) == files(together.root)
    assert tables(alone.root)["subjects.parquet"] == tables(together.root)["subjects.parquet"]
    rows = [
        {
            r.column("subject"): r
            for r in Study(study.root).tables.rows(UnitRow)
            if r.column("subject") != "s8"
        }
        for study in (alone, together)
    ]
    assert rows[0] == rows[1]
    (together.root / "in" / "s8.txt").write_text("mended")
    assert statuses(execute(together, subjects=("s8",))) == {"s8": "ok"}
