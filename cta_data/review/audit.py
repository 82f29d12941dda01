"""Audit: false positives of a study's evaluation, and what readers say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from cta_data.engine.acceptance import FINDING
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.reports.home import write_home
from cta_data.review.finding_items import prediction_key, sessions_by_case
from cta_data.review.numbering import numbered
from cta_data.scoring.audited import KEY, VERDICTS, false_lesions
from cta_data.scoring.conventions import convention_named
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import CaseScoreRow, DecisionRow, LesionScoreRow
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.provenance import commit_run


@dataclass(frozen=True)
class FalseLesion:
    """One false lesion of a prediction."""

    test_set: str
    model: str
    case: str
    predicted_lesion: int

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.test_set}, model {self.model}, {self.case}, lesion {self.predicted_lesion}"


@dataclass(frozen=True)
class ReaderVerdict:
    """What a reader says of a false lesion; `decided_on` is a day, YYYY-MM-DD."""

    verdict: str
    reader: str
    decided_on: str
    note: str = ""


def audited(study: Study, convention: str) -> pd.DataFrame:
    """Return every false lesion of an evaluation with the verdict that holds.

    Raises
    ------
    ConfigurationError
        The study was not evaluated by this convention.
    """
    return false_lesions(_lesions(study, convention), valid_audits(study, convention))


def evaluated_cases(study: Study, convention: str) -> pd.DataFrame:
    """Return the scored cases of an evaluation.

    Raises
    ------
    ConfigurationError
        The study was not evaluated by this convention.
    """
    return _evaluated(study, convention, CaseScoreRow.TABLE)


def valid_audits(study: Study, convention: str) -> pd.DataFrame:
    """Return the verdicts by a convention whose prediction is still the one that was looked at."""
    rows = study.decisions().query("kind == @FINDING and convention == @convention")
    rows = rows[(rows["reference_lesion"] == 0) & (rows["predicted_lesion"] > 0)]
    kept = [
        row["content_key"] == prediction_key(study, row["model"], row["test_set"], row["case"])
        for row in rows.to_dict("records")
    ]
    valid = rows.loc[kept].rename(columns={"reason": "note"})
    return valid.astype({"predicted_lesion": "int64"})


def judge(
    study: Study,
    lesion: FalseLesion,
    reading: ReaderVerdict,
    convention: str,
    command: Iterable[str],
    *,
    commit: bool = True,
) -> bool:
    """Write a verdict into `decisions` and commit it; tell whether there is such a lesion.

    A reader's later verdict replaces that reader's earlier one, and nobody else's. It is about one
    mask: its key is known from git, whether or not its content is here.

    Parameters
    ----------
    command
        Command line that is recorded for `datalad rerun`.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    ConfigurationError
        The verdict is none of those known, there is no reader, or the study was not evaluated.
    DataRefused
        The predicted mask is not in the study, so that nobody could say what was looked at.
    NotAvailable
        The predictions' dataset cannot be installed here.
    CtaError
        Another command works on the study, or the commit failed.
    """
    _require_complete(reading)
    if commit:
        require_identity(study.root)
    with study_lock(study):
        known = _lesions(study, convention)
        wanted = [known[name] == getattr(lesion, name) for name in KEY]
        rows = known[(known["status"] == "false") & wanted[0] & wanted[1] & wanted[2] & wanted[3]]
        if rows.empty:
            return False
        row = _decision(study, lesion, reading, convention)
        study.tables.upsert([numbered(study.tables, row)])
        study.tables.flush()
        write_home(study)
        if commit:
            told = f"cta-data audit: {lesion.name}: {reading.verdict}, by {reading.reader}"
            read = _read_for(study, lesion)
            paths = [layout.HOME, layout.MANIFESTS]
            commit_run(study.root, list(command), told, paths, 0, inputs=read)
    return True


def _decision(
    study: Study, lesion: FalseLesion, reading: ReaderVerdict, convention: str
) -> DecisionRow:
    key = prediction_key(study, lesion.model, lesion.test_set, lesion.case)
    if key is None:
        raise DataRefused("prediction_not_in_study", where=lesion.name)
    return DecisionRow(
        kind=FINDING,
        session=sessions_by_case(study).get(lesion.case),
        convention=convention,
        **vars(lesion),
        verdict=reading.verdict,
        reader=reading.reader,
        decided_on=reading.decided_on,
        reason=reading.note or None,
        content_key=key,
        blinded=False,
    )


def _require_complete(reading: ReaderVerdict) -> None:
    """Refuse a verdict that is none of those known, or is nobody's."""
    if reading.verdict not in VERDICTS:
        raise ConfigurationError(
            "verdict_unknown", verdict=reading.verdict, verdicts=tuple(VERDICTS)
        )
    if not reading.reader.strip():
        raise ConfigurationError("verdict_reader_missing")


def _read_for(study: Study, lesion: FalseLesion) -> list[str]:
    """Return what a verdict rests on: the scores, and the record that lies beside the mask."""
    record = layout.prediction_record(lesion.model, lesion.test_set)
    paths = [layout.table(LesionScoreRow.TABLE), record]
    return [path for path in paths if (study.root / path).exists()]


def _lesions(study: Study, convention: str) -> pd.DataFrame:
    return _evaluated(study, convention, LesionScoreRow.TABLE)


def _evaluated(study: Study, convention: str, table: str) -> pd.DataFrame:
    """Return the rows of a table of scores by a convention, in the order of sets and cases."""
    name = convention_named(convention).name
    scores = study.scores()
    if name not in set(scores["convention"]):
        raise ConfigurationError(
            "convention_not_evaluated",
            where=study.root / layout.table(CaseScoreRow.TABLE),
            convention=convention,
        )
    rows = scores if table == CaseScoreRow.TABLE else study.table(table)
    chosen = rows[rows["convention"] == name].sort_values(KEY[:3], kind="stable")
    # Whose masks of elsewhere are is not known.
    return chosen.assign(**{one: chosen[one].replace("", pd.NA) for one in SessionId._fields})
