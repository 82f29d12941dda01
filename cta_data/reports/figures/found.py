"""Which lesions model A, model B, both or none found, along their volume."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cta_data.reports.figures.style import (
    HATCHES,
    SMALL,
    grid_height,
    new_figure,
    panel_grid,
    settings,
)
from cta_data.reports.names import name_of_test_set, volume_class
from cta_data.scoring.models.found import KINDS
from cta_data.scoring.paper import in_paper_order
from cta_data.scoring.size_classes import reached

COLOURS = {"both": "#999999", "B only": "#D55E00", "A only": "#0072B2", "none": "#FFFFFF"}
NAMES = {"both": "A and B", "B only": "only B", "A only": "only A", "none": "neither"}
EDGES_CM3 = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, np.inf)


def found_figure(lesions: pd.DataFrame) -> Figure:
    """Draw one panel a test set: lesions in classes of volume, stacked by who found them.

    Parameters
    ----------
    lesions
        One row a reference lesion, as `found_lesions` returns them, of any number of test sets.
    """
    test_sets = in_paper_order(lesions["test_set"])
    labels = [volume_class(low, high) for low, high in pairwise(EDGES_CM3)]
    figure = new_figure(grid_height(len(test_sets), 2.8))
    with settings():
        panels = panel_grid(figure, len(test_sets))
        for axes, test_set in zip(panels, test_sets, strict=True):
            mine = lesions[lesions["test_set"] == test_set]
            place = np.digitize(mine["volume_cm3"], [*map(reached, EDGES_CM3[1:-1])])
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
                    label=NAMES[kind],
                )
                bottom += counts
            axes.set_title(f"{name_of_test_set(test_set)}: n = {len(mine)}", fontsize=10)
            axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontsize=SMALL)
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.supxlabel("Lesion volume (cm³)", fontsize=9)
        figure.supylabel("Reference lesions", fontsize=9)
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            title="found by",
            loc="outside upper center",
            ncols=len(KINDS),
        )
    return figure


def found_alt(lesions: pd.DataFrame) -> str:
    """Return what the figure shows in words."""
    parts = []
    for test_set in in_paper_order(lesions["test_set"]):
        found = lesions.loc[lesions["test_set"] == test_set, "found"]
        counts = ", ".join(f"{NAMES[kind]} {int((found == kind).sum())}" for kind in KINDS)
        parts.append(f"{name_of_test_set(test_set)}, {len(found)} lesions: {counts}")
    return f"Stacked bars by lesion volume, one panel a test set. Found by: {'; '.join(parts)}."
