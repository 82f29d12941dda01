"""Scores of masks on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from cta_data.reports.names import SURFACE_NAMES
from cta_data.scoring.case import CaseScore
from cta_data.scoring.collection import Scores
from cta_data.scoring.output import label_text
from cta_data.scoring.surfaces import DISTANCES, NOTHING
from cta_data.terminal.output import table_of

MOST_CASES = 40


def score_lines(scores: Scores) -> Iterator[str | Table]:
    """Yield which rules were used, a line a case, and the summary of several."""
    options = scores.convention.options() | {"label": label_text(scores.label)}
    told = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    yield f"convention {scores.convention.name}: {told}"
    rows = []
    for one in scores.cases[:MOST_CASES]:
        counts = (one.n_reference, one.n_predicted, one.tp, one.fp, one.fn)
        values = (one.sensitivity, one.ppv, one.f1, one.lesionwise_dice, one.voxel_dice)
        rows.append([one.case, *map(str, counts), *map(_number, values)])
    names = ("case", "reference", "predicted", "TP", "FP", "FN", "sensitivity", "PPV", "F1")
    yield table_of(*names, "lesion Dice", "voxel Dice", rows=rows)
    if any(one.surface for one in scores.cases):
        yield _surface_table(scores.cases[:MOST_CASES])
    if len(scores.cases) > MOST_CASES:
        yield f"… and {len(scores.cases) - MOST_CASES} more cases; --json or --out has all"
    if len(scores.cases) > 1:
        rows = []
        for name, over in scores.summary().items():
            spread = (over.mean, over.sd, over.median, over.q1, over.q3)
            rows.append([name, str(over.n), str(over.n_undefined), *map(_number, spread)])
        yield table_of("metric", "n", "undefined", "mean", "SD", "median", "Q1", "Q3", rows=rows)


def _surface_table(cases: Sequence[CaseScore]) -> Table:
    """Return the surface distances of whole masks; those of lesions are in the files."""
    rows = [
        [one.case, *(_number(getattr(one.surface or NOTHING, name)) for name in DISTANCES)]
        for one in cases
    ]
    return table_of("case", *(SURFACE_NAMES[name] for name in DISTANCES), rows=rows)


def missing_lines(scores: Scores) -> Iterator[str]:
    """Yield which cases have no score, and why."""
    for case, reason in scores.failed:
        yield f"not scored: {case}: {reason}"
    for case in scores.pairing.without_prediction:
        yield f"not scored: {case}: there is no prediction of that name"
    for case in scores.pairing.without_reference:
        yield f"not scored: {case}: there is no reference of that name"
    for value in scores.absent_labels:
        yield f"no voxel of any mask has the label {value} (--label)"


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"
