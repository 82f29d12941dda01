"""Findings of an evaluation: crops on every technique, outlines of all masks, and what they are."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from cta_data.drawing.crops import FONT, Crop, draw_crop, legend_handles
from cta_data.reports.figures.style import WIDTH_IN, new_figure, settings

_EDGE, _GAP, _MARGIN, _LINE, _HEAD = 2.4, 0.06, 0.1, 0.15, 0.3  # inches
_SIZE = 8.0
_LETTERS_AN_INCH = 16.5


@dataclass(frozen=True, eq=False)
class FindingPicture:
    """One finding: titles (bold), lines, and a crop a technique."""

    titles: tuple[str, ...]
    lines: tuple[str, ...]
    crops: tuple[Crop, ...]


def findings_figure(pictures: Sequence[FindingPicture], names: tuple[str, ...]) -> Figure:
    """Draw findings beside each other, three where each has one crop, else two; words below.

    Parameters
    ----------
    names
        All names of outlines; the place of a name decides its colour and dash.
    """
    columns = 2 if any(len(one.crops) > 1 for one in pictures) else 3
    slot = (WIDTH_IN - 2 * _MARGIN - 2 * (columns - 1) * _GAP) / columns
    letters = round(slot * _LETTERS_AN_INCH)
    rows = [pictures[at : at + columns] for at in range(0, len(pictures), columns)]
    edges = [min(_edge(one, slot) for one in row) for row in rows]
    heights = [
        edge + max(sum(map(len, _wrapped(one, letters))) for one in row) * _LINE + 0.22
        for row, edge in zip(rows, edges, strict=True)
    ]
    height = _HEAD + sum(heights)
    figure = new_figure(height)
    figure.set_layout_engine("none")
    with settings():
        _head(figure, height, names)
        top = _HEAD
        for row, edge, tall in zip(rows, edges, heights, strict=True):
            for number, picture in enumerate(row):
                left = _MARGIN + number * (slot + 2 * _GAP)
                _draw_crops(figure, (left, top), edge, picture.crops, names)
                titles, lines = _wrapped(picture, letters)
                for at, line in enumerate([*titles, *lines]):
                    weight = "bold" if at < len(titles) else "normal"
                    place = (left, top + edge + 0.05 + at * _LINE)
                    _text(figure, place, line, weight)
            top += tall
    return figure


def _edge(picture: FindingPicture, slot: float) -> float:
    count = max(1, len(picture.crops))
    return min(_EDGE, (slot - (count - 1) * _GAP) / count)


def _wrapped(picture: FindingPicture, letters: int) -> tuple[list[str], list[str]]:
    # Bold letters are wider.
    titles = [part for line in picture.titles for part in textwrap.wrap(line, letters * 7 // 8)]
    return titles, [part for line in picture.lines for part in textwrap.wrap(line, letters)]


def _head(figure: Figure, height: float, names: tuple[str, ...]) -> None:
    width = float(figure.get_size_inches()[0])
    top = 1 - 0.05 / height
    figure.legend(
        legend_handles(names), names, loc="upper left", bbox_to_anchor=(_MARGIN / width, top),
        ncols=len(names), frameon=False, handlelength=3.4, borderaxespad=0, borderpad=0.2,
        prop={"family": FONT, "size": 9},
    )  # fmt: skip


def _draw_crops(
    figure: Figure,
    place: tuple[float, float],
    edge: float,
    crops: Sequence[Crop],
    names: tuple[str, ...],
) -> None:
    """Draw crops side by side; places are inches from the top left of the figure."""
    width, height = (float(inches) for inches in figure.get_size_inches())
    for number, crop in enumerate(crops):
        left, top = place[0] + number * (edge + _GAP), place[1]
        box = (left / width, 1 - (top + edge) / height, edge / width, edge / height)
        axes = figure.add_axes(box)
        axes.set_axis_off()
        draw_crop(axes, crop, names)


def _text(figure: Figure, place: tuple[float, float], text: str, weight: str) -> None:
    width, height = (float(inches) for inches in figure.get_size_inches())
    figure.text(
        place[0] / width, 1 - place[1] / height, text, fontsize=_SIZE, weight=weight,
        family=FONT, va="top", parse_math=False,
    )  # fmt: skip
