"""A comparison of scores on a terminal."""

from __future__ import annotations

import math

from rich.table import Table

from cta_data.scoring.comparison import ScoreComparison
from cta_data.scoring.kept_scores import KeptScores
from cta_data.scoring.statistics import IntervalMethod
from cta_data.terminal.output import console

MISSING = "—"
RULE = {"exact": "exact", "normal": "normal", "none": MISSING}
MARKS: dict[IntervalMethod, str] = {"percentile": "ᵖ", "constant": "ᶜ"}
NOTES = (
    "Pairs: cases with the metric defined in both. Equal: pairs of equal scores, which Wilcoxon's "
    "test drops. Tied: other pairs whose difference is as large as another one. "
    "Wilcoxon signed-rank (paired) is the primary test; Holm adjusts it for the metrics of this "
    "table. Mann–Whitney U takes the same scores as unpaired. p is exact without equal pairs and "
    "ties up to 50 pairs (Mann–Whitney: without equal scores, up to 50 on each side), else by the "
    "normal approximation, corrected for ties and not for continuity."
)


def print_comparison(a: KeptScores, b: KeptScores, made: ScoreComparison) -> None:
    """Print which rules were used, scores with their differences, tests, and what they mean."""
    out = console()
    out.print(f"A: {a.source}", soft_wrap=True)
    out.print(f"B: {b.source}", soft_wrap=True)
    options = b.options | a.options
    told = f" ({', '.join(f'{k} {v}' for k, v in sorted(options.items()))})" if options else ""
    out.print(f"Convention: {a.convention}{told}", soft_wrap=True)
    out.print(f"Cases in both: {made.n_cases}")
    out.print()
    for table in (_scores(made), _differences(made), _tests(made), _effects(made)):
        out.print(table)
        out.print()
    out.print(NOTES)
    intervals = {one.mean_difference_interval for one in made.metrics}
    intervals |= {one.median_difference_interval for one in made.metrics}
    out.print(f"Intervals: BCa bootstrap, {made.resamples} resamples of pairs, seed {made.seed}.")
    if "percentile" in intervals:
        out.print("ᵖ percentiles: BCa is undefined here.")
    if "constant" in intervals:
        out.print("ᶜ all differences are equal: there is nothing to resample.")
    if "none" in intervals:
        out.print("Fewer than 3 pairs have no interval.")


def _table(title: str, *headings: str) -> Table:
    """Return a table with a column for the metric and for each heading, narrow enough for 80."""
    table = Table(
        box=None, title=title, title_justify="left", pad_edge=False, collapse_padding=True
    )
    table.add_column("metric", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _scores(made: ScoreComparison) -> Table:
    headings = ("pairs", "undef.\nA, B", "A\nmean ± SD", "B\nmean ± SD", "A\nmedian", "B\nmedian")
    table = _table("Scores", *headings)
    for one in made.metrics:
        table.add_row(
            one.metric,
            str(one.n_pairs),
            f"{one.n_undefined_a}, {one.n_undefined_b}",
            f"{_number(one.mean_a)} ± {_number(one.sd_a)}",
            f"{_number(one.mean_b)} ± {_number(one.sd_b)}",
            _number(one.median_a),
            _number(one.median_b),
        )
    return table


def _differences(made: ScoreComparison) -> Table:
    share = f"{100 * made.confidence:g} % interval"
    table = _table("Differences, B − A", "pairs", f"mean [{share}]", f"median [{share}]")
    for one in made.metrics:
        mean = (one.mean_difference, one.mean_difference_low, one.mean_difference_high)
        median = (one.median_difference, one.median_difference_low, one.median_difference_high)
        table.add_row(
            one.metric,
            str(one.n_pairs),
            _interval(*mean, one.mean_difference_interval),
            _interval(*median, one.median_difference_interval),
        )
    return table


def _tests(made: ScoreComparison) -> Table:
    headings = ("Wilcoxon\np", "by", "Holm\np", "Mann–\nWhitney p", "by")
    table = _table("Tests", "pairs", "equal", "tied", *headings)
    for one in made.metrics:
        table.add_row(
            one.metric,
            str(one.n_pairs),
            str(one.n_zero),
            str(one.n_tied),
            _p(one.wilcoxon_p),
            RULE[one.wilcoxon_method],
            _p(one.holm_p),
            _p(one.mann_whitney_p),
            RULE[one.mann_whitney_method],
        )
    return table


def _effects(made: ScoreComparison) -> Table:
    headings = ("rank-biserial\n(paired)", "Cliff's δ\n(unpaired)", "standardised\nmean difference")
    table = _table("Effect sizes, positive where B is higher", "pairs", *headings)
    for one in made.metrics:
        table.add_row(
            one.metric,
            str(one.n_pairs),
            _signed(one.rank_biserial),
            _signed(one.cliffs_delta),
            _signed(one.standardised_mean_difference),
        )
    return table


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
