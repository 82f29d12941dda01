"""The patient flow as a diagram: of each cohort what was added, and all that became of it."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from cta_data.drawing.crops import FONT
from cta_data.reports.figures.style import SMALL, WIDTH_IN, new_figure, settings
from cta_data.reports.flow import (
    ADDED,
    EXCLUDED,
    EXTERNAL_TEST,
    INTERNAL_TEST,
    TRAINING,
    UNASSIGNED,
)

FILLS = {
    ADDED: "#FFFFFF",
    TRAINING: "#CFE3F1",
    INTERNAL_TEST: "#FBE0CC",
    EXTERNAL_TEST: "#CDEBE1",
    UNASSIGNED: "#FFFFFF",
    EXCLUDED: "#F2F2F2",
}
"""Tints of Okabe and Ito's colours; every box says in words what it is."""
MOST_REASONS = 6
_LINE, _PADDING, _GAP, _BETWEEN = 0.17, 0.08, 0.1, 0.26  # inches
_LEFT_WIDTH, _RIGHT_AT, _COUNTS_AT = 2.3, 3.0, 2.2
_LETTERS = 96  # of a line of a box on the right


@dataclass(frozen=True)
class Box:
    """A box of the diagram: its stage, its name and counts, and lines below them."""

    stage: str
    name: str
    counts: str = ""
    lines: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        """Height in inches."""
        return (1 + len(self.lines)) * _LINE + 2 * _PADDING


def flow_figure(flow: pd.DataFrame) -> Figure:
    """Draw each cohort's flow: what was added on the left, where it went on the right.

    Parameters
    ----------
    flow
        As `patient_flow` returns it.
    """
    rows = [(added_box(part), end_boxes(part)) for _, part in flow.groupby("cohort", sort=True)]
    if len(rows) > 1:
        rows.append(_totals(flow))
    heights = [max(left.height, _stacked(right)) for left, right in rows]
    height = sum(heights) + _BETWEEN * len(heights)
    figure = new_figure(height)
    figure.set_layout_engine("none")
    with settings():
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH_IN)
        axes.set_ylim(height, 0)
        top = _BETWEEN / 2
        for number, ((left, right), tall) in enumerate(zip(rows, heights, strict=True)):
            if len(rows) > 1 and number == len(rows) - 1:
                line = top - _BETWEEN / 2
                axes.plot([0.1, WIDTH_IN - 0.1], [line] * 2, color="0.4", linewidth=0.8)
            _draw_row(axes, top, tall, left, right)
            top += tall + _BETWEEN
    return figure


def flow_alt(flow: pd.DataFrame) -> str:
    """Return what the figure shows in words: where the subject-sessions of each cohort went."""
    parts = []
    for cohort, part in flow.groupby("cohort", sort=True):
        added = part.loc[part["stage"] == ADDED, "sessions"].iloc[0]
        ends = part[part["stage"] != ADDED].groupby(["stage", "quality"], sort=False)["sessions"]
        sums = ends.sum().reset_index().itertuples(index=False, name=None)
        told = (" ".join(filter(None, (stage, quality, str(n)))) for stage, quality, n in sums)
        parts.append(f"{cohort}: {added} added; {', '.join(told)}")
    return f"Boxes and arrows: subject-sessions by cohort. {'. '.join(parts)}."


def added_box(flow: pd.DataFrame) -> Box:
    """Return the box of what was added to a cohort; `flow` is the cohort's part."""
    row = flow[flow["stage"] == ADDED].iloc[0]
    return Box(ADDED, f"Added: cohort {row['cohort']}", lines=counts_in_words(row))


def end_boxes(flow: pd.DataFrame) -> tuple[Box, ...]:
    """Return the boxes of a cohort's ends; the excluded are one box with all reasons."""
    boxes = []
    for row in flow[~flow["stage"].isin([ADDED, EXCLUDED])].to_dict("records"):
        boxes.append(Box(row["stage"], _name(row), ", ".join(counts_in_words(row))))
    gone = flow[flow["stage"] == EXCLUDED]
    return (*boxes, _excluded_box(gone)) if len(gone) else tuple(boxes)


def counts_in_words(row: Any) -> tuple[str, ...]:
    """Return the three counts of a row, each in words."""
    nouns = (("sessions", "subject-session"), ("patients", "patient"), ("lesions", "lesion"))
    return tuple(f"{row[key]} {noun}{'' if row[key] == 1 else 's'}" for key, noun in nouns)


def _name(row: dict[Hashable, Any]) -> str:
    name = str(row["stage"]).capitalize() + (" set" if "test" in row["stage"] else "")
    return f"{name}, {row['quality']}" if row["quality"] else name


def _excluded_box(gone: pd.DataFrame) -> Box:
    told = [(row["sessions"], row["reason"]) for row in gone.to_dict("records")]
    if len(told) > MOST_REASONS:
        # Those that are not told one by one are told as a sum: the lines add up to the box.
        rest = sum(number for number, _ in told[MOST_REASONS - 1 :])
        told = [*told[: MOST_REASONS - 1], (rest, "other reasons")]
    lines: list[str] = []
    for number, reason in told:
        lines += textwrap.wrap(f"{number}: {reason}", _LETTERS, subsequent_indent="    ")
    sums = gone[["sessions", "patients", "lesions"]].sum()
    return Box(EXCLUDED, "Excluded", ", ".join(counts_in_words(sums)), tuple(lines))


def _totals(flow: pd.DataFrame) -> tuple[Box, tuple[Box, ...]]:
    """Return the boxes of all cohorts together, without reasons."""
    counts = ["sessions", "patients", "lesions"]
    sums = flow.groupby(["stage", "quality"], as_index=False)[counts].sum()
    order = {stage: number for number, stage in enumerate(FILLS)}
    rows = sorted(sums.to_dict("records"), key=lambda row: (order[row["stage"]], row["quality"]))
    added, *ends = (Box(row["stage"], _name(row), ", ".join(counts_in_words(row))) for row in rows)
    return Box(ADDED, "All cohorts", lines=tuple(added.counts.split(", "))), tuple(ends)


def _stacked(boxes: tuple[Box, ...]) -> float:
    return sum(box.height for box in boxes) + _GAP * (len(boxes) - 1)


def _draw_row(axes: Axes, top: float, tall: float, left: Box, right: tuple[Box, ...]) -> None:
    middle = top + tall / 2
    edge, trunk = 0.1 + _LEFT_WIDTH, (0.1 + _LEFT_WIDTH + _RIGHT_AT) / 2
    _draw_box(axes, 0.1, middle - left.height / 2, _LEFT_WIDTH, left)
    at = top + (tall - _stacked(right)) / 2
    middles = []
    for box in right:
        _draw_box(axes, _RIGHT_AT, at, WIDTH_IN - 0.1 - _RIGHT_AT, box)
        middles.append(at + box.height / 2)
        at += box.height + _GAP
    line: Any = {"color": "black", "linewidth": 0.9, "solid_capstyle": "butt"}
    axes.plot([edge, trunk], [middle, middle], **line)
    axes.plot([trunk, trunk], [min([middle, *middles]), max([middle, *middles])], **line)
    for height in middles:
        axes.annotate(
            "", (_RIGHT_AT, height), (trunk, height),
            arrowprops={"arrowstyle": "-|>", "linewidth": 0.9, "color": "black",
                        "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8},
        )  # fmt: skip


def _draw_box(axes: Axes, left: float, top: float, width: float, box: Box) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left, top), width, box.height, boxstyle="square,pad=0",
            facecolor=FILLS[box.stage], edgecolor="black", linewidth=0.9,
            linestyle="--" if box.stage in (EXCLUDED, UNASSIGNED) else "-",
        )
    )  # fmt: skip
    first = top + _PADDING + _LINE / 2
    texts = [
        (left + 0.09, first, box.name, "bold"),
        (left + _COUNTS_AT, first, box.counts, "normal"),
    ]
    for number, line in enumerate(box.lines, start=1):
        texts.append((left + 0.09, first + number * _LINE, line, "normal"))
    for x, y, text, weight in texts:
        axes.text(
            x, y, text, va="center", fontsize=SMALL + 0.5, weight=weight, family=FONT,
            parse_math=False,
        )  # fmt: skip
