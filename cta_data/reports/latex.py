r"""A table in LaTeX: `tabular`s for `\input` that fit the page.

Groups of columns that do not fit beside each other come below each other, each with the names of
the rows; what is still a little too wide for the page of the document is made smaller. The same
content gives the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from cta_data.reports.table import (
    Row,
    Table,
    TableColumn,
    column_numbers,
    fitting_columns,
    with_columns,
)

PACKAGES = r"\usepackage{array,booktabs,graphicx}"
"""What a document needs."""
MOST_PT = 430.0
"""Width of columns beside each other, estimated: on the narrowest page in common use (345 pt, class
`article`) they are shrunk from 8 to 6.4 pt at most."""
LETTER_PT, SIGN_PT, GAP_PT = 4.4, 8.0, 6.0
"""Widths at 8 pt: of a letter, of a sign set as mathematics, and between columns."""
NAME_LETTERS, HEADING_LETTERS = 26, 14
"""Longer names of rows and headings are broken into lines."""
MOST_ROWS = 48
"""Rows of one tabular, so that it fits the height of a page."""
OPTIONS = ("[", "*")
"""What a command that ends or rules a line takes for its own, where a line begins with it."""
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
    "<": "$<$",
    ">": "$>$",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "³": "$^3$",
    "’": "'",
    "“": "``",
    "”": "''",
}


def latex(table: Table, comments: Iterable[str] = ()) -> str:
    r"""Return one or several `tabular`s for `\input`.

    Parameters
    ----------
    comments
        First lines, as they are.
    """
    lines = [f"% {comment}" for comment in (*comments, f"Needs {PACKAGES}")]
    lines += [r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\parindent}{0pt}"]
    for part in _parts(table):
        for rows in _pages(part.rows):
            lines += [r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"]
            lines += [*_tabular(part, rows), r"}\par\medskip"]
    return "\n".join([*lines, r"\endgroup", ""])


def _parts(table: Table) -> Iterator[Table]:
    """Yield groups of columns that fit beside each other, with the columns that are in no group."""
    if not table.spans:
        numbers = list(range(len(table.columns)))
        names = [n for n in numbers if table.columns[n].content == "name"]
        spans = [[n] for n in numbers if n not in names]
    else:
        names, *spans = column_numbers(table)
    parts = fitting_columns(names, spans, partial(_width, table), MOST_PT)
    for numbers in parts or [names]:
        yield with_columns(table, numbers)


def _pages(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for at in range(0, len(rows), MOST_ROWS):
        yield rows[at : at + MOST_ROWS]


def _width(table: Table, number: int) -> float:
    """Return the width of a column in points, estimated."""
    column = table.columns[number]
    texts = [row.cells[number] for row in table.rows] + _broken(column.heading)
    widest = max((_letters_pt(text) for text in texts), default=0.0)
    most = NAME_LETTERS * LETTER_PT if column.is_left else widest
    return min(widest, most) + GAP_PT


def _letters_pt(text: str) -> float:
    return sum(SIGN_PT if LATEX_TEXT.get(one, "").startswith("$") else LETTER_PT for one in text)


def _broken(heading: str) -> list[str]:
    return textwrap.wrap(heading, HEADING_LETTERS, break_long_words=False) or [""]


def _tabular(table: Table, rows: Sequence[Row]) -> list[str]:
    columns = "".join(_alignment(table, number) for number in range(len(table.columns)))
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *_spans(table),
        _line(map(_heading, table.columns)),
        r"\midrule",
    ]
    group = ""
    for row in rows:
        if row.group and row.group != group:
            lines += [r"\addlinespace"] if group else []
            name = rf"\textbf{{{latex_text(row.group)}}}"
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{l}}{{{name}}} \\")
        group = row.group
        indent = r"\quad " if group else ""
        lines.append(indent + _line(map(latex_text, row.cells)))
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _line(cells: Iterable[str]) -> str:
    """Return a line of a table; what stands before it takes a bracket or star for its option."""
    text = " & ".join(cells)
    return (f"{{}}{text}" if text.startswith(OPTIONS) else text) + r" \\"


def _alignment(table: Table, number: int) -> str:
    if not table.columns[number].is_left:
        return "r"
    longest = max((_letters_pt(row.cells[number]) for row in table.rows), default=0.0)
    width = NAME_LETTERS * LETTER_PT
    return rf">{{\raggedright\arraybackslash}}p{{{width:.0f}pt}}" if longest > width else "l"


def _heading(column: TableColumn) -> str:
    side = "l" if column.is_left else "r"
    parts = [latex_text(part) for part in _broken(column.heading)]
    lines = r" \\ ".join(f"{{}}{one}" if one.startswith(OPTIONS) else one for one in parts)
    return parts[0] if len(parts) == 1 else rf"\shortstack[{side}]{{{lines}}}"


def _spans(table: Table) -> list[str]:
    """Return the headings of groups of columns, and the rules below them."""
    cells, rules, first = [], [], 1
    for group, width in table.spans:
        if group:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex_text(group)}}}")
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        else:
            cells += [""] * width
        first += width
    return [" & ".join(cells) + r" \\", "".join(rules)] if cells else []


def latex_text(text: str) -> str:
    """Return a text with what LaTeX takes for commands escaped."""
    return "".join(LATEX_TEXT.get(letter, letter) for letter in text)
