"""FROC as tables for people: levels, classes of size, differences, average precision."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cta_data.reports.names import name_of_test_set
from cta_data.reports.table import MISSING, Row, Table, TableColumn, number_text
from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis, SetAnalysis
from cta_data.scoring.probabilities.candidates import SCORES, ScoreName
from cta_data.scoring.probabilities.comparison import FrocDifference
from cta_data.scoring.probabilities.curve import ClassFigure, Curve
from cta_data.scoring.statistics import Interval

SCORE_NAMES: dict[ScoreName, str] = {
    "mean": "Mean",
    "maximum": "Maximum",
    "percentile_95": "95th percentile",
}
UNITS = {"diameter_mm": "mm", "volume_mm3": "mm³"}
MEASURES = {"diameter_mm": "Largest diameter", "volume_mm3": "Volume"}


def level_table(analysis: ProbabilityAnalysis) -> Table:
    """Return sensitivity at each number of false positives per case, a line a model."""
    levels = [one.level for one in analysis.sets[0].curve.levels]
    columns = (
        TableColumn("Model", "name"),
        TableColumn("Cases"),
        TableColumn("Lesions"),
        *(TableColumn(f"{level:g}", group="False positives per case") for level in levels),
        TableColumn("Average precision"),
    )
    rows = tuple(
        Row((*_of_set(one), *_levels(one.curve), _figure(one.curve.average_precision)), _group(one))
        for one in analysis.sets
    )
    caption = (
        f"Sensitivity over all lesions, %, with its {100 * analysis.drawn.confidence:g} % interval "
        "by drawing patients, at the lowest score with so many false positives per case or fewer. "
        "* All candidates are kept: more false positives are not to be had."
    )
    return Table(columns, rows, "Sensitivity at equal false positives", caption)


def _of_set(one: SetAnalysis) -> tuple[str, ...]:
    curve = one.curve
    return f"model {curve.model}", str(curve.cases), str(curve.lesions)


def _group(one: SetAnalysis) -> str:
    return name_of_test_set(one.curve.test_set) if one.curve.test_set else ""


def _levels(curve: Curve) -> tuple[str, ...]:
    return tuple(_figure(one.sensitivity) + ("" if one.is_reached else "*") for one in curve.levels)


def class_table(analysis: ProbabilityAnalysis, measure: str) -> Table:
    """Return sensitivity by class of size, a line a class of each model."""
    levels = [one.level for one in analysis.sets[0].curve.levels]
    columns = (
        TableColumn(MEASURES[measure], "name", UNITS[measure]),
        TableColumn("Lesions"),
        TableColumn("Patients"),
        *(TableColumn(f"{level:g}", group="False positives per case") for level in levels),
    )
    rows = []
    for one in analysis.sets:
        of_size: dict[tuple[float, float], list[ClassFigure]] = {}
        for found in one.curve.classes:
            if found.size.measure == measure and found.lesions:
                of_size.setdefault((found.size.low, found.size.high), []).append(found)
        where = f" on {_group(one)}" if _group(one) else ""
        for (low, high), own in of_size.items():
            figures = (_figure(found.sensitivity) for found in own)
            cells = (_range(low, high), str(own[0].lesions), str(own[0].patients), *figures)
            rows.append(Row(cells, f"Model {one.curve.model}{where}"))
    title = f"Sensitivity by {MEASURES[measure].lower()}"
    caption = (
        "The lower end is in a class, the upper one is not; false positives are those of all "
        "candidates. Classes without a lesion are left out."
    )
    return Table(columns, tuple(rows), title, caption)


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"≥ {low:g}"
    return f"{low:g}–{high:g}" if low else f"< {high:g}"


def precision_table(analysis: ProbabilityAnalysis) -> Table:
    """Return the average precision along each score, a line a model."""
    columns = (
        TableColumn("Model", "name"),
        *(TableColumn(SCORE_NAMES[name], group="Score") for name in SCORES),
        TableColumn("Used here", "text"),
    )
    rows = tuple(
        Row(
            (
                f"model {one.curve.model}",
                *(number_text(one.precisions[name], 3) for name in SCORES),
                SCORE_NAMES[one.curve.score].lower(),
            ),
            _group(one),
        )
        for one in analysis.sets
    )
    caption = (
        "Average precision with the mean, the maximum or the 95th percentile of a candidate’s "
        "voxels as its score. Choose the score on validation folds, not here."
    )
    return Table(columns, rows, "Which score ranks candidates best", caption)


def difference_table(differences: Sequence[FrocDifference]) -> Table:
    """Return B minus A at equal false positives per case, a line a level."""
    columns = (
        TableColumn("False positives per case", "name"),
        TableColumn("A", unit="%"),
        TableColumn("B", unit="%"),
        TableColumn("B − A", unit="% points"),
        TableColumn("p"),
        TableColumn("Holm p"),
    )
    rows = []
    for pair in differences:
        where = f" on {name_of_test_set(pair.test_set)}" if pair.test_set else ""
        group = f"A: {pair.model_a}, B: {pair.model_b}{where}, {pair.cases} cases"
        for one in pair.levels:
            sides = (number_text(100 * s, 1) for s in (one.sensitivity_a, one.sensitivity_b))
            tests = (f"{one.p:.3g}", f"{one.holm_p:.3g}")
            cells = (f"{one.level:g}", *sides, _signed(one.difference), *tests)
            rows.append(Row(cells, group))
        cells = ("average precision", MISSING, MISSING, _signed(pair.average_precision))
        rows.append(Row((*cells, MISSING, MISSING), group))
    caption = (
        "Each model at its own threshold. Intervals draw whole patients and set the thresholds "
        "anew. p exchanges the two models’ candidates patient by patient, at random, and sets the "
        "thresholds anew as well; Holm adjusts it for the levels."
    )
    return Table(columns, tuple(rows), "Two models at equal false positives", caption)


def calibration_table(analysis: ProbabilityAnalysis) -> Table:
    """Return the expected calibration errors, a line a model."""
    columns = (
        TableColumn("Model", "name"),
        TableColumn("Candidates"),
        TableColumn("All voxels"),
        TableColumn("Voxels from 0.001"),
    )
    rows = tuple(
        Row(
            (
                f"model {one.curve.model}",
                *(number_text(part.expected_error, 4) for part in one.reliability),
            ),
            _group(one),
        )
        for one in analysis.sets
    )
    caption = (
        "Expected calibration error over 15 bins of equal width, from 0 (every probability is "
        "right) to 1. Nearly all voxels are background with a probability near 0, so that the "
        "error over all of them is small in any case."
    )
    return Table(columns, rows, "Calibration", caption)


def _figure(found: Interval) -> str:
    if math.isnan(found.estimate):
        return MISSING
    text = f"{100 * found.estimate:.1f}"
    if math.isnan(found.low):
        return text
    return f"{text} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _signed(found: Interval) -> str:
    if math.isnan(found.estimate):
        return MISSING
    text = f"{100 * found.estimate:+.1f}"
    if not math.isnan(found.low):
        text += f" [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return text.replace("-", "−")
