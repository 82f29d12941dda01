"""What a revision of annotations changed: the same predictions, scored before and after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import pandas as pd

from cta_data.processes import open_workers
from cta_data.scoring import Convention
from cta_data.scoring.collection import Scores, score_pairs
from cta_data.scoring.comparison import ScoreComparison, compare_scores
from cta_data.scoring.models.predictions import Earlier
from cta_data.scoring.models.sets import ABOUT, ScoredSet
from cta_data.scoring.output import COUNTS, case_frame
from cta_data.scoring.summary import METRICS


@dataclass(frozen=True)
class RevisedSet:
    """One model on one test set, before and after annotations were revised.

    Attributes
    ----------
    now
        All its scores.
    before
        Scores of the revised cases against their earlier annotations.
    annotations
        Names of the annotation before and now, by case.
    """

    now: ScoredSet
    before: Scores
    annotations: Mapping[str, tuple[str, str]]

    @property
    def name(self) -> str:
        """Name for people."""
        return self.now.name

    @property
    def missing(self) -> list[str]:
        """Revised cases that could not be scored before the revision, a line each."""
        return [f"{self.name}, before: {case}: {why}" for case, why in self.before.failed]

    def values(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return counts and metrics of all cases that are scored on both sides: before and now.

        Cases that were not revised have the same values on both.
        """
        failed = [case for case, _ in self.before.failed]  # now as well, where the mask is damaged
        now = _values(self.now.scores).drop(index=failed, errors="ignore")
        before = now.copy()
        own = _values(self.before)
        own = own.loc[own.index.intersection(now.index)]
        before.loc[own.index] = own
        return before, now

    def comparison(self) -> ScoreComparison:
        """Return the metrics now against those before, over all cases of the set."""
        return compare_scores(*self.values(), METRICS)

    def totals(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name of each count with its sum before and now."""
        before, now = self.values()
        yield from ((name, int(before[name].sum()), int(now[name].sum())) for name in COUNTS)


def _values(scores: Scores) -> pd.DataFrame:
    frame = case_frame(scores).set_index("case")[[*COUNTS, *METRICS]]
    return frame.astype("float64")


def score_earlier(
    earlier: Earlier,
    scored: Sequence[ScoredSet],
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> list[RevisedSet]:
    """Score revised cases against their earlier annotations.

    Parameters
    ----------
    scored
        The sets as they are scored now.
    note
        Takes a line of progress.
    """
    by_name = {one.name: one for one in scored}
    revised = []
    with open_workers(jobs) as workers:
        for one in earlier.sets:
            now = by_name.get(one.predicted.name)
            if now is None:
                continue
            before = score_pairs(one.predicted.pairing, convention, workers=workers)
            revised.append(RevisedSet(now, before, one.annotations))
            note(f"scored before the revision: {now.name}: {len(before.cases)} cases")
    return revised


def revised_cases(revised: Sequence[RevisedSet]) -> pd.DataFrame:
    """Return the revised cases: one row a count or metric of a case.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, model, technique, cohort, subject, session, case, annotation_before,
        annotation, metric, before, now and difference (now - before; NaN where one is undefined).
    """
    rows = [row for one in revised for row in _case_rows(one)]
    columns = (*ABOUT, "case", "annotation_before", "annotation", "metric", "before", "now")
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.assign(difference=frame["now"] - frame["before"])


def _case_rows(one: RevisedSet) -> Iterator[tuple[object, ...]]:
    before, now = one.values()
    for case, names in sorted(one.annotations.items()):
        if case in now.index:
            whose = one.now.patients.get(case, (None, None, None))
            about = (one.now.test_set, one.now.model, one.now.technique or None, *whose, case)
            for metric in now.columns:
                values = (before.loc[case, metric], now.loc[case, metric])
                yield (*about, *names, metric, *values)


@dataclass(frozen=True)
class RevisionRow:
    """A metric or count of one model on one test set, before and after annotations were revised.

    Attributes
    ----------
    n, n_revised
        Cases that are scored on both sides, and how many of them were revised.
    before, now
        A metric's mean over cases where it is defined on both sides; a count's sum.
    low, high
        95 % bootstrap interval, over cases, of a metric's mean difference; NaN for counts.
    """

    test_set: str
    model: str
    n: int
    n_revised: int
    metric: str
    before: float
    now: float
    difference: float
    low: float = math.nan
    high: float = math.nan

    @property
    def is_count(self) -> bool:
        """Whether it is a sum over cases."""
        return self.metric in COUNTS


def revision_rows(revised: Sequence[RevisedSet]) -> list[RevisionRow]:
    """Return what a revision changed over whole sets."""
    return [row for one in revised for row in _rows(one)]


def _rows(one: RevisedSet) -> Iterator[RevisionRow]:
    made = one.comparison()
    row = partial(RevisionRow, one.now.test_set, one.now.model, made.n_cases, len(one.before.cases))
    for m in made.metrics:
        interval = (m.mean_difference_low, m.mean_difference_high)
        yield row(m.metric, m.mean_a, m.mean_b, m.mean_difference, *interval)
    for name, before, now in one.totals():
        yield row(name, before, now, now - before)


def revision_frame(rows: Sequence[RevisionRow]) -> pd.DataFrame:
    """Return one row a metric or count; columns are the attributes of `RevisionRow`."""
    return pd.DataFrame([asdict(one) for one in rows])
