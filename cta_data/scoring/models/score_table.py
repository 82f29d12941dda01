"""Tables 2, 3, 4 and S1: scores by test set, metric and model, beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import (
    ALL_SETS,
    EXTERNAL,
    INTERNAL,
    PAIR,
    in_paper_order,
    printed_name,
    published_scores,
)
from cta_data.scoring.statistics import holm, mann_whitney_u, pair_scores, wilcoxon_signed_rank
from cta_data.scoring.summary import Summary, summarise

INSTANCE = {"f1": "instance_f1", "ppv": "instance_ppv", "sensitivity": "instance_sensitivity"}
LESION_WISE = {
    "lesionwise_dice": "lesionwise_dsc",
    "lesionwise_ppv": "lesionwise_ppv",
    "lesionwise_sensitivity": "lesionwise_sensitivity",
}
FURTHER = "table_further"


@dataclass(frozen=True)
class TablePlan:
    """What a table of the paper is about.

    Attributes
    ----------
    test_sets
        As the paper names them.
    metrics
        Ours, with the paper's name of each.
    tests
        Whether B is tested against A.
    published
        Name of the published scores; empty where the paper's are not available.
    """

    title: str
    test_sets: tuple[str, ...]
    models: tuple[str, ...]
    metrics: Mapping[str, str]
    tests: bool = False
    published: str = ""

    def has(self, one: ScoredSet) -> bool:
        """Return whether the paper has this model on this test set in the table."""
        named = printed_name(one.test_set) in self.test_sets and one.model in self.models
        return named and one.as_published


PAPER_TABLES = {
    "table_2": TablePlan(
        "Models A and B on the internal test sets",
        ("SPACE", "MPRAGE"),
        PAIR,
        INSTANCE | LESION_WISE,
        tests=True,
        published="table_2",
    ),
    "table_3": TablePlan(
        "Models A and B on the external test sets",
        EXTERNAL,
        PAIR,
        INSTANCE | LESION_WISE,
        tests=True,
        published="table_3",
    ),
    "table_4": TablePlan(
        "Models A, B and C on the internal test sets: detection",
        INTERNAL,
        ("A", "B", "C"),
        INSTANCE,
        published="table_4",
    ),
    "table_s1": TablePlan(
        "Models A, B, C and D on the internal test sets: detection",
        INTERNAL,
        ("A", "B", "C", "D"),
        INSTANCE,
    ),
    "table_segmentation": TablePlan(
        "Models A, B and C on the SPACE test set: segmentation",
        ("SPACE",),
        ("A", "B", "C"),
        LESION_WISE,
        published="segmentation_space",
    ),
}
TITLES = {name: plan.title for name, plan in PAPER_TABLES.items()} | {
    FURTHER: "Models, test sets and rules that the paper does not have"
}


@dataclass(frozen=True)
class PairedTest:
    """P-values of B against A; see `score_table`. Missing and NaN where they were not both run."""

    n_pairs: int | None = None
    wilcoxon_p: float = math.nan
    mann_whitney_p: float = math.nan
    holm_p: float = math.nan


@dataclass(frozen=True)
class PublishedScore:
    """What the paper prints of a score, as fractions; NaN where it prints nothing."""

    mean: float
    sd: float
    median: float
    q1: float
    q3: float


@dataclass(frozen=True)
class ScoreRow:
    """A metric of one model on one test set; see `score_table`.

    `published` is missing where the paper's table is not available, `test` where none is made, and
    `published_p_value` where either is.
    """

    test_set: str
    printed_as: str | None
    metric: str
    model: str
    technique: str | None
    summary: Summary
    n_not_scored: int
    published: PublishedScore | None
    published_p_value: float | None
    test: PairedTest | None

    def columns(self) -> dict[str, object]:
        """Return the row's values by the names of the table's columns."""
        about = ("test_set", "printed_as", "metric", "model", "technique")
        values = {name: getattr(self, name) for name in about} | asdict(self.summary)
        values["n_not_scored"] = self.n_not_scored
        if self.published:
            printed = asdict(self.published)
            values |= {f"published_{name}": value for name, value in printed.items()}
        if self.published_p_value is not None:
            values["published_p_value"] = self.published_p_value
        return values | (asdict(self.test) if self.test else {})


def score_rows(
    sets: Sequence[ScoredSet], name: str, published: pd.DataFrame | None = None
) -> list[ScoreRow]:
    """Return the rows of one of the tables; see `score_table`."""
    if name == FURTHER:
        chosen = [s for s in sets if not any(plan.has(s) for plan in PAPER_TABLES.values())]
        plan = TablePlan(TITLES[FURTHER], ALL_SETS, (), INSTANCE | LESION_WISE, tests=True)
    else:
        plan = PAPER_TABLES[name]
        chosen = [one for one in sets if plan.has(one)]
    printed = _as_fractions(published_scores() if published is None else published)
    printed = printed[printed["table"] == plan.published]
    return [
        row
        for test_set in in_paper_order(one.test_set for one in chosen)
        for row in _rows(plan, [s for s in chosen if s.test_set == test_set], printed)
    ]


def score_frame(rows: Sequence[ScoreRow]) -> pd.DataFrame:
    """Return rows of one table as a DataFrame."""
    frame = pd.DataFrame([row.columns() for row in rows])
    return frame.astype({"n_pairs": "Int64"}) if "n_pairs" in frame else frame


def score_table(
    sets: Sequence[ScoredSet], name: str, published: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one of the tables in long form.

    Parameters
    ----------
    sets
        Any models and test sets; those that the table is about are taken.
    name
        One of `TITLES`. `table_further` has every model and test set that no other table has.
    published
        Published scores; without it, those of the paper.

    Returns
    -------
    pandas.DataFrame
        One row per test set, metric and model: technique (of the images that the model read),
        printed_as (the paper's name of the test set, missing where it has none), n, n_undefined,
        n_not_scored (cases with a reference and without a score), mean, sd, median, q1, q3
        (fractions), and the paper's of each as `published_…` where the paper's are available. Where
        models are tested, also the p-values of B against A: `wilcoxon_p` (paired, primary),
        `holm_p` (adjusted within the test set), `mann_whitney_p`, `n_pairs`, and
        `published_p_value`. NaN where there is none. Rows are ordered by test set, metric and
        model.
    """
    return score_frame(score_rows(sets, name, published))


def _rows(plan: TablePlan, sets: Sequence[ScoredSet], printed: pd.DataFrame) -> Iterator[ScoreRow]:
    """Yield the rows of one test set."""
    mine = {one.model: one for one in sets}
    tests = _tests(mine, list(plan.metrics)) if plan.tests else {}
    for metric, paper_name in plan.metrics.items():
        for model, one in mine.items():
            paper = printed_name(one.test_set)
            values = [getattr(case, metric) for case in one.scores.cases]
            own = printed[(printed["test_set"] == paper) & (printed["metric"] == paper_name)]
            yield ScoreRow(
                test_set=one.test_set,
                printed_as=paper if paper in ALL_SETS else None,
                metric=metric,
                model=model,
                technique=one.technique or None,
                summary=summarise(values),
                n_not_scored=len(one.reference_cases) - len(values),
                published=_published(own[own["model"] == model]) if plan.published else None,
                published_p_value=_value(own[own["model"].isna()], "p_value")
                if plan.published and plan.tests
                else None,
                test=tests.get(metric, PairedTest()) if plan.tests else None,
            )


def _tests(sets: dict[str, ScoredSet], metrics: list[str]) -> dict[str, PairedTest]:
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
        unpaired = mann_whitney_u(pairs.a, pairs.b)
        found[metric] = PairedTest(len(pairs.differences), signed.p_value, unpaired.p_value)
    adjusted = holm([found[metric].wilcoxon_p for metric in metrics])
    return {m: replace(found[m], holm_p=p) for m, p in zip(metrics, adjusted, strict=True)}


def _published(printed: pd.DataFrame) -> PublishedScore:
    names = ("mean", "sd", "median", "q1", "q3")
    return PublishedScore(*(_value(printed, statistic) for statistic in names))


def _value(printed: pd.DataFrame, statistic: str) -> float:
    rows = printed[printed["statistic"] == statistic]
    return float(rows["value"].iloc[0]) if len(rows) else math.nan


def _as_fractions(published: pd.DataFrame) -> pd.DataFrame:
    percent = published["unit"] == "percent"
    value = published["value"].where(~percent, published["value"] / 100)
    return published.assign(value=value)
