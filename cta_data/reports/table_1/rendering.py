"""Table 1 as HTML, CSV and LaTeX: the same content gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

import pandas as pd

from cta_data.reports.table_1.populations import is_unpartitioned
from cta_data.reports.table_1.wide_layout import Cell, WideTable, wide_table
from cta_data.scoring.published import PAPER_CITATION

CAPTION = (
    "Patients and lesions. “Ours” is computed from the tables of this study, “paper” is what the "
    "paper printed, “difference” is ours minus paper."
)
FOOTNOTE = (
    "— no value: not given, or not printed. Sex, age, primary tumour and prior radiotherapy count "
    "each patient once. Lesion volumes are those of evaluated sessions on the grid of the "
    "technique that the lesions were drawn on; quartiles are linear, SD has n − 1."
)
STYLE = """\
body { font: 14px/1.4 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; margin-bottom: 1em; max-width: 60em; }
th, td { padding: .2em .7em; text-align: right; white-space: nowrap; }
th[scope=row], th.group { text-align: left; font-weight: normal; }
th.group { font-weight: bold; padding-top: .8em; }
thead th { border-bottom: 1px solid #1a1a1a; text-align: center; }
td.paper { color: #1f4e99; background: #f1f5fb; }
td.difference { color: #555; }
.ours { border-left: 1px solid #bbb; }
@media print { body { margin: 0; font-size: 9px; } }
"""
LATEX_TEXT = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "³": "$^3$",
    "“": "``",
    "”": "''",
}


def table_csv(frame: pd.DataFrame) -> str:
    """Return the long form as CSV: one line a population and row, empty where there is no value."""
    return frame.to_csv(index=False, lineterminator="\n")


def notice_html(text: str) -> str:
    """Return the line that a page of results begins with; nothing where there is none."""
    return f"<p><strong>{escape(text)}</strong></p>\n" if text else ""


def table_html(frame: pd.DataFrame, left_out: pd.DataFrame, notice: str = "") -> str:
    """Return a page of its own, without anything that is loaded from elsewhere.

    Parameters
    ----------
    frame
        Long form, as `population_table` returns it.
    left_out
        Patients that count in no population: columns cohort, subject, reason.
    notice
        A line that the page begins with.
    """
    wide = wide_table(frame)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f"<title>Table 1</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
            notice_html(notice),
            f"<table>\n<caption><strong>Table 1.</strong> {escape(CAPTION)}</caption>",
            *_html_head(wide),
            "<tbody>",
            *_html_body(wide),
            "</tbody>\n</table>",
            f"<p>{escape(FOOTNOTE)}</p>",
            f"<p>Paper: {_html_links(PAPER_CITATION)}</p>",
            *(f"<p>{escape(note)}</p>" for note in unpartitioned_notes(frame)),
            *_html_left_out(left_out),
            "</body>\n</html>\n",
        ]
    )


def unpartitioned_notes(frame: pd.DataFrame) -> list[str]:
    """Say which populations are not split into train and test yet."""
    return [
        f"{name}: not yet split into train and test; a build does that."
        for name in dict.fromkeys(frame["population"])
        if is_unpartitioned(str(name))
    ]


def _html_head(wide: WideTable) -> list[str]:
    top = ['<th rowspan="2"></th>']
    second = []
    for population in wide.populations:
        span = ' colspan="3"' if population.is_published else ""
        top.append(f'<th{span} class="ours">{escape(population.name)}</th>')
        second.append('<th class="ours">ours</th>')
        if population.is_published:
            second += ["<th>paper</th>", "<th>difference</th>"]
    return ["<thead>", f"<tr>{''.join(top)}</tr>", f"<tr>{''.join(second)}</tr>", "</thead>"]


def _html_body(wide: WideTable) -> list[str]:
    columns = 1 + sum(3 if population.is_published else 1 for population in wide.populations)
    rows = []
    group = ""
    for line, cells in wide.lines:
        if line.group != group:
            group = line.group
            rows.append(f'<tr><th class="group" colspan="{columns}">{escape(group)}</th></tr>')
        row = [f'<th scope="row">{escape(line.label)}</th>']
        for population, cell in zip(wide.populations, cells, strict=True):
            row.append(f'<td class="ours">{escape(cell.ours)}</td>')
            if population.is_published:
                row.append(f'<td class="paper">{escape(cell.published)}</td>')
                row.append(f'<td class="difference">{escape(cell.difference)}</td>')
        rows.append(f"<tr>{''.join(row)}</tr>")
    return rows


def _html_links(text: str) -> str:
    return re.sub(r"https?://\S+", lambda m: f'<a href="{m[0]}">{m[0]}</a>', escape(text))


def _html_left_out(left_out: pd.DataFrame) -> list[str]:
    if left_out.empty:
        return []
    told = [
        f"<li>{escape(cohort)} sub-{escape(subject)}: {escape(reason)}</li>"
        for cohort, subject, reason in left_out.itertuples(index=False, name=None)
    ]
    return [f"<p>Counted in no population: {len(told)} patients</p>", "<ul>", *told, "</ul>"]


def table_latex(frame: pd.DataFrame) -> str:
    r"""Return a `tabular` for `\input`; it needs the package booktabs."""
    wide = wide_table(frame)
    columns = "l" + "".join("rrr" if p.is_published else "r" for p in wide.populations)
    lines = [
        r"% \usepackage{booktabs}",
        f"% {_latex(CAPTION)}",
        f"% Paper: {PAPER_CITATION}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *_latex_head(wide),
        r"\midrule",
    ]
    group = ""
    for line, cells in wide.lines:
        if line.group != group:
            lines += [r"\addlinespace"] if group else []
            group = line.group
            lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{\textbf{{{_latex(group)}}}}} \\")
        texts = [r"\quad " + _latex(line.label), *_latex_cells(wide, cells)]
        lines.append(" & ".join(texts) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_head(wide: WideTable) -> list[str]:
    names, rules, second = [""], [], [""]
    first = 2
    for population in wide.populations:
        width = 3 if population.is_published else 1
        names.append(rf"\multicolumn{{{width}}}{{c}}{{{_latex(population.name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        second += ["ours", "paper", "difference"][:width]
        first += width
    return [" & ".join(names) + r" \\", "".join(rules), " & ".join(second) + r" \\"]


def _latex_cells(wide: WideTable, cells: Iterable[Cell]) -> list[str]:
    texts = []
    for population, cell in zip(wide.populations, cells, strict=True):
        texts.append(_latex(cell.ours))
        if population.is_published:
            texts += [_latex(cell.published), _latex(cell.difference)]
    return texts


def _latex(text: str) -> str:
    return "".join(LATEX_TEXT.get(character, character) for character in text)
