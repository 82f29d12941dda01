"""Which command is named after each command, from where the study stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.light_study import add_patient, build, make_light_study
from helpers.table_study import make_table_study

from cta_data.cli.application import COMMANDS, MODEL_COMMANDS
from cta_data.cli.groups import GROUPS
from cta_data.engine.sessions import STEP_NAMES
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.terminal import next_commands as then
from cta_data.terminal.next_commands import Standing, Suggestion, standing_of

DONE = dict.fromkeys(STEP_NAMES, 9)
COHORTS = ("internal",)
CPU = ["--device cpu"]
TRANSFERS = "review --of transfers --reader CODE"
FINDINGS = "review --of findings --reader CODE"
NOTHING = Standing(COHORTS)
ADDED = Standing(COHORTS, COHORTS)
MEASURED = replace(ADDED, done=DONE, settings=("A", "B"))
ON_HOLD = replace(ADDED, done=DONE, on_hold=2)
BUILT = replace(MEASURED, built=("A", "B"))
HALF_TRAINED = replace(MEASURED, built=("B",), untrained={"B": (1, 2)})
TRAINED = replace(HALF_TRAINED, untrained={"B": ()})
PREDICTED = replace(TRAINED, predicted=("B",))
SCORED = replace(PREDICTED, pages=("evaluation/article/report.html",))


@pytest.mark.parametrize(
    ("suggestion", "command"),
    [
        (then.after_init(NOTHING), "add internal FOLDER"),
        (then.after_init(Standing()), "add COHORT FOLDER"),
        (then.after_add(NOTHING, "susm"), "convert susm"),
        (then.after_step(MEASURED, "convert"), "register"),
        (then.after_step(MEASURED, "measure"), "build --setting B"),
        (then.after_step(ON_HOLD, "measure"), TRANSFERS),
        (then.after_step(NOTHING, "convert"), "status"),
        (then.after_build(BUILT, ["A", "B"]), "train --setting A --setting B"),
        (then.after_build(BUILT, ["C"]), "status"),
        (then.after_train(HALF_TRAINED, {"B": "B"}), "train --setting B --fold 1,2"),
        (then.after_train(HALF_TRAINED, {"B": "B-2d"}), "status"),
        (then.after_train(TRAINED, {"B": "B"}, CPU), "predict --setting B --device cpu"),
        (then.after_train(BUILT, {"B": "B"}), "status"),
        (then.after_predict(PREDICTED), "evaluate"),
        (then.after_predict(TRAINED), "status"),
        (then.after_evaluate(SCORED), FINDINGS),
        (then.after_evaluate(PREDICTED), "status"),
        (then.after_pictures(ON_HOLD), TRANSFERS),
        (then.after_pictures(BUILT), "train --setting A --setting B"),
        (then.after_accept(ON_HOLD), TRANSFERS),
        (then.after_accept(BUILT), "build --setting A --setting B"),
        (then.after_status(NOTHING), "add internal FOLDER"),
        (then.after_status(ADDED), "convert internal"),
        (then.after_status(ON_HOLD), TRANSFERS),
        (then.after_status(MEASURED), "build --setting B"),
        (then.after_status(BUILT), "train --setting A --setting B"),
        (then.after_status(TRAINED), "predict --setting B"),
        (then.after_status(PREDICTED), "evaluate"),
        (then.after_status(SCORED), FINDINGS),
    ],
)
def test_the_next_command_follows_from_where_the_study_stands(
    suggestion: Suggestion, command: str
) -> None:
    """What is done is not suggested again; what failed or waits comes before what follows."""
    assert suggestion.command == f"cta-data {command}"
    assert suggestion.purpose


def test_every_suggested_command_exists() -> None:
    """A function for a command bears the name of one, and `step` stands for each step."""
    names = {command.__name__ for command in COMMANDS} | set(MODEL_COMMANDS) | {"step"}
    functions: list[Callable[..., object]] = [
        own for name, own in vars(then).items() if name.startswith("after_")
    ]
    assert {one.__name__.removeprefix("after_") for one in functions} <= names


def test_every_command_stands_in_one_group_of_the_help() -> None:
    """Help leaves no command out of the order of work."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted({*grouped})
    commands = {command.__name__.replace("_", "-") for command in COMMANDS} | {
        "model",
        "edit",
        "export",
    }
    assert commands == set(grouped)


def test_the_standing_is_read_from_the_tables(tmp_path: Path) -> None:
    """Sessions on hold are not counted among those that stopped."""
    study = make_table_study(tmp_path / "study", sessions=4)
    first, second, *_ = [row.id for row in study.tables.rows(UnitRow) if row.step == "transfer"]
    changes = ((first, "on_hold"), (second, "lesions_lost"))
    study.tables.upsert(
        [UnitRow.of(unit, key="k", status="impossible", reason_code=code) for unit, code in changes]
    )
    found = standing_of(study)
    assert (found.done["convert"], found.done["transfer"]) == (4, 2)
    assert (found.on_hold, found.stopped) == (1, 1)
    assert found.built == ("A",)


def test_folds_that_are_not_trained_are_found(tmp_path: Path) -> None:
    """A model with one fold of two lacks the other; predictions are known by their units."""
    study: Study = make_light_study(tmp_path / "study", folds=2)
    for number in range(4):
        add_patient(study, "internal", f"{number:03d}", "NAQ" if number % 2 else "HAQ", number)
    build(study, "B")
    done = (UnitId("train", model="B", fold=0), UnitId("predict", model="B", test_set="susm"))
    study.tables.upsert([UnitRow.of(unit, key="k", status="ok") for unit in done])
    found = standing_of(study)
    assert found.untrained == {"B": (1,)}
    assert found.predicted == ("B",)
