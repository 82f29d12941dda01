"""Scores of models with what readers said of their findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cta_data.engine.acceptance import FINDING, UNCERTAIN
from cta_data.review.decision_agreement import RESAMPLING
from cta_data.review.finding_items import sessions_by_case
from cta_data.review.sitting import content_key_now
from cta_data.review.worklist import Asked
from cta_data.scoring.audited import METASTASIS
from cta_data.scoring.reread import (
    FALSE,
    MISSED,
    CorrectedScores,
    ReadFinding,
    corrected_scores,
)
from cta_data.scoring.statistics import Interval
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow, LesionScoreRow

Key = tuple[str, ...]


@dataclass(frozen=True)
class RereadScores:
    """Scores of a model on a test set, as scored and after readers looked again.

    `blinded` tells whether every decision that counts was blinded.
    """

    model: str
    test_set: str
    scores: CorrectedScores
    blinded: bool

    def as_dict(self) -> dict[str, object]:
        """Return it as plain JSON content."""
        scores = self.scores
        return {
            "model": self.model,
            "test_set": self.test_set,
            "basis": scores.basis,
            "blinded": self.blinded,
            "n": scores.n,
            "n_read": scores.n_read,
            "ppv": scores.ppv,
            "sensitivity": scores.sensitivity,
            "corrected_ppv": _plain(scores.corrected_ppv),
            "corrected_sensitivity": _plain(scores.corrected_sensitivity),
        }

    def cells(self) -> tuple[str, ...]:
        """Return it as the cells of a row."""
        scores = self.scores
        read = ", ".join(f"{scores.n_read[s]} of {scores.n[s]} {s}" for s in scores.n)
        return (
            *(self.test_set, self.model, read),
            *(_number(scores.ppv), _in_words(scores.corrected_ppv)),
            *(_number(scores.sensitivity), _in_words(scores.corrected_sensitivity)),
            scores.basis + ("" if self.blinded else "; not blinded"),
        )


def reread_scores(study: Study, asked: Asked) -> list[RereadScores]:
    """Return the scores of every model and test set with a finding that somebody read.

    What readers do not agree about, or call uncertain, stays as it was scored. Decisions that are
    void do not count.
    """
    said = _said(study, asked.convention)
    sessions = sessions_by_case(study)
    rows: dict[tuple[str, str], list[LesionScoreRow]] = {}
    for row in study.tables.rows(LesionScoreRow):
        if row.convention == asked.convention and row.case in sessions:
            rows.setdefault((row.test_set, row.model), []).append(row)
    missed = _missed_items([row for own in rows.values() for row in own])
    return [
        RereadScores(
            model,
            test_set,
            corrected_scores(list(_findings(own, said, missed, sessions)), RESAMPLING),
            all(one.blinded for row in own for one in said.get(_key(row, missed), [])),
        )
        for (test_set, model), own in sorted(rows.items())
        if any(_key(row, missed) in said for row in own)
    ]


def _said(study: Study, convention: str) -> dict[Key, list[DecisionRow]]:
    """Return the valid decisions about findings, by what they are about."""
    found: dict[Key, list[DecisionRow]] = {}
    for row in study.tables.rows(DecisionRow):
        if row.kind != FINDING or row.convention != convention:
            continue
        if content_key_now(study, row) == row.content_key:
            lesions = (str(row.reference_lesion), str(row.predicted_lesion))
            found.setdefault((row.test_set, row.model, row.case, *lesions), []).append(row)
    return found


def _missed_items(rows: list[LesionScoreRow]) -> dict[Key, str]:
    """Return the model under whose name a missed lesion is read: the first that missed it."""
    first: dict[Key, str] = {}
    for row in sorted(rows, key=lambda one: one.model):
        if row.status == MISSED:
            first.setdefault(_reference(row), row.model)
    return first


def _reference(row: LesionScoreRow) -> Key:
    return row.test_set, row.technique or "", row.case, str(row.reference_lesion)


def _key(row: LesionScoreRow, missed: dict[Key, str]) -> Key:
    if row.status == MISSED:
        model = missed[_reference(row)]
        return row.test_set, model, row.case, str(row.reference_lesion), "0"
    lesions = (str(row.reference_lesion), str(row.predicted_lesion))
    return (row.test_set, row.model, row.case, *lesions)


def _findings(
    rows: list[LesionScoreRow],
    said: dict[Key, list[DecisionRow]],
    missed: dict[Key, str],
    sessions: Mapping[str, SessionId],
) -> Iterator[ReadFinding]:
    for row in rows:
        verdicts = [one.verdict for one in said.get(_key(row, missed), [])]
        patient = str(sessions[row.case].patient)
        yield ReadFinding(patient, row.status, _is_metastasis(row.status, verdicts))


def _is_metastasis(status: str, verdicts: list[str]) -> bool | None:
    """Return what all readers say; what was scored where they do not agree; None unread."""
    if not verdicts:
        return None
    calls = {verdict == METASTASIS for verdict in verdicts}
    if len(calls) == 1 and UNCERTAIN not in verdicts:
        return calls.pop()
    return status != FALSE


def _plain(found: Interval | None) -> dict[str, object] | None:
    return None if found is None else dict(vars(found))


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"


def _in_words(found: Interval | None) -> str:
    if found is None:
        return ""
    if math.isnan(found.low):
        return _number(found.estimate)
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
