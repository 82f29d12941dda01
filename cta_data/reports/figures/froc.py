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
    "candidates": "candidates, by their score",
    "foreground": "voxels from 0.001",
}
"""What reliability diagrams are of; the table of calibration errors has all voxels as well."""


def froc_figure(analysis: ProbabilityAnalysis) -> Figure:
    """Draw one panel a test set: sensitivity against false positives per case, with its band.

    Bands are pointwise intervals by drawing patients. A curve ends where all candidates are
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
    told = "; ".join(f"{_panel_title(one)}: {_levels_in_words(one)}" for one in analysis.sets)
    return f"Sensitivity against false positives per case. {told}."


def _levels_in_words(one: SetAnalysis) -> str:
    parts = [
        f"{100 * level.sensitivity.estimate:.0f} % at {level.level:g}"
        for level in one.curve.levels
        if level.is_reached
    ]
    last = one.curve.points[-1:]
    parts += [f"{100 * p.sensitivity:.0f} % at its end ({p.fp_per_case:.2g})" for p in last]
    return ", ".join(parts) or "no candidate"


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
        told.append(f"{_panel_title(one)}: {high} of {len(scores)} candidates from 0.95 on")
    return f"Histograms of the scores of candidates. {'; '.join(told)}."


def reliability_figure(analysis: ProbabilityAnalysis) -> Figure:
    """Draw the share that is lesion against the mean probability: of candidates, and of voxels.

    One row of panels a test set.
    """
    models = _models(analysis)
    test_sets = in_paper_order(one.curve.test_set for one in analysis.sets)
    figure = new_figure(0.8 + 2.9 * len(test_sets))
    with settings():
        rows = figure.subplots(len(test_sets), len(OF), squeeze=False, sharex=True, sharey=True)
        for row, test_set in zip(rows, test_sets, strict=True):
            for axes, (of, title) in zip(row, OF.items(), strict=True):
                axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
                for one in analysis.sets:
                    if one.curve.test_set == test_set:
                        _reliability(axes, one, of, models.index(one.curve.model))
                whose = f"{name_of_test_set(test_set)}: {title}" if test_set else title
                axes.set_title(whose, fontsize=10)
                axes.set_xlim(0, 1)
                axes.set_ylim(-0.03, 1.03)
                show_percent(axes)
        figure.supxlabel("Mean probability", fontsize=9)
        figure.supylabel("Share that is lesion", fontsize=9)
        handles, labels = _legend(list(rows.flat))
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _reliability(axes: Axes, one: SetAnalysis, of: CalibratedOf, number: int) -> None:
    found = next(part for part in one.reliability if part.of == of)
    rows = [row for row in found.rows if row.number]
    axes.plot(
        [row.mean_probability for row in rows],
        [row.share_of_lesion for row in rows],
        linewidth=1,
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        color=MODEL_COLOURS[number % len(MODEL_COLOURS)],
        label=f"model {one.curve.model}",
    )


def reliability_alt(analysis: ProbabilityAnalysis) -> str:
    """Return in words what the reliability diagrams show."""
    told = "; ".join(
        f"{_panel_title(one)}, "
        + ", ".join(
            f"{OF[part.of]}: {part.expected_error:.3f}" for part in one.reliability if part.of in OF
        )
        for one in analysis.sets
    )
    return f"Reliability diagrams of candidates and voxels. Expected calibration errors: {told}."
