"""Volumes of paired lesions against each other, after Bland and Altman."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cta_data.reports.figures.style import MODEL_COLOURS, SMALL, new_figure, settings
from cta_data.review.agreement import Comparison

PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
"""Numbers as they are, not as powers of ten."""


def volume_figure(one: Comparison) -> Figure | None:
    """Draw the ratio of the volumes of each pair over their geometric mean; None without a pair.

    Both axes are logarithmic. Lines are the bias and the limits of agreement (1.96 standard
    deviations of the logarithm), where they are defined.
    """
    pairs = [link for case in one.cases for link in case.case.links if link.is_pair]
    if not pairs:
        return None
    first = np.array([link.first_volume_mm3 for link in pairs])
    second = np.array([link.second_volume_mm3 for link in pairs])
    limits = one.agreement.overall.volume_ratio
    with settings():
        figure = new_figure(4.5)
        axes = figure.subplots()
        axes.scatter(np.sqrt(first * second) / 1000, second / first, s=14, color=MODEL_COLOURS[0])
        axes.set_xscale("log")
        axes.set_yscale("log")
        for which in (axes.yaxis, axes.xaxis):
            which.set_major_locator(LogLocator(subs=(1, 2, 5)))
            which.set_major_formatter(PLAIN)
            which.set_minor_formatter(NullFormatter())
        for value, style in ((limits.lower, "--"), (limits.bias, "-"), (limits.upper, "--")):
            if not math.isnan(value.estimate):
                axes.axhline(value.estimate, color="0.3", linestyle=style, linewidth=1)
        axes.axhline(1, color="0.8", linewidth=0.8, zorder=0)
        axes.set_xlabel("volume (geometric mean of both), cm³")
        axes.set_ylabel(f"volume of {one.second} / {one.first}")
        axes.tick_params(labelsize=SMALL)
    return figure
