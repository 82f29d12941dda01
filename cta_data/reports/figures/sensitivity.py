"""Sensitivity along lesion volume, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cta_data.reports.figures.style import (
    MARKERS,
    MODEL_COLOURS,
    class_name,
    grid_size,
    new_figure,
    panel_grid,
    settings,
)


def sensitivity_figure(rows: pd.DataFrame) -> Figure:
    """Draw one panel a test set: the share of lesions that each model detects, by volume.

    Bars are 95 % intervals (Wilson); the numbers below are lesions in the class. A class without a
    lesion has no point.

    Parameters
    ----------
    rows
        As `sensitivity_by_volume` returns them, of any test sets and models.
    """
    test_sets = list(dict.fromkeys(rows["test_set"]))
    models = sorted(set(rows["model"]))
    figure = new_figure(*grid_size(len(test_sets), 2.9, 2.4))
    with settings():
        panels = panel_grid(figure, len(test_sets), sharey=True)
        for axes, test_set in zip(panels, test_sets, strict=True):
            mine = rows[rows["test_set"] == test_set]
            for number, model in enumerate(models):
                own = mine[mine["model"] == model].reset_index(drop=True)
                _points(axes, own, number, len(models))
            classes = mine[["from_cm3", "to_cm3", "n"]].drop_duplicates(["from_cm3"])
            names = [
                f"{class_name(low, high)}\n{n}"
                for low, high, n in classes.itertuples(index=False, name=None)
            ]
            axes.set_xticks(range(len(names)), names, fontsize=6)
            axes.set_title(test_set, fontsize=9)
            axes.set_ylim(-0.02, 1.05)
            axes.grid(axis="y", color="0.92")
            axes.set_axisbelow(True)
        figure.supxlabel("Lesion volume (cm³), and number of lesions", fontsize=9)
        figure.supylabel("Sensitivity", fontsize=9)
        handles = panels[0].get_legend_handles_labels()
        names = [f"model {model}" for model in models]
        figure.legend(handles[0], names, loc="outside upper center", ncols=len(models))
    return figure


def _points(axes: object, own: pd.DataFrame, number: int, count: int) -> None:
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    known = own["n"] > 0
    place = np.arange(len(own))[known] + (number - (count - 1) / 2) * 0.15
    value = own.loc[known, "sensitivity"].to_numpy(dtype=float)
    low, high = (own.loc[known, name].to_numpy(dtype=float) for name in ("low", "high"))
    axes.errorbar(  # type: ignore[attr-defined]
        place,
        value,
        yerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)],
        fmt=f"{MARKERS[number % len(MARKERS)]}-",
        color=colour,
        markersize=4,
        linewidth=1,
        capsize=2,
        label=str(number),
    )
