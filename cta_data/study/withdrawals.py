"""What has to be known of builds and models that held patients who withdrew consent."""

from __future__ import annotations

from collections.abc import Iterator

from cta_data.files import read_json_object
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow, WithdrawalRow

MARK = "withdrawn"
"""Field of build.json and of a model's card: withdrawals of patients that it holds, or learnt."""


def withdrawal_notes(study: Study) -> list[str]:
    """Return a line for each build and each model that held a patient who withdrew consent.

    A build is made without the patient by the next `build` or `train`; a model by `train`.
    """
    dates = {row.withdrawal: row.withdrawn_on for row in study.tables.rows(WithdrawalRow)}
    return [*_builds(study), *_models(study, dates)] if dates else []


def _builds(study: Study) -> Iterator[str]:
    for path in sorted((study.root / layout.BUILDS).glob(f"*/{layout.BUILD_RECORD}")):
        content = read_json_object(path)
        marks = content.get(MARK, ())
        if marks:
            told = f"build {content['setting']} held {_patients(len(marks))}"
            days = ", ".join(sorted({str(mark["withdrawn_on"]) for mark in marks}))
            remedy = f"`cta-data build --setting {content['setting']}` makes it without"
            yield f"{told} ({days}); {remedy}"


def _models(study: Study, dates: dict[str, str]) -> Iterator[str]:
    folds: dict[str, list[ModelFoldRow]] = {}
    for row in study.tables.rows(ModelFoldRow):
        if row.withdrawals:
            folds.setdefault(row.model, []).append(row)
    for model, rows in sorted(folds.items()):
        marks = {mark for row in rows for mark in row.withdrawals or ()}
        numbers = ", ".join(str(number) for number in sorted(row.fold for row in rows))
        days = ", ".join(sorted({dates.get(mark, "date unknown") for mark in marks}))
        told = f"model {model}, fold {numbers}, was trained on {_patients(len(marks))} ({days})"
        yield f"{told}; `cta-data train --setting {rows[0].setting}` trains it without"


def _patients(number: int) -> str:
    return (
        "1 patient who withdrew consent"
        if number == 1
        else (f"{number} patients who withdrew consent")
    )
