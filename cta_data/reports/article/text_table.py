"""A table of texts as HTML and LaTeX: the same content gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from cta_data.reports.table_1.rendering import LATEX_TEXT, STYLE, notice_html
from cta_data.scoring.published import PAPER_CITATION

MISSING = "—"
PAPER = "paper: "
"""Heads of columns that hold what the paper printed begin so."""


@dataclass(frozen=True)
class TextTable:
    """A table as it is printed.

    Attributes
    ----------
    title, caption
        Name, and what has to be known to read it; the convention is part of the caption.
    head, rows
        Texts; every row is as long as the head.
    n_names
        First columns, which hold names and stand on the left.
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_names: int


def table_page(table: TextTable, notice: str = "") -> str:
    """Return a page of its own for one table; nothing is loaded from elsewhere.

    Parameters
    ----------
    notice
        A line that the page begins with.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(table.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{notice_html(notice)}{table_section(table)}</body>\n</html>\n"
    )


def table_section(table: TextTable) -> str:
    """Return the table alone, to be part of a page."""
    lines = [
        f"<table>\n<caption><strong>{escape(table.title)}.</strong> ",
        f"{escape(table.caption)}</caption>\n<thead><tr>",
        *(f"<th>{escape(text)}</th>" for text in table.head),
        "</tr></thead>\n<tbody>\n",
    ]
    for row in table.rows:
        names = [f'<th scope="row">{escape(text)}</th>' for text in row[: table.n_names]]
        cells = [
            f'<td class="paper">{escape(text)}</td>'
            if title.startswith(PAPER)
            else f"<td>{escape(text)}</td>"
            for title, text in list(zip(table.head, row, strict=True))[table.n_names :]
        ]
        lines.append(f"<tr>{''.join(names + cells)}</tr>\n")
    lines.append(f"</tbody>\n</table>\n<p>Paper: {escape(PAPER_CITATION)}.</p>\n")
    return "".join(lines)


def table_tex(table: TextTable) -> str:
    """Return the table as LaTeX with booktabs' rules; title and caption are its first comment."""
    alignment = "l" * table.n_names + "r" * (len(table.head) - table.n_names)
    lines = [
        f"% {table.title}. {table.caption}",
        f"\\begin{{tabular}}{{{alignment}}}",
        "\\toprule",
        " & ".join(map(_latex, table.head)) + r" \\",
        "\\midrule",
    ]
    lines += [" & ".join(map(_latex, row)) + r" \\" for row in table.rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex(text: str) -> str:
    return "".join({**LATEX_TEXT, "<": "$<$"}.get(letter, letter) for letter in text)
