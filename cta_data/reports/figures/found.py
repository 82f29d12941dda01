"""Which lesions model A, model B, both or none found, along their volume."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cta_data.reports.figures.style import (
    HATCHES,
    class_name,
    grid_size,
    new_figure,
    panel_grid,
    settings,
)
from cta_data.scoring.models.found import KINDS

COLOURS = {"both": "#999999", "B only": "#D55E00", "A only": "#0072B2", "none": "#FFFFFF"}
EDGES_CM3 = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, np.inf)


def found_figure(lesions: pd.DataFrame, models: tuple[str, str] = ("A", "B")) -> Figure:
    """Draw one panel a test set: lesions in classes of volume, stacked by who found them.

    Parameters
    ----------
    lesions
        One row a reference lesion, as `found_lesions` returns them, of any number of test sets.
    """
    test_sets = list(dict.fromkeys(lesions["test_set"]))
    names = {
        "both": "both",
        "B only": f"only {models[1]}",
        "A only": f"only {models[0]}",
        "none": "none",
    }
    labels = [class_name(low, high) for low, high in pairwise(EDGES_CM3)]
    figure = new_figure(*grid_size(len(test_sets), 2.6, 2.6))
    with settings():
        panels = panel_grid(figure, len(test_sets))
        for axes, test_set in zip(panels, test_sets, strict=True):
            mine = lesions[lesions["test_set"] == test_set]
            place = np.digitize(mine["volume_cm3"], EDGES_CM3[1:-1])
            bottom = np.zeros(len(labels))
            for number, kind in enumerate(KINDS):
                chosen = place[(mine["found"] == kind).to_numpy()]
                counts = np.bincount(chosen, minlength=len(labels))
                axes.bar(
                    range(len(labels)),
                    counts,
                    bottom=bottom,
                    color=COLOURS[kind],
                    edgecolor="black",
                    linewidth=0.6,
                    hatch=HATCHES[number],
                    label=f"{names[kind]} ",
                )
                bottom += counts
            told = mine["found"].value_counts()
            only = [f"{names[kind]} {told.get(kind, 0)}" for kind in ("A only", "B only")]
            axes.set_title(f"{test_set}: n = {len(mine)}\n{', '.join(only)}", fontsize=9)
            axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontsize=7)
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.supxlabel("Lesion volume (cm³)", fontsize=9)
        figure.supylabel("Reference lesions", fontsize=9)
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(KINDS)
        )
    return figure
