"""F1 of networks for patches: a box for each architecture and input, every seed as a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cta_data.reports.figures.boxes import draw_scores
from cta_data.reports.figures.style import new_figure, settings, show_percent


def patch_figure(runs: pd.DataFrame, architectures: Sequence[str], inputs: Sequence[str]) -> Figure:
    """Draw F1 by architecture and input.

    Parameters
    ----------
    runs
        One row a run: columns architecture, input and f1.
    """
    figure = new_figure(4.2)
    with settings():
        axes = figure.subplots()
        for number, name in enumerate(inputs):
            own = runs[runs["input"] == name]
            values = [_of(own, architecture) for architecture in architectures]
            draw_scores(axes, values, (number, len(inputs)), name)
        axes.set_xticks(range(len(architectures)), list(architectures))
        axes.set_xlim(-0.6, len(architectures) - 0.4)
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("F1")
        show_percent(axes)
        figure.legend(loc="outside upper center", ncols=len(inputs))
    return figure


def _of(runs: pd.DataFrame, architecture: str) -> np.ndarray:
    own = runs.loc[runs["architecture"] == architecture, "f1"]
    return own.dropna().to_numpy(dtype=float)


def patch_alt(runs: pd.DataFrame) -> str:
    """Return what the figure shows in words: the medians."""
    told = []
    for architecture, of_architecture in runs.groupby("architecture"):
        for name, own in of_architecture.groupby("input"):
            if own["f1"].notna().any():
                told.append(f"{architecture} with {name} {100 * own['f1'].median():.0f} %")
    return f"Boxes of F1 by architecture and input. Medians: {', '.join(told) or 'none'}."
