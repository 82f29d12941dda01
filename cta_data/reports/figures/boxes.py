"""Scores of every metric by test set and model: boxes, or points where there are few cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cta_data.reports.figures.style import (
    HATCHES,
    MARKERS,
    MODEL_COLOURS,
    SMALL,
    new_figure,
    settings,
    show_percent,
)
from cta_data.reports.names import METRIC_NAMES, name_of_test_set
from cta_data.scoring.paper import in_paper_order

FEWEST = 4
"""Cases that a box needs; fewer are points alone, with a line at their median."""
SAID = ("f1", "sensitivity", "lesionwise_dice")
"""Metrics that the figure in words tells."""
_WIDTH = 0.8


def box_figure(cases: pd.DataFrame) -> Figure:
    """Draw one panel a metric: a box a test set and model, and every case as a point.

    Boxes span the quartiles, the line is the median, whiskers reach the farthest case within 1.5
    interquartile ranges. Of fewer than `FEWEST` cases there are points and the median alone.

    Parameters
    ----------
    cases
        One row a case: columns test_set, model and the metrics.
    """
    test_sets = in_paper_order(cases["test_set"])
    models = sorted(set(cases["model"]))
    names = [_tick(cases[cases["test_set"] == one], one) for one in test_sets]
    figure = new_figure(9.2)
    with settings():
        panels = figure.subplots(3, 2, sharey=True)
        for axes, (metric, title) in zip(panels.T.flat, METRIC_NAMES.items(), strict=True):
            for number, model in enumerate(models):
                own = cases[cases["model"] == model]
                _model(axes, own, metric, test_sets, (number, len(models)))
            axes.set_title(title, fontsize=10)
            axes.set_xticks(range(len(names)), names, fontsize=SMALL)
            axes.set_xlim(-0.6, len(names) - 0.4)
            axes.set_ylim(-0.03, 1.03)
            show_percent(axes)
        handles, _ = panels.flat[0].get_legend_handles_labels()
        labels = [f"model {model}" for model in models]
        figure.legend(handles, labels, loc="outside upper center", ncols=len(models))
    return figure


def box_alt(cases: pd.DataFrame) -> str:
    """Return what the figure shows in words: medians of a few metrics."""
    parts = []
    for test_set in in_paper_order(cases["test_set"]):
        for model, own in cases[cases["test_set"] == test_set].groupby("model"):
            medians = [
                f"{METRIC_NAMES[metric]} {100 * own[metric].median():.0f} %"
                for metric in SAID
                if own[metric].notna().any()
            ]
            parts.append(f"{name_of_test_set(test_set)}, model {model}: {', '.join(medians)}")
    return f"Six panels of scores by test set and model. Medians: {'; '.join(parts)}."


def _tick(cases: pd.DataFrame, test_set: str) -> str:
    """Return the name of a test set with the number of its cases: two or three short lines."""
    counts = cases.groupby("model").size()
    low, high = counts.min(), counts.max()
    # A cohort's sets are named after it and a technique: two lines, so that none overlap.
    name = name_of_test_set(test_set).replace(" ", "\n")
    return f"{name}\nn = {low}" if low == high else f"{name}\nn = {low}–{high}"


def _model(
    axes: Axes, own: pd.DataFrame, metric: str, test_sets: list[str], which: tuple[int, int]
) -> None:
    """Draw one model; `which` is its number and the number of models."""
    values = [
        own.loc[own["test_set"] == test_set, metric].dropna().to_numpy(dtype=float)
        for test_set in test_sets
    ]
    draw_scores(axes, values, which, str(which[0]))


def draw_scores(
    axes: Axes, values: Sequence[np.ndarray], which: tuple[int, int], label: str
) -> None:
    """Draw the scores of one of several models at each position of an axis.

    Parameters
    ----------
    values
        Scores at each position.
    which
        Number of the model, and the number of models.
    label
        Of the legend.
    """
    number, count = which
    colour, marker = MODEL_COLOURS[number % len(MODEL_COLOURS)], MARKERS[number % len(MARKERS)]
    width = _WIDTH / count
    # Of the legend: a model without a case in this metric has its sign too.
    axes.plot([], [], marker, color=colour, label=label)
    for position, scores in enumerate(values):
        if not len(scores):
            continue
        at = position + (number - (count - 1) / 2) * width
        if len(scores) < FEWEST:
            median, half = float(np.median(scores)), width * 0.35
            axes.plot([at - half, at + half], [median] * 2, color=colour, linewidth=2)
        else:
            _box(axes, scores, at, width * 0.8, number)
        # Spread by rank and not by chance: the same figure every time.
        spread = np.linspace(-0.25, 0.25, len(scores)) * width if len(scores) > 1 else [0.0]
        axes.plot(
            at + np.asarray(spread), scores, marker, color=colour, markersize=3.5, alpha=0.7
        )  # fmt: skip


def _box(axes: Axes, values: np.ndarray, at: float, width: float, number: int) -> None:
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    axes.boxplot(
        values,
        positions=[at],
        widths=width,
        showfliers=False,
        patch_artist=True,
        boxprops={
            "facecolor": "white",
            "edgecolor": colour,
            "hatch": HATCHES[number % len(HATCHES)],
        },
        medianprops={"color": colour, "linewidth": 2},
        whiskerprops={"color": colour},
        capprops={"color": colour},
    )
