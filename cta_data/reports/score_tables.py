"""The scores of an evaluation as rows of the study's tables `scores` and `score_lesions`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cta_data.scoring.case import CaseScore
from cta_data.scoring.models import ScoredSet
from cta_data.scoring.output import COUNTS, ScoredLesion, scored_lesions
from cta_data.scoring.summary import METRICS
from cta_data.scoring.surfaces import DISTANCES, NOTHING
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import CaseScoreRow, LesionScoreRow

FILES = tuple(layout.table(of.TABLE) for of in (CaseScoreRow, LesionScoreRow))
"""Where both tables lie, from the top of the study."""


def tabulate_scores(study: Study, convention: str, sets: Iterable[ScoredSet]) -> None:
    """Put all scores by a convention in the place of those of an earlier evaluation."""
    scored = [(one, case) for one in sets for case in one.scores.cases]
    cases = [_case_row(convention, one, case) for one, case in scored]
    lesions = [row for one, case in scored for row in _lesion_rows(convention, one, case)]
    study.tables.replace(CaseScoreRow, ("convention",), {(convention,)}, cases)
    study.tables.replace(LesionScoreRow, ("convention",), {(convention,)}, lesions)
    study.tables.flush()


def _case_row(convention: str, one: ScoredSet, case: CaseScore) -> CaseScoreRow:
    return CaseScoreRow(
        convention=convention,
        model=one.model,
        test_set=one.test_set,
        case=case.case,
        session=_session(one, case),
        technique=one.technique or None,
        **{name: getattr(case, name) for name in (*COUNTS, *METRICS)},
        **{name: getattr(case.surface or NOTHING, name) for name in DISTANCES},
    )


def _lesion_rows(convention: str, one: ScoredSet, case: CaseScore) -> Iterator[LesionScoreRow]:
    for lesion in scored_lesions(case):
        yield LesionScoreRow(
            convention=convention,
            model=one.model,
            test_set=one.test_set,
            case=case.case,
            reference_lesion=lesion.reference_lesion or 0,
            predicted_lesion=lesion.predicted_lesion or 0,
            session=_session(one, case),
            technique=one.technique or None,
            **{name: getattr(lesion, name) for name in MEASURED},
            **{name: getattr(lesion.surface or NOTHING, name) for name in DISTANCES},
        )


MEASURED = tuple(
    name
    for name in ScoredLesion.__dataclass_fields__
    if name not in ("case", "reference_lesion", "predicted_lesion", "surface")
)
"""What both a scored lesion and its row tell under one name."""


def _session(one: ScoredSet, case: CaseScore) -> SessionId | None:
    """Return whose case it is; None of masks of elsewhere."""
    known = one.patients.get(case.case)
    return SessionId(*known) if known else None
