"""Tables 2, 3, 4 and of segmentation: scores by test set, metric and model, beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from cta_data.evaluation.experiment.paper_order import PAIR, canonical, in_paper_order
from cta_data.evaluation.experiment.sets import ScoredSet
from cta_data.evaluation.published import published_scores
from cta_data.evaluation.scoring.summary import summarise
from cta_data.evaluation.statistics import (
    holm,
    mann_whitney_u,
    pair_scores,
    wilcoxon_signed_rank,
)

INTERNAL = ("MPRAGE", "SPACE")
INSTANCE = {"f1": "instance_f1", "ppv": "instance_ppv", "sensitivity": "instance_sensitivity"}
LESION_WISE = {
    "lesionwise_dice": "lesionwise_dsc",
    "lesionwise_ppv": "lesionwise_ppv",
    "lesionwise_sensitivity": "lesionwise_sensitivity",
}
TITLES = {
    "table_2": "Models A and B on the internal test sets",
    "table_3": "Models A and B on the external test sets",
    "table_4": "All models on the internal test sets: detection",
    "table_s1": "All models on the internal test sets: segmentation",
}
PRINTED = {"table_s1": "segmentation_space"}
STATISTICS = ("mean", "sd", "median", "q1", "q3")
ORDERS = {"table_2": ("SPACE", "MPRAGE"), "table_3": ("SUSM", "YNHH", "UMMC", "UKHD")}
"""Test sets of each table as the paper has them; of the others, `INTERNAL`."""


def score_table(
    sets: Sequence[ScoredSet], name: str, published: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one of the tables in long form.

    Parameters
    ----------
    sets
        Any models and test sets; those that the table is about are taken.
    name
        `table_2`, `table_3`, `table_4` or `table_s1`.
    published
        Published scores; without it, those of the paper.

    Returns
    -------
    pandas.DataFrame
        One row a test set, metric and model: n, n_undefined, n_not_scored (cases with a reference
        and without a score), mean, sd, median, q1, q3 (fractions), and the paper's of each as
        `published_…`. In tables 2 and 3 also the p-values of B against A: `wilcoxon_p` (paired,
        primary), `holm_p` (adjusted within the test set), `mann_whitney_p`, `n_pairs`, and
        `published_p_value`. NaN where there is none. Rows are ordered as in the paper: Table 4 by
        model and test set, the others by test set and metric.
    """
    printed = _as_fractions(published_scores() if published is None else published)
    printed = printed[printed["table"] == PRINTED.get(name, name)]
    chosen = [one for one in sets if _belongs(one, name)]
    metrics = {"table_4": INSTANCE, "table_s1": LESION_WISE}.get(name, INSTANCE | LESION_WISE)
    rows: list[dict[str, object]] = []
    for test_set in in_paper_order((one.test_set for one in chosen), ORDERS.get(name, INTERNAL)):
        mine = {one.model: one for one in chosen if one.test_set == test_set}
        tests = _tests(mine, list(metrics)) if name in ("table_2", "table_3") else {}
        for metric, paper_name in metrics.items():
            for model, one in mine.items():
                values = [getattr(case, metric) for case in one.scores.cases]
                row: dict[str, object] = {"test_set": test_set, "metric": metric, "model": model}
                row |= asdict(summarise(values))
                row["n_not_scored"] = len(one.reference_cases) - len(values)
                row |= _printed(printed, test_set, paper_name, model)
                row |= tests.get(metric, {})
                if name in ("table_2", "table_3"):
                    row["published_p_value"] = _value(
                        printed, test_set, paper_name, None, "p_value"
                    )
                rows.append(row)
    if name == "table_4":
        rows.sort(key=lambda row: str(row["model"]))  # stable: test sets and metrics keep theirs
    frame = pd.DataFrame(rows)
    return frame.astype({"n_pairs": "Int64"}) if "n_pairs" in frame else frame


def _belongs(one: ScoredSet, name: str) -> bool:
    internal = canonical(one.test_set) in INTERNAL
    if name == "table_3":
        return not internal and one.model in PAIR
    return internal and (one.model in PAIR or name in ("table_4", "table_s1"))


def _tests(sets: dict[str, ScoredSet], metrics: list[str]) -> dict[str, dict[str, float]]:
    """P-values of B against A, over cases that both have."""
    if not set(PAIR) <= set(sets):
        return {}
    values = {model: {c.case: c for c in sets[model].scores.cases} for model in PAIR}
    cases = sorted(values["A"].keys() & values["B"].keys())
    found = {}
    for metric in metrics:
        a, b = ([getattr(values[model][case], metric) for case in cases] for model in PAIR)
        pairs = pair_scores(a, b)
        signed = wilcoxon_signed_rank(pairs.differences, resolution=pairs.resolution)
        found[metric] = {
            "n_pairs": float(len(pairs.differences)),
            "wilcoxon_p": signed.p_value,
            "mann_whitney_p": mann_whitney_u(pairs.a, pairs.b).p_value,
        }
    adjusted = holm([found[metric]["wilcoxon_p"] for metric in metrics])
    return {m: found[m] | {"holm_p": p} for m, p in zip(metrics, adjusted, strict=True)}


def _printed(printed: pd.DataFrame, test_set: str, metric: str, model: str) -> dict[str, float]:
    return {
        f"published_{statistic}": _value(printed, test_set, metric, model, statistic)
        for statistic in STATISTICS
    }


def _value(
    printed: pd.DataFrame, test_set: str, metric: str, model: str | None, statistic: str
) -> float:
    rows = printed[
        (printed["test_set"] == canonical(test_set))
        & (printed["metric"] == metric)
        & (printed["statistic"] == statistic)
        & (printed["model"].isna() if model is None else printed["model"] == model)
    ]
    return float(rows["value"].iloc[0]) if len(rows) else math.nan


def _as_fractions(published: pd.DataFrame) -> pd.DataFrame:
    percent = published["unit"] == "percent"
    value = published["value"].where(~percent, published["value"] / 100)
    return published.assign(value=value)
