"""Sensitivity along lesion volume, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cta_data.reports.figures.style import (
    MARKERS,
    MODEL_COLOURS,
    SMALL,
    grid_height,
    new_figure,
    panel_grid,
    settings,
    show_percent,
)
from cta_data.reports.names import name_of_test_set, volume_class
from cta_data.scoring.paper import in_paper_order


def sensitivity_figure(rows: pd.DataFrame) -> Figure:
    """Draw one panel a test set: the share of lesions that each model detects, by volume.

    Bars are 95 % intervals (Wilson); for the numbers below see `class_labels`. A class without a
    lesion has no point, and no line leads across it.

    Parameters
    ----------
    rows
        As `sensitivity_by_volume` returns them, of any test sets and models.
    """
    test_sets = in_paper_order(rows["test_set"])
    models = sorted(set(rows["model"]))
    figure = new_figure(grid_height(len(test_sets), 2.6))
    with settings():
        panels = panel_grid(figure, len(test_sets), sharey=True)
        for axes, test_set in zip(panels, test_sets, strict=True):
            mine = rows[rows["test_set"] == test_set]
            for number, model in enumerate(models):
                own = mine[mine["model"] == model].reset_index(drop=True)
                _points(axes, own, number, len(models))
            names = class_labels(mine)
            axes.set_xticks(range(len(names)), names, fontsize=SMALL)
            axes.set_xlim(-0.5, len(names) - 0.5)
            axes.set_title(name_of_test_set(test_set), fontsize=10)
            axes.set_ylim(-0.03, 1.03)
            show_percent(axes)
        figure.supxlabel("Lesion volume (cm³), and number of lesions", fontsize=9)
        figure.supylabel("Sensitivity", fontsize=9)
        handles = panels[0].get_legend_handles_labels()
        names = [f"model {model}" for model in models]
        figure.legend(handles[0], names, loc="outside upper center", ncols=len(models))
    return figure


def class_labels(rows: pd.DataFrame) -> list[str]:
    """Return the label of each class of a test set: its volumes, and its number of lesions.

    Models that read other images may have other lesions in a class: then there is a number of each
    model, in the order of the legend.
    """
    numbers: dict[tuple[float, float], list[int]] = {}
    for row in rows.sort_values(["from_cm3", "model"]).to_dict("records"):
        numbers.setdefault((row["from_cm3"], row["to_cm3"]), []).append(row["n"])
    return [
        f"{volume_class(low, high)}\n{'/'.join(map(str, n if len(set(n)) > 1 else n[:1]))}"
        for (low, high), n in numbers.items()
    ]


def sensitivity_alt(rows: pd.DataFrame) -> str:
    """Return what the figure shows in words: lesions detected, of all of a test set."""
    parts = []
    for test_set in in_paper_order(rows["test_set"]):
        mine = rows[rows["test_set"] == test_set]
        sums = mine.groupby("model")[["detected", "n"]].sum()
        told = ", ".join(f"model {m} {row['detected']} of {row['n']}" for m, row in sums.iterrows())
        parts.append(f"{name_of_test_set(test_set)}: {told}")
    return (
        "Share of lesions that each model detects, by lesion volume, with 95 % intervals, one "
        f"panel a test set. Of all volumes: {'; '.join(parts)}."
    )


def _points(axes: Axes, own: pd.DataFrame, number: int, count: int) -> None:
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    place = np.arange(len(own)) + (number - (count - 1) / 2) * 0.15
    # A class without a lesion is NaN, which breaks the line.
    value, low, high = (
        own[name].where(own["n"] > 0).to_numpy(dtype=float)
        for name in ("sensitivity", "low", "high")
    )
    axes.errorbar(
        place,
        value,
        yerr=[np.fmax(value - low, 0), np.fmax(high - value, 0)],
        fmt=f"{MARKERS[number % len(MARKERS)]}-",
        color=colour,
        markersize=4,
        linewidth=1,
        capsize=2,
        label=str(number),
    )
