"""A lesion as a reader looks at it: where it is, and each technique with and without outlines.

Of each technique the slice through the lesion stands bare beside the one with outlines, and the
slices below and above it are underneath. A locator shows the whole slice with the crop's box.
Pixels in, a figure out; nothing is read or written. The same content gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cta_data.drawing.crops import (
    FONT,
    HALO,
    Crop,
    Pixels,
    draw_crop,
    legend_handles,
    show_grey,
)

DPI = 100
WIDTH = 1320
"""Pixels that a figure is wide at most."""
BOX = "#F0E442"
_EDGE, _GAP, _MARGIN = 220.0, 6.0, 4.0  # pixels


@dataclass(frozen=True, eq=False)
class Locator:
    """A whole slice, values 0 to 1, and the box of the crop in it.

    `box` is the left column, the upper row and the edge of the box, in pixels.
    """

    values: Pixels
    box: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Slices:
    """One technique in three neighbouring axial slices, `step_mm` apart."""

    below: Crop
    at: Crop
    above: Crop
    step_mm: float


@dataclass(frozen=True, eq=False)
class LesionViews:
    """A lesion on every technique, and where it is."""

    locator: Locator
    techniques: tuple[Slices, ...]


def views_figure(views: LesionViews, names: tuple[str, ...]) -> Figure:
    """Draw a lesion: the locator first, then two columns a technique.

    Parameters
    ----------
    names
        All names of outlines; the place of a name decides its colour and dash.
    """
    columns = 1 + 2 * len(views.techniques)
    edge = min(_EDGE, (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) / columns)
    width = 2 * _MARGIN + columns * edge + (columns - 1) * _GAP
    height = 2 * _MARGIN + 2 * edge + _GAP
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _draw_locator(_axes(figure, 0, 0, edge), views.locator)
    _draw_legend(figure, names, edge)
    for number, own in enumerate(views.techniques):
        left = 1 + 2 * number
        bare = replace(own.at, outlines=())
        shown = (
            (0, 0, own.at, ""),
            (1, 0, bare, ""),
            (0, 1, own.below, "−"),
            (1, 1, own.above, "+"),
        )
        for column, row, crop, sign in shown:
            axes = _axes(figure, left + column, row, edge)
            draw_crop(axes, crop, names)
            if sign:
                _mark(axes, f"{sign}{own.step_mm:.1f} mm")
    return figure


def _draw_locator(axes: Axes, locator: Locator) -> None:
    show_grey(axes, locator.values)
    left, top, edge = locator.box
    axes.add_patch(Rectangle((left, top), edge, edge, fill=False, edgecolor=BOX, linewidth=1.6))
    n = locator.values.shape[0]
    axes.text(
        0.03 * n, 0.5 * n, "R", color="white", fontsize=10, family=FONT, weight="bold",
        va="center", path_effects=HALO,
    )  # fmt: skip
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)


def _draw_legend(figure: Figure, names: tuple[str, ...], edge: float) -> None:
    """Draw which outline is whose, below the locator."""
    width, height = (float(inches) * DPI for inches in figure.get_size_inches())
    figure.legend(
        legend_handles(names), names, loc="upper left",
        bbox_to_anchor=(_MARGIN / width, 1 - (_MARGIN + edge + _GAP) / height),
        frameon=False, handlelength=2.6, borderaxespad=0, borderpad=0.2,
        prop={"family": FONT, "size": 8},
    )  # fmt: skip


def _mark(axes: Axes, text: str) -> None:
    """Say in the upper right of a crop how far from the lesion's slice it is."""
    axes.text(
        0.96, 0.96, text, color="white", fontsize=7.5, family=FONT, ha="right", va="top",
        transform=axes.transAxes, path_effects=HALO,
    )  # fmt: skip


def _axes(figure: Figure, column: int, row: int, edge: float) -> Axes:
    """Return the axes of a square, by its column and row."""
    width, height = (float(inches) * DPI for inches in figure.get_size_inches())
    left = _MARGIN + column * (edge + _GAP)
    top = _MARGIN + row * (edge + _GAP)
    axes = figure.add_axes((left / width, 1 - (top + edge) / height, edge / width, edge / height))
    axes.set_axis_off()
    return axes
