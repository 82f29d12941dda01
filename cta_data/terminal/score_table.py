"""Scores of masks on a terminal."""

from __future__ import annotations

from cta_data.scoring.collection import Scores
from cta_data.scoring.output import label_text
from cta_data.terminal.output import console, error_console, print_table

MOST_CASES = 40


def print_scores(scores: Scores) -> None:
    """Print which rules were used, a line a case, and the summary of several."""
    options = scores.convention.options() | {"label": label_text(scores.label)}
    told = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    out = console()
    out.print(f"convention {scores.convention.name}: {told}", soft_wrap=True)
    rows = []
    for one in scores.cases[:MOST_CASES]:
        counts = (one.n_reference, one.n_predicted, one.tp, one.fp, one.fn)
        values = (one.sensitivity, one.ppv, one.f1, one.lesionwise_dice, one.voxel_dice)
        rows.append([one.case, *map(str, counts), *map(_number, values)])
    names = ("case", "reference", "predicted", "TP", "FP", "FN", "sensitivity", "PPV", "F1")
    print_table(*names, "lesion Dice", "voxel Dice", rows=rows)
    if len(scores.cases) > MOST_CASES:
        out.print(f"… and {len(scores.cases) - MOST_CASES} more cases; --json or --out has all")
    if len(scores.cases) > 1:
        rows = [
            [
                name,
                *(str(over.n), str(over.n_undefined)),
                *map(_number, (over.mean, over.sd, over.median, over.q1, over.q3)),
            ]
            for name, over in scores.summary().items()
        ]
        print_table("metric", "n", "undefined", "mean", "SD", "median", "Q1", "Q3", rows=rows)


def print_missing(scores: Scores) -> None:
    """Print which cases have no score, and why."""
    errors = error_console()
    for case, reason in scores.failed:
        errors.print(f"not scored: {case}: {reason}", soft_wrap=True)
    for case in scores.pairing.without_prediction:
        errors.print(f"not scored: {case}: there is no prediction of that name", soft_wrap=True)
    for case in scores.pairing.without_reference:
        errors.print(f"not scored: {case}: there is no reference of that name", soft_wrap=True)
    for value in scores.absent_labels:
        errors.print(f"no voxel of any mask has the label {value} (--label)", soft_wrap=True)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"
