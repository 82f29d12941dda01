"""The picture of one subject-session: checkerboards, and every lesion with its outlines.

Pixels in, a figure out; nothing is read or written. The same content gives the same bytes.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cta_data.drawing.crops import (
    FONT,
    HALO,
    Crop,
    Pixels,
    draw_crop,
    legend_handles,
    show_grey,
)

WARNING = "#D55E00"

_DPI = 100
_WIDTH, _MARGIN, _GAP = 1320, 20, 8  # pixels
_CHECKER, _CAPTION, _LINE, _HEAD = 420, 22, 16, 74
_CROPS_A_ROW = 6
_LINE_LENGTH = {1: 30, 2: 64, 3: 96}  # letters that fit below so many crops


@dataclass(frozen=True, eq=False)
class Checkerboard:
    """One plane of two images; rows from the top, values 0 to 1.

    `side` is the letter of the patient's side that is on the left: R, or A for anterior.
    """

    caption: str
    side: str
    fixed: Pixels
    moving: Pixels


@dataclass(frozen=True, eq=False)
class LesionPicture:
    """A lesion on every technique, with what is to be said of it.

    `warnings` are shown in another colour and marked; `crops` is empty where there is nothing to
    look at.
    """

    title: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    crops: tuple[Crop, ...]


@dataclass(frozen=True, eq=False)
class SessionPicture:
    """All that one picture shows; `variants` are the names that outlines are told apart by."""

    heading: str
    remark: str
    variants: tuple[str, ...]
    checkerboards: tuple[Checkerboard, ...]
    lesions: tuple[LesionPicture, ...]


def checkerboard(fixed: Pixels, moving: Pixels, tile: int) -> Pixels:
    """Return squares of two images in turn; the square at the top left is of `fixed`.

    Parameters
    ----------
    tile
        Edge of a square in pixels.
    """
    rows, columns = np.indices(fixed.shape) // tile
    return np.where((rows + columns) % 2 == 0, fixed, moving)


def draw_session(picture: SessionPicture) -> Figure:
    """Draw the picture; its size follows from its content (100 dots an inch, 1320 wide)."""
    rows = _lesion_rows(picture.lesions)
    boards = -(-len(picture.checkerboards) // 3)
    heights = [_row_height(row) for row in rows]
    height = _HEAD + boards * (_CHECKER + _CAPTION + _GAP) + sum(heights) + _MARGIN
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _text(figure, _MARGIN, 12, picture.heading, size=15, weight="bold")
    _text(figure, _MARGIN, 42, picture.remark, size=10, colour=WARNING)
    if picture.variants:
        figure.legend(
            legend_handles(picture.variants), picture.variants, loc="upper right",
            ncols=len(picture.variants), frameon=False, handlelength=3.4,
            prop={"family": FONT, "size": 10},
        )  # fmt: skip
    top = float(_HEAD)
    for at, board in enumerate(picture.checkerboards):
        left = _MARGIN + (at % 3) * (_CHECKER + 10)
        row_top = top + (at // 3) * (_CHECKER + _CAPTION + _GAP)
        axes = _axes(figure, left, row_top + _CAPTION, _CHECKER, _CHECKER)
        tile = max(1, round(board.fixed.shape[0] / 10))
        show_grey(axes, checkerboard(board.fixed, board.moving, tile))
        axes.text(
            0.015, 0.5, board.side, color="white", fontsize=11, family=FONT, weight="bold",
            va="center", transform=axes.transAxes, path_effects=HALO,
        )  # fmt: skip
        _text(figure, left, row_top + 3, board.caption, size=9.5)
    top += boards * (_CHECKER + _CAPTION + _GAP)
    for row, row_height in zip(rows, heights, strict=True):
        _draw_row(figure, top, row, picture.variants)
        top += row_height
    return figure


def _lesion_rows(lesions: tuple[LesionPicture, ...]) -> list[list[LesionPicture]]:
    """Put lesions side by side as long as their crops fit."""
    rows: list[list[LesionPicture]] = []
    used = _CROPS_A_ROW
    for lesion in lesions:
        wide = max(1, len(lesion.crops))
        if used + wide > _CROPS_A_ROW:
            rows.append([])
            used = 0
        rows[-1].append(lesion)
        used += wide
    return rows


def _crop_edge() -> float:
    return (_WIDTH - 2 * _MARGIN - (_CROPS_A_ROW - 1) * _GAP) / _CROPS_A_ROW


def _wrapped(lesion: LesionPicture) -> tuple[list[str], list[str]]:
    length = _LINE_LENGTH[min(3, max(1, len(lesion.crops)))]
    plain = [part for line in lesion.lines for part in textwrap.wrap(line, length)]
    warned = [part for line in lesion.warnings for part in textwrap.wrap(f"! {line}", length)]
    return plain, warned


def _row_height(row: list[LesionPicture]) -> float:
    lines = max(sum(map(len, _wrapped(lesion))) for lesion in row)
    crop = _crop_edge() if any(lesion.crops for lesion in row) else 0
    return _CAPTION + crop + 4 + lines * _LINE + 14


def _draw_row(
    figure: Figure, top: float, row: list[LesionPicture], variants: tuple[str, ...]
) -> None:
    edge, left = _crop_edge(), float(_MARGIN)
    for lesion in row:
        _text(figure, left, top + 3, lesion.title, size=11, weight="bold")
        for at, crop in enumerate(lesion.crops):
            axes = _axes(figure, left + at * (edge + _GAP), top + _CAPTION, edge, edge)
            draw_crop(axes, crop, variants)
        below = top + _CAPTION + 4 + (edge if any(one.crops for one in row) else 0)
        plain, warned = _wrapped(lesion)
        for number, line in enumerate(plain + warned):
            colour = WARNING if number >= len(plain) else "black"
            _text(figure, left, below + number * _LINE, line, size=9, colour=colour)
        left += max(1, len(lesion.crops)) * (edge + _GAP)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes placed in pixels from the top left of the figure."""
    w, h = (float(inches) * _DPI for inches in figure.get_size_inches())
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    axes.set_axis_off()
    return axes


def _text(
    figure: Figure, left: float, top: float, text: str, *, size: float, weight: str = "normal",
    colour: str = "black",
) -> None:  # fmt: skip
    w, h = (float(inches) * _DPI for inches in figure.get_size_inches())
    figure.text(
        left / w, 1 - top / h, text, fontsize=size, weight=weight, color=colour, family=FONT,
        va="top", parse_math=False,
    )  # fmt: skip
