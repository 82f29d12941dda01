"""Score tables for print: HTML, CSV and LaTeX, ours and the paper's in columns of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from cta_data.evaluation.experiment.score_table import TITLES
from cta_data.evaluation.published import PAPER_CITATION
from cta_data.evaluation.rendering import LATEX_TEXT, STYLE

METRIC_NAMES = {
    "f1": "F1 (instances)",
    "ppv": "PPV (instances)",
    "sensitivity": "Sensitivity (instances)",
    "lesionwise_dice": "Lesion-wise Dice",
    "lesionwise_ppv": "Lesion-wise PPV",
    "lesionwise_sensitivity": "Lesion-wise sensitivity",
}
HEAD = (
    "Test set",
    "Metric",
    "Model",
    "n",
    "undefined",
    "mean ± SD, %",
    "median (Q1–Q3), %",
    "paper: mean ± SD, %",
    "paper: median (Q1–Q3), %",
)
TESTS = ("p Wilcoxon", "p Holm", "p Mann–Whitney", "paper: p")
MISSING = "—"


def printed_rows(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and the rows of a score table as texts."""
    tests = "published_p_value" in frame
    rows = []
    for row in frame.to_dict("records"):
        texts = [
            str(row["test_set"]),
            METRIC_NAMES[row["metric"]],
            str(row["model"]),
            str(row["n"]),
            str(row["n_undefined"]),
            _spread(row, ""),
            _quartiles(row, ""),
            _spread(row, "published_"),
            _quartiles(row, "published_"),
        ]
        if tests:
            names = ("wilcoxon_p", "holm_p", "mann_whitney_p", "published_p_value")
            # The test is of two models: it stands with the second.
            told = [_p(row.get(name, math.nan)) for name in names]
            texts += told if row["model"] == "B" else [""] * len(names)
        rows.append(tuple(texts))
    return (HEAD + TESTS if tests else HEAD), rows


def score_html(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return a page of its own for one table; nothing is loaded from elsewhere."""
    title = _title(name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{score_section(frame, name, convention)}</body>\n</html>\n"
    )


def score_section(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table alone, to be part of a page."""
    head, rows = printed_rows(frame)
    lines = [f"<table>\n<caption><strong>{escape(_title(name))}.</strong> "]
    lines.append(f"{escape(_caption(convention, tests=TESTS[0] in head))}</caption>\n<thead><tr>")
    lines += [f"<th>{escape(text)}</th>" for text in head]
    lines.append("</tr></thead>\n<tbody>\n")
    for row in rows:
        cells = [
            f'<td class="paper">{escape(text)}</td>'
            if title.startswith("paper")
            else f"<td>{escape(text)}</td>"
            for title, text in zip(head, row, strict=True)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    lines.append(f"</tbody>\n</table>\n<p>Paper: {escape(PAPER_CITATION)}.</p>\n")
    return "".join(lines)


def score_latex(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table as LaTeX with booktabs' rules."""
    head, rows = printed_rows(frame)
    lines = [
        f"% {_title(name)}. {_caption(convention, tests=TESTS[0] in head)}",
        f"\\begin{{tabular}}{{lll{'r' * (len(head) - 3)}}}",
        "\\toprule",
        " & ".join(map(_latex, head)) + r" \\",
        "\\midrule",
    ]
    lines += [" & ".join(map(_latex, row)) + r" \\" for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _title(name: str) -> str:
    return f"{name.replace('_', ' ').capitalize().replace('s1', 'S1')}. {TITLES[name]}"


def _caption(convention: str, *, tests: bool) -> str:
    told = (
        f"Scored by the convention “{convention}”. SD has n − 1, quartiles are linear; cases in "
        "which a metric is undefined are counted and left out. Columns named paper are what the "
        "paper printed."
    )
    if not tests:
        return told
    return (
        f"{told} Wilcoxon's signed-rank test of B against A is paired and primary; Holm adjusts it "
        "for the metrics of the test set; Mann–Whitney takes the same cases as unpaired."
    )


def _spread(row: Mapping[Any, Any], prefix: str) -> str:
    mean, sd = row[f"{prefix}mean"], row[f"{prefix}sd"]
    if math.isnan(mean):
        return MISSING
    return f"{100 * mean:.1f} ± {MISSING if math.isnan(sd) else f'{100 * sd:.1f}'}"


def _quartiles(row: Mapping[Any, Any], prefix: str) -> str:
    values = [row[f"{prefix}{name}"] for name in ("median", "q1", "q3")]
    if any(math.isnan(value) for value in values):
        return MISSING
    median, low, high = (f"{100 * value:.1f}" for value in values)
    return f"{median} ({low}–{high})"


def _p(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _latex(text: str) -> str:
    return "".join({**LATEX_TEXT, "<": "$<$"}.get(letter, letter) for letter in text)
