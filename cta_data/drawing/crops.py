"""The surroundings of a lesion with outlines: what is drawn, and how.

Pixels in, drawn into axes; nothing is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from cta_data.drawing.outlines import Mask, colour, outline_lines

Pixels = NDArray[np.float64]

DASHES: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (2.2, 1.8)),
    (0, (0.8, 1.2)),
    (0, (4.0, 1.4, 0.8, 1.4)),
)
LINE_WIDTHS = (2.4, 1.4, 1.8, 1.4)  # the first remains to be seen below the others
FONT = "DejaVu Sans"  # comes with matplotlib, so that all machines draw the same letters
HALO = [withStroke(linewidth=2.5, foreground="black")]


@dataclass(frozen=True, eq=False)
class Outline:
    """What one mask holds in a plane; `name` is one of the picture's."""

    name: str
    inside: Mask


@dataclass(frozen=True, eq=False)
class Crop:
    """The surroundings of a lesion on one technique; values 0 to 1."""

    technique: str
    values: Pixels
    pixel_mm: float
    outlines: tuple[Outline, ...]


def draw_crop(axes: Axes, crop: Crop, names: tuple[str, ...]) -> None:
    """Draw a crop with its outlines, a bar of 10 mm and its technique.

    Parameters
    ----------
    names
        All names of outlines; the place of a name decides colour and dash.
    """
    show_grey(axes, crop.values)
    for outline in crop.outlines:
        number = names.index(outline.name)
        line = LineCollection(outline_lines(outline.inside), colors=colour(number))
        line.set_linewidth(LINE_WIDTHS[number % len(LINE_WIDTHS)])
        line.set_linestyle(DASHES[number % len(DASHES)])
        axes.add_collection(line)
    n = crop.values.shape[0]
    bar = 10 / crop.pixel_mm
    axes.plot(
        [0.05 * n, 0.05 * n + bar], [0.94 * n] * 2, color="white", linewidth=2.5, path_effects=HALO
    )
    axes.text(
        0.05 * n, 0.91 * n, "10 mm", color="white", fontsize=7.5, family=FONT, path_effects=HALO
    )
    axes.text(
        0.04 * n, 0.04 * n, crop.technique, color="white", fontsize=8.5, family=FONT,
        weight="bold", va="top", bbox={"facecolor": "black", "pad": 2, "linewidth": 0},
    )  # fmt: skip
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)


def legend_handles(names: tuple[str, ...]) -> list[Line2D]:
    """Return a line for each name, in the colour and dash of its outlines."""
    return [
        Line2D([], [], color=colour(i), linestyle=DASHES[i % len(DASHES)], linewidth=3)
        for i in range(len(names))
    ]


def show_grey(axes: Axes, values: Pixels) -> None:
    """Draw values from 0 (black) to 1 (white), rows from the top."""
    axes.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation="bilinear", aspect="auto")
