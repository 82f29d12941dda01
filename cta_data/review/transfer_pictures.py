"""The picture of a registration: checkerboards of the fixed image and each moving one.

Pixels in, a figure out; nothing is read or written. The same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cta_data.drawing.crops import FONT, HALO, Pixels, show_grey
from cta_data.drawing.views import DPI, WIDTH

_GAP, _CAPTION = 8.0, 22.0  # pixels
_A_ROW = 3
_SQUARES = 10


@dataclass(frozen=True, eq=False)
class Checkerboard:
    """One plane of two images; rows from the top, values 0 to 1.

    `side` is the letter of the patient's side that is on the left: R, or A for anterior.
    """

    caption: str
    side: str
    fixed: Pixels
    moving: Pixels


def checkerboard(fixed: Pixels, moving: Pixels, tile: int) -> Pixels:
    """Return squares of two images in turn; the square at the top left is of `fixed`.

    Parameters
    ----------
    tile
        Edge of a square in pixels.
    """
    rows, columns = np.indices(fixed.shape) // tile
    return np.where((rows + columns) % 2 == 0, fixed, moving)


def boards_figure(boards: Sequence[Checkerboard]) -> Figure:
    """Draw checkerboards, three in a row."""
    edge = (WIDTH - (_A_ROW - 1) * _GAP) / _A_ROW
    height = -(-len(boards) // _A_ROW) * (edge + _CAPTION + _GAP)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for number, board in enumerate(boards):
        left = (number % _A_ROW) * (edge + _GAP)
        top = (number // _A_ROW) * (edge + _CAPTION + _GAP)
        figure.text(
            left / WIDTH, 1 - (top + 3) / height, board.caption, fontsize=9.5, family=FONT,
            va="top", parse_math=False,
        )  # fmt: skip
        place = (left, height - top - _CAPTION - edge, edge, edge)
        axes = figure.add_axes(
            (place[0] / WIDTH, place[1] / height, place[2] / WIDTH, place[3] / height)
        )
        axes.set_axis_off()
        tile = max(1, round(board.fixed.shape[0] / _SQUARES))
        show_grey(axes, checkerboard(board.fixed, board.moving, tile))
        axes.text(
            0.015, 0.5, board.side, color="white", fontsize=11, family=FONT, weight="bold",
            va="center", transform=axes.transAxes, path_effects=HALO,
        )  # fmt: skip
    return figure
