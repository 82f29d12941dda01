"""Surface distances of the cases and of the detected lesions of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.statistics import cluster_mean_interval
from cta_data.scoring.summary import summarise
from cta_data.scoring.surfaces import DISTANCES, SurfaceDistances

OF_LESIONS, OF_CASES = "detected lesions", "whole masks"
Measured = tuple[str, SurfaceDistances]
"""Patient, and the distances of a lesion or case of theirs."""


def surface_figures(sets: Sequence[ScoredSet]) -> pd.DataFrame:
    """Return the distances of each model and test set.

    Returns
    -------
    pandas.DataFrame
        One row per test set, model, `of` (`detected lesions` or `whole masks`) and measure: n,
        n_undefined (cases with an empty mask), patients, mean with `cluster_low` and `cluster_high`
        (95 %, patients resampled), sd, median, q1, q3.
    """
    rows = [
        {"test_set": one.test_set, "model": one.model, "of": of, **_row(name, measured)}
        for one in sets
        for of, measured in ((OF_LESIONS, list(_lesions(one))), (OF_CASES, list(_cases(one))))
        for name in (DISTANCES if measured else ())
    ]
    return pd.DataFrame(rows)


def _lesions(one: ScoredSet) -> Iterator[Measured]:
    for case in one.scores.cases:
        for pair in case.pairs:
            if pair.detected and pair.surface:
                yield one.patient_of(case.case), pair.surface


def _cases(one: ScoredSet) -> Iterator[Measured]:
    for case in one.scores.cases:
        if case.surface:
            yield one.patient_of(case.case), case.surface


def _row(name: str, measured: Sequence[Measured]) -> dict[str, object]:
    values = [getattr(surface, name) for _, surface in measured]
    known = [(who, v) for (who, _), v in zip(measured, values, strict=True) if v == v]
    told = summarise(values)
    interval = cluster_mean_interval([v for _, v in known], [who for who, _ in known])
    return {
        "measure": name,
        "n": told.n,
        "n_undefined": told.n_undefined,
        "patients": len({who for who, _ in known}),
        "mean": told.mean,
        "cluster_low": interval.low,
        "cluster_high": interval.high,
        "sd": told.sd,
        "median": told.median,
        "q1": told.q1,
        "q3": told.q3,
    }
