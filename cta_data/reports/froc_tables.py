"""FROC as tables for people: levels, classes of size, differences, average precision."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cta_data.reasons import counted
from cta_data.reports.names import name_of_test_set
from cta_data.reports.subgroup_table import SMALL, SMALL_TEXT
from cta_data.reports.table import MISSING, Row, Table, TableColumn, number_text
from cta_data.scoring.models.subgroups import is_small
from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis, SetAnalysis
from cta_data.scoring.probabilities.candidates import SCORES, ScoreName
from cta_data.scoring.probabilities.comparison import FrocDifference
from cta_data.scoring.probabilities.curve import ClassFigure, Curve, LevelFigure
from cta_data.scoring.statistics import Interval

SCORE_NAMES: dict[ScoreName, str] = {
    "mean": "Mean",
    "maximum": "Maximum",
    "percentile_95": "95th percentile",
}
UNITS = {"diameter_mm": ("mm", 1.0), "volume_mm3": ("cm³", 1000.0)}
"""Unit that a measure is shown in, and how many of its own unit that is."""
MEASURES = {"diameter_mm": "Largest diameter", "volume_mm3": "Lesion volume"}
ALL_KEPT = "*"
NONE_KEPT = "†"
MARKS_TEXT = (
    f"{ALL_KEPT}: all candidates are kept; there are no more false positives. {NONE_KEPT}: none is "
    "kept; even the highest score, which several candidates may share, has more false positives."
)
NO_INTERVAL = (
    "There is no interval below three patients, where a resample may hold no such lesion, or where "
    "patients do not differ."
)


def level_table(analysis: ProbabilityAnalysis) -> Table:
    """Return sensitivity at each number of false positives per case, a line a model."""
    levels = [one.level for one in analysis.sets[0].curve.levels]
    columns = (
        TableColumn("Model", "name"),
        TableColumn("Cases"),
        TableColumn("Lesions"),
        *(TableColumn(f"{level:g}", group="False positives per case") for level in levels),
        TableColumn("Average precision", unit="%"),
    )
    rows = tuple(
        Row((*_of_set(one), *_levels(one.curve), _figure(one.curve.average_precision)), _group(one))
        for one in analysis.sets
    )
    caption = (
        f"Sensitivity over all lesions, %, with its {_confidence(analysis)} % interval by drawing "
        "patients, at the lowest score with so many false positives per case or fewer. "
        f"{MARKS_TEXT}"
    )
    return Table(columns, rows, "Sensitivity at equal false positives", caption)


def _confidence(analysis: ProbabilityAnalysis) -> str:
    return f"{100 * analysis.drawn.confidence:g}"


def _of_set(one: SetAnalysis) -> tuple[str, ...]:
    curve = one.curve
    return f"model {curve.model}", str(curve.cases), str(curve.lesions)


def _group(one: SetAnalysis) -> str:
    return name_of_test_set(one.curve.test_set) if one.curve.test_set else ""


def _levels(curve: Curve) -> tuple[str, ...]:
    return tuple(_figure(one.sensitivity) + _mark(one) for one in curve.levels)


def _mark(level: LevelFigure) -> str:
    """Return the mark of a level at which a model keeps all of its candidates, or none."""
    if level.keeps_none:
        return NONE_KEPT
    return "" if level.is_reached else ALL_KEPT


def class_table(analysis: ProbabilityAnalysis, measure: str) -> Table:
    """Return sensitivity by class of size, a line a class of each model."""
    unit, scale = UNITS[measure]
    levels = [one.level for one in analysis.sets[0].curve.levels]
    columns = (
        TableColumn(MEASURES[measure], "name", unit),
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
            pairs = zip(own, one.curve.levels, strict=True)
            figures = (_figure(found.sensitivity) + _mark(level) for found, level in pairs)
            lesions, patients = own[0].lesions, own[0].patients
            mark = SMALL if is_small(lesions, patients) else ""
            name = _range(low / scale, high / scale)
            cells = (name, f"{lesions}{mark}", str(patients), *figures)
            rows.append(Row(cells, f"Model {one.curve.model}{where}"))
    title = f"Sensitivity at equal false positives, by {MEASURES[measure].lower()}"
    caption = (
        f"Sensitivity, %, with its {_confidence(analysis)} % interval by drawing patients. The "
        "lower end is in a class, the upper one is not; false positives are those of all "
        "candidates. "
        f"Classes without a lesion are left out. {NO_INTERVAL} {MARKS_TEXT} {SMALL_TEXT}"
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
        *(TableColumn(SCORE_NAMES[name], group="Average precision, %") for name in SCORES),
        TableColumn("Used here", "text"),
    )
    rows = tuple(
        Row(
            (
                f"model {one.curve.model}",
                *(number_text(100 * one.precisions[name], 1) for name in SCORES),
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


def difference_table(analysis: ProbabilityAnalysis) -> Table:
    """Return the second model minus the first at equal false positives, a line a level."""
    columns = (
        TableColumn("False positives per case", "name"),
        *(TableColumn(name, group="Model, %") for name in ("first", "second")),
        *(TableColumn(name, group="Second − first") for name in ("% points", "p", "Holm p")),
    )
    curves = {(one.curve.test_set, one.curve.model): one.curve for one in analysis.sets}
    rows = [
        row
        for pair in analysis.differences
        for row in _rows_of_pair(
            pair, *(curves[pair.test_set, model] for model in (pair.model_a, pair.model_b))
        )
    ]
    caption = (
        "Sensitivity of two models, in the order of their names here, each at its own threshold. "
        f"Intervals ({_confidence(analysis)} %) draw whole patients and set the thresholds anew. p "
        "exchanges the two models’ candidates patient by patient, at random, and sets the "
        f"thresholds anew as well; Holm adjusts it for the levels. {MARKS_TEXT}"
    )
    return Table(columns, tuple(rows), "Two models at equal false positives", caption)


def _rows_of_pair(pair: FrocDifference, first: Curve, second: Curve) -> Iterator[Row]:
    where = f" on {name_of_test_set(pair.test_set)}" if pair.test_set else ""
    group = f"models {pair.model_a} and {pair.model_b}{where}, {counted(pair.cases, 'case')}"
    alone = len(pair.only_a) + len(pair.only_b)
    group += f"; {alone} of one alone are left out" if alone else ""
    for one, *levels in zip(pair.levels, first.levels, second.levels, strict=True):
        values = zip((one.sensitivity_a, one.sensitivity_b), levels, strict=True)
        # A curve is of all cases of its model: of fewer, it does not tell what is reached.
        sides = (
            number_text(100 * value, 1) + ("" if alone else _mark(level)) for value, level in values
        )
        tests = (f"{one.p:.3g}", f"{one.holm_p:.3g}")
        yield Row((f"{one.level:g}", *sides, _signed(one.difference), *tests), group)
    cells = ("average precision", MISSING, MISSING, _signed(pair.average_precision))
    yield Row((*cells, MISSING, MISSING), group)


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
    ends = f" [{100 * found.low:.1f}, {100 * found.high:.1f}]" if _has_ends(found) else ""
    return f"{100 * found.estimate:.1f}{ends}"


def _signed(found: Interval) -> str:
    if math.isnan(found.estimate):
        return MISSING
    text = _with_sign(found.estimate)
    return text + (
        f" [{_with_sign(found.low)}, {_with_sign(found.high)}]" if _has_ends(found) else ""
    )


def _has_ends(found: Interval) -> bool:
    """Tell whether an interval says anything: one without width would look like certainty."""
    return not math.isnan(found.low) and found.low < found.high


def _with_sign(share: float) -> str:
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")
