"""Box plots of every metric by test set and model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cta_data.reports.article import METRIC_NAMES
from cta_data.reports.figures.style import HATCHES, MARKERS, MODEL_COLOURS, new_figure, settings

_WIDTH = 0.8


def box_figure(cases: pd.DataFrame) -> Figure:
    """Draw one panel a metric: a box a test set and model, and every case as a dot.

    Boxes span the quartiles, the line is the median, whiskers reach the farthest case within 1.5
    interquartile ranges. n is the number of cases in which the metric is defined.

    Parameters
    ----------
    cases
        One row a case: columns test_set, model and the metrics.
    """
    test_sets = list(dict.fromkeys(cases["test_set"]))
    models = sorted(set(cases["model"]))
    figure = new_figure(2.2 + 1.6 * len(test_sets), 6.4)
    with settings():
        panels = figure.subplots(2, 3, sharey=True)
        for axes, (metric, title) in zip(panels.flat, METRIC_NAMES.items(), strict=True):
            for number, model in enumerate(models):
                _boxes(axes, cases, metric, test_sets, number, model, len(models))
            axes.set_title(title, fontsize=9)
            # A cohort's sets are named after it and a technique: two lines, so that none overlap.
            names = [name.replace("-", "\n") for name in test_sets]
            axes.set_xticks(range(len(names)), names, fontsize=7)
            axes.set_ylim(-0.03, 1.1)
            axes.set_yticks(np.linspace(0, 1, 6))
            axes.grid(axis="y", color="0.92")
            axes.set_axisbelow(True)
        figure.legend(
            *panels.flat[0].get_legend_handles_labels(),
            loc="outside upper center",
            ncols=len(models),
        )
    return figure


def _boxes(
    axes: object,
    cases: pd.DataFrame,
    metric: str,
    test_sets: list[str],
    number: int,
    model: str,
    count: int,
) -> None:
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    width = _WIDTH / count
    label: str | None = f"model {model}"
    for position, test_set in enumerate(test_sets):
        mine = cases[(cases["test_set"] == test_set) & (cases["model"] == model)]
        values = mine[metric].dropna().to_numpy(dtype=float)
        if not len(values):
            continue
        place = position + (number - (count - 1) / 2) * width
        axes.boxplot(  # type: ignore[attr-defined]
            values,
            positions=[place],
            widths=width * 0.8,
            showfliers=False,
            patch_artist=True,
            label=label,
            boxprops={
                "facecolor": "white",
                "edgecolor": colour,
                "hatch": HATCHES[number % len(HATCHES)],
            },
            medianprops={"color": colour, "linewidth": 2},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        label = None
        # Spread by rank and not by chance: the same figure every time.
        spread = np.linspace(-0.25, 0.25, len(values)) * width if len(values) > 1 else [0.0]
        axes.plot(  # type: ignore[attr-defined]
            place + np.asarray(spread),
            values,
            MARKERS[number % len(MARKERS)],
            color=colour,
            markersize=2.5,
            alpha=0.6,
        )
        axes.text(place, 1.04, f"{len(values)}", ha="center", fontsize=6, color="0.35")  # type: ignore[attr-defined]
