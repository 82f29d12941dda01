"""A comparison of scores on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from rich.table import Table

from cta_data.scoring.comparison import MetricComparison, ScoreComparison
from cta_data.scoring.kept_scores import KeptScores
from cta_data.scoring.statistics import IntervalMethod

MISSING = "—"
RULE = {"exact": "exact", "normal": "normal", "none": MISSING}
MARKS: dict[IntervalMethod, str] = {"percentile": "ᵖ", "constant": "ᶜ"}
REMARKS: dict[IntervalMethod, str] = {
    "percentile": "ᵖ percentiles: BCa is undefined here.",
    "constant": "ᶜ all differences are equal: there is nothing to resample.",
    "none": "Fewer than 3 pairs have no interval.",
}
NOTES = (
    "Pairs: cases with the metric defined in both. Equal: pairs of equal scores, which Wilcoxon's "
    "test drops. Tied: other pairs whose difference is as large as another one. "
    "Wilcoxon signed-rank (paired) is the primary test; Holm adjusts it for the metrics of this "
    "table. Mann–Whitney U takes the same scores as unpaired. p is exact without equal pairs and "
    "ties up to 50 pairs (Mann–Whitney: without equal scores, up to 50 on each side), else by the "
    "normal approximation, corrected for ties and not for continuity."
)
Columns = dict[str, Callable[[MetricComparison], str]]
"""Headings to the text of a metric."""
SCORES: Columns = {
    "undef.\nA, B": lambda one: f"{one.n_undefined_a}, {one.n_undefined_b}",
    "A\nmean ± SD": lambda one: f"{_number(one.mean_a)} ± {_number(one.sd_a)}",
    "B\nmean ± SD": lambda one: f"{_number(one.mean_b)} ± {_number(one.sd_b)}",
    "A\nmedian": lambda one: _number(one.median_a),
    "B\nmedian": lambda one: _number(one.median_b),
}
TESTS: Columns = {
    "equal": lambda one: str(one.n_zero),
    "tied": lambda one: str(one.n_tied),
    "Wilcoxon\np": lambda one: _p(one.wilcoxon_p),
    "by": lambda one: RULE[one.wilcoxon_method],
    "Holm\np": lambda one: _p(one.holm_p),
    "Mann–\nWhitney p": lambda one: _p(one.mann_whitney_p),
    "by ": lambda one: RULE[one.mann_whitney_method],
}
EFFECTS: Columns = {
    "rank-biserial\n(paired)": lambda one: _signed(one.rank_biserial),
    "Cliff's δ\n(unpaired)": lambda one: _signed(one.cliffs_delta),
    "standardised\nmean difference": lambda one: _signed(one.standardised_mean_difference),
}


def comparison_lines(a: KeptScores, b: KeptScores, made: ScoreComparison) -> Iterator[str | Table]:
    """Yield which rules were used, scores with their differences, tests, and what they mean."""
    yield f"A: {a.source}"
    yield f"B: {b.source}"
    options = b.options | a.options
    told = f" ({', '.join(f'{k} {v}' for k, v in sorted(options.items()))})" if options else ""
    yield f"Convention: {a.convention}{told}"
    yield f"Cases in both: {made.n_cases}\n"
    for title, columns in (
        ("Scores", SCORES),
        ("Differences, B − A", _differences(made.confidence)),
        ("Tests", TESTS),
        ("Effect sizes, positive where B is higher", EFFECTS),
    ):
        yield _table(title, columns, made)
        yield ""
    yield NOTES
    yield f"Intervals: BCa bootstrap, {made.resamples} resamples of pairs, seed {made.seed}."
    used = {one.mean_difference_interval for one in made.metrics}
    used |= {one.median_difference_interval for one in made.metrics}
    yield from (remark for method, remark in REMARKS.items() if method in used)


def _table(title: str, columns: Columns, made: ScoreComparison) -> Table:
    """Return a table with a line for each metric, narrow enough for 80 characters."""
    table = Table(
        box=None, title=title, title_justify="left", pad_edge=False, collapse_padding=True
    )
    table.add_column("metric", no_wrap=True)
    for heading in ("pairs", *columns):
        table.add_column(heading.strip(" "), justify="right", no_wrap=True)
    for one in made.metrics:
        table.add_row(one.metric, str(one.n_pairs), *(text(one) for text in columns.values()))
    return table


def _differences(confidence: float) -> Columns:
    share = f"{100 * confidence:g} % interval"
    return {
        f"mean [{share}]": lambda one: _interval(
            *(one.mean_difference, one.mean_difference_low, one.mean_difference_high),
            one.mean_difference_interval,
        ),
        f"median [{share}]": lambda one: _interval(
            *(one.median_difference, one.median_difference_low, one.median_difference_high),
            one.median_difference_interval,
        ),
    }


def _interval(estimate: float, low: float, high: float, method: IntervalMethod) -> str:
    if math.isnan(low):
        return _signed(estimate)
    return f"{_signed(estimate)} [{_signed(low)}, {_signed(high)}]{MARKS.get(method, '')}"


def _number(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    if math.isnan(value):
        return MISSING
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def _p(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.3g}"
