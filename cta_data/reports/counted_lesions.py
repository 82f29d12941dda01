"""The lesions that reports count: those of the annotation by which a session is judged."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from cta_data.reasons import Reason
from cta_data.study.annotations import CONSENSUS, CURRENT, choose_annotation
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow

KEY = ("cohort", "subject", "session", "annotation")


def counted_lesions(study: Study) -> pd.DataFrame:
    """Return the rows of the table `lesions` that count.

    Of several annotations of one quality of a session those of one count: the one that `evaluation`
    of study.toml names. Where it names none of them, the first by name counts that is current,
    and a consensus only where there is no other.
    """
    lesions = study.lesions()
    counted: set[tuple[str, ...]] = set()
    for session, found in _by_session(study).items():
        for quality in {one.quality for one in found if one.quality}:
            chosen = choose_annotation(found, quality, study.configuration.evaluation)
            names = (
                [chosen.annotation] if not isinstance(chosen, Reason) else _current(found, quality)
            )
            counted.update((*session, name) for name in names[:1])
    keys = zip(*(lesions[name] for name in KEY), strict=True)
    is_counted = pd.Series([key in counted for key in keys], lesions.index, dtype=bool)
    return lesions[is_counted].reset_index(drop=True)


def _current(found: Iterable[AnnotationRow], quality: str) -> list[str]:
    """Return the names of the current annotations of a quality, in order, a consensus last."""
    own = [one for one in found if (one.quality, one.status) == (quality, CURRENT)]
    own.sort(key=lambda one: (one.origin == CONSENSUS, one.annotation))
    return [one.annotation for one in own]


def _by_session(study: Study) -> dict[SessionId, list[AnnotationRow]]:
    found: dict[SessionId, list[AnnotationRow]] = {}
    for row in study.tables.rows(AnnotationRow):
        found.setdefault(row.session, []).append(row)
    return found
