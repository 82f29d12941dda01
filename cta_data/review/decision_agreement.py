"""Readers who decided about the same: how often they agree, and what they have to discuss."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cta_data.review.items import KINDS, about_key, two_annotations
from cta_data.review.sitting import content_key_now
from cta_data.review.worklist import Asked
from cta_data.scoring.agreement.figures import Resampling, kappa_of_categories, sums_by_patient
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow

RESAMPLING = Resampling(confidence=0.95, resamples=2000, seed=0)


@dataclass(frozen=True)
class KindAgreement:
    """Two readers on the items of one kind that both decided about.

    Attributes
    ----------
    kappa, low, high
        Cohen's κ over all verdicts, unweighted, with its interval; whole patients are resampled.
        NaN where both gave all items one and the same verdict.
    to_discuss
        Where they differ, in words.
    """

    kind: str
    first: str
    second: str
    n: int
    n_equal: int
    kappa: float
    low: float
    high: float
    to_discuss: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it as plain JSON content."""
        return vars(self) | {"to_discuss": list(self.to_discuss)}

    def cells(self) -> tuple[str, ...]:
        """Return it as the cells of a row."""
        share = f"{self.n_equal} ({100 * self.n_equal / self.n:.0f} %)"
        if math.isnan(self.kappa):
            return (self.kind, f"{self.first}, {self.second}", str(self.n), share, "undefined", "")
        # Patients are resampled: one patient alone has no interval.
        defined = not math.isnan(self.low)
        interval = f"{self.low:.2f} to {self.high:.2f}" if defined else "undefined"
        kappa = f"{self.kappa:.2f}"
        return (self.kind, f"{self.first}, {self.second}", str(self.n), share, kappa, interval)


def agreement_of(study: Study, asked: Asked) -> list[KindAgreement]:
    """Compare each two readers on what both decided about; void decisions do not count."""
    chosen = {kind for name, kind in KINDS.items() if asked.of in ("", name)}
    said: dict[str, dict[str, dict[tuple[object, ...], DecisionRow]]] = {}
    for row in study.tables.rows(DecisionRow):
        if row.kind not in chosen or not _asked(asked, row):
            continue
        if content_key_now(study, row) == row.content_key:
            said.setdefault(row.kind, {}).setdefault(row.reader, {})[about_key(row)] = row
    return [one for kind in sorted(said) for one in _pairs(kind, said[kind])]


def _asked(asked: Asked, row: DecisionRow) -> bool:
    if row.convention not in ("", asked.convention):
        return False
    if row.session is None:
        return not asked.selection.cohorts and not asked.selection.subjects
    cohorts = asked.selection.cohorts
    known = not cohorts or row.session.cohort in cohorts
    return known and asked.selection.takes(*row.session.patient)


def _pairs(
    kind: str, said: dict[str, dict[tuple[object, ...], DecisionRow]]
) -> Iterator[KindAgreement]:
    for first, second in combinations(sorted(said), 2):
        both = sorted(said[first].keys() & said[second].keys(), key=str)
        if both:
            pairs = [(said[first][key], said[second][key]) for key in both]
            yield _compare(kind, pairs)


def _compare(kind: str, pairs: list[tuple[DecisionRow, DecisionRow]]) -> KindAgreement:
    verdicts = sorted({row.verdict for pair in pairs for row in pair})
    rows = np.zeros((len(pairs), len(verdicts) ** 2))
    for place, (one, other) in enumerate(pairs):
        cell = verdicts.index(one.verdict) * len(verdicts) + verdicts.index(other.verdict)
        rows[place, cell] = 1
    patients = [_patient(one) for one, _ in pairs]
    kappa = kappa_of_categories(sums_by_patient(rows, patients), RESAMPLING)
    equal = Counter(one.verdict == other.verdict for one, other in pairs)[True]
    differ = tuple(
        f"{_name(one)}: {_said(one)}, {_said(other)}"
        for one, other in pairs
        if (one.verdict, one.preferred) != (other.verdict, other.preferred)
    )
    return KindAgreement(
        *(kind, pairs[0][0].reader, pairs[0][1].reader, len(pairs), equal),
        *(kappa.estimate, kappa.low, kappa.high, differ),
    )


def _said(row: DecisionRow) -> str:
    right = f" ({row.preferred} is right)" if row.preferred else ""
    return f"{row.reader} {row.verdict}{right}"


def _patient(row: DecisionRow) -> str:
    return str(row.session.patient) if row.session else row.case


def _name(row: DecisionRow) -> str:
    """Return what a decision is about, in words."""
    if row.case:
        number = row.predicted_lesion or row.reference_lesion
        kind = "lesion" if row.predicted_lesion else "missed lesion"
        return f"{row.test_set}, model {row.model}, {row.case}, {kind} {number}"
    if row.step:
        return f"{row.step} of {row.session}"
    return two_annotations(row)
