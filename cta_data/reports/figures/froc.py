"""FROC curves with their bands, scores of candidates, and reliability diagrams."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from cta_data.reports.figures.style import (
    MARKERS,
    MODEL_COLOURS,
    SMALL,
    grid_height,
    new_figure,
    panel_grid,
    settings,
    show_percent,
)
from cta_data.reports.names import name_of_test_set
from cta_data.scoring.paper import in_paper_order
from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis, SetAnalysis
from cta_data.scoring.probabilities.calibration import CalibratedOf

LEFT, RIGHT = 1 / 16, 16.0
"""Ends of the axis of false positives per case."""
SCORE_BINS = 20
OF: dict[CalibratedOf, str] = {
    "candidates": "Candidates, by their score",
    "foreground": "Voxels with a probability of 0.001 or more",
}


def froc_figure(analysis: ProbabilityAnalysis) -> Figure:
    """Draw one panel a test set: sensitivity against false positives per case, with its band.

    Bands are pointwise 95 % intervals by drawing patients. A curve ends where all candidates are
    kept; markers are the levels of the table.
    """
    sets = [one.curve.test_set for one in analysis.sets]
    test_sets = in_paper_order(sets)
    models = _models(analysis)
    figure = new_figure(grid_height(len(test_sets), 3.2))
    with settings():
        panels = panel_grid(figure, len(test_sets), sharey=True)
        for axes, test_set in zip(panels, test_sets, strict=True):
            for one in analysis.sets:
                if one.curve.test_set == test_set:
                    _curve(axes, one, models.index(one.curve.model))
            axes.set_xscale("log", base=2)
            axes.set_xlim(LEFT, RIGHT)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_ylim(-0.03, 1.03)
            show_percent(axes)
            axes.set_title(name_of_test_set(test_set) if test_set else "", fontsize=10)
        figure.supxlabel("False positives per case", fontsize=9)
        figure.supylabel("Sensitivity", fontsize=9)
        handles, labels = _legend(panels)
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _models(analysis: ProbabilityAnalysis) -> list[str]:
    return sorted({one.curve.model for one in analysis.sets})


def _legend(panels: list[Axes]) -> tuple[list[Artist], list[str]]:
    """Return handles and labels of all panels, each model once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _curve(axes: Axes, one: SetAnalysis, number: int) -> None:
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    marker = MARKERS[number % len(MARKERS)]
    curve = one.curve
    x = [0.0, *(point.fp_per_case for point in curve.points)]
    y = [0.0, *(point.sensitivity for point in curve.points)]
    # A logarithmic axis has no 0: what is left of it stands at its end.
    axes.step(np.maximum(x, LEFT), y, where="post", color=colour, label=f"model {curve.model}")
    last = x[-1]
    band = [(level, found) for level, found in curve.band if level <= max(last, LEFT)]
    if band:
        levels = [level for level, _ in band]
        low, high = ([getattr(found, end) for _, found in band] for end in ("low", "high"))
        axes.fill_between(levels, low, high, color=colour, alpha=0.18, linewidth=0)
    shown = [level for level in curve.levels if level.is_reached]
    axes.plot(
        [level.level for level in shown],
        [level.sensitivity.estimate for level in shown],
        linestyle="none",
        marker=marker,
        markersize=4,
        color=colour,
    )


def froc_alt(analysis: ProbabilityAnalysis) -> str:
    """Return in words what the figure of the curves shows."""
    told = "; ".join(
        f"{one.curve.name}: "
        + ", ".join(
            f"{level.sensitivity.estimate:.2f} at {level.level:g}" for level in one.curve.levels
        )
        for one in analysis.sets
    )
    return f"Sensitivity against false positives per case. {told}."


def score_figure(analysis: ProbabilityAnalysis) -> Figure:
    """Draw one panel a model and test set: scores of candidates, of lesions and of none."""
    figure = new_figure(grid_height(len(analysis.sets), 2.3))
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    with settings():
        panels = panel_grid(figure, len(analysis.sets))
        for axes, one in zip(panels, analysis.sets, strict=True):
            parts: dict[bool, list[float]] = {True: [], False: []}
            for found in one.found.candidates:
                parts[found.detected].append(getattr(found, one.curve.score))
            axes.hist(
                [parts[True], parts[False]],
                bins=edges.tolist(),
                stacked=True,
                color=[MODEL_COLOURS[0], MODEL_COLOURS[1]],
                label=["detects a lesion", "false positive"],
            )
            axes.set_xlim(0, 1)
            axes.set_title(_panel_title(one), fontsize=10)
        figure.supxlabel("Score of the candidate", fontsize=9)
        figure.supylabel("Candidates", fontsize=9)
        handles, labels = _legend(panels)
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _panel_title(one: SetAnalysis) -> str:
    test_set = one.curve.test_set
    name = f", {name_of_test_set(test_set)}" if test_set else ""
    return f"model {one.curve.model}{name}"


def score_alt(analysis: ProbabilityAnalysis) -> str:
    """Return in words what the figure of the scores shows."""
    told = []
    for one in analysis.sets:
        scores = [getattr(found, one.curve.score) for found in one.found.candidates]
        high = sum(score >= 1 - 1 / SCORE_BINS for score in scores)
        told.append(f"{one.curve.name}: {high} of {len(scores)} candidates above 0.95")
    return f"Scores of candidates. {'; '.join(told)}."


def reliability_figure(analysis: ProbabilityAnalysis) -> Figure:
    """Draw the share that is lesion against the mean probability: of candidates, and of voxels."""
    models = _models(analysis)
    styles = ("-", "--", ":", "-.")
    test_sets = in_paper_order(one.curve.test_set for one in analysis.sets)
    figure = new_figure(4.2)
    with settings():
        panels = panel_grid(figure, len(OF), sharey=True)
        for axes, (of, title) in zip(panels, OF.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
            for one in analysis.sets:
                number = models.index(one.curve.model)
                style = styles[test_sets.index(one.curve.test_set) % len(styles)]
                _reliability(axes, one, of, number, style)
            axes.set_title(title, fontsize=10)
            axes.set_xlim(0, 1)
            axes.set_ylim(-0.03, 1.03)
            show_percent(axes)
            axes.legend(fontsize=SMALL, frameon=False, loc="lower right")
        figure.supxlabel("Mean probability", fontsize=9)
        figure.supylabel("Share that is lesion", fontsize=9)
    return figure


def _reliability(axes: Axes, one: SetAnalysis, of: CalibratedOf, number: int, style: str) -> None:
    found = next(part for part in one.reliability if part.of == of)
    rows = [row for row in found.rows if row.number]
    axes.plot(
        [row.mean_probability for row in rows],
        [row.share_of_lesion for row in rows],
        style,
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        color=MODEL_COLOURS[number % len(MODEL_COLOURS)],
        label=f"{_panel_title(one)}: error {found.expected_error:.3f}",
    )


def reliability_alt(analysis: ProbabilityAnalysis) -> str:
    """Return in words what the reliability diagrams show."""
    told = "; ".join(
        f"{one.curve.name}: "
        + ", ".join(f"{part.of} {part.expected_error:.3f}" for part in one.reliability)
        for one in analysis.sets
    )
    return f"Reliability diagrams. Expected calibration errors: {told}."
