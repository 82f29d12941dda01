"""Tables in LaTeX fit the page: groups of columns go below each other."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cta_data.reports.latex import MOST_PT, MOST_ROWS, latex
from cta_data.reports.table import Row, Table, TableColumn

CELL = "100.0 (66.7–100.0)"


def table_of(groups: int, rows: int = 2) -> Table:
    """A table of pairs of columns, as wide as medians with quartiles."""
    columns = [TableColumn(name, group=f"G{n}") for n in range(groups) for name in "AB"]
    lines = tuple(Row((f"row {n}", *[CELL] * len(columns)), "T") for n in range(rows))
    return Table((TableColumn("Metric", "name"), *columns), lines)


def columns_of(text: str) -> list[int]:
    """How many columns each tabular has."""
    return [len(one) for one in re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)]


@given(groups=st.integers(1, 9), rows=st.integers(1, 3 * MOST_ROWS))
def test_no_tabular_is_wider_or_higher_than_a_page(groups: int, rows: int) -> None:
    """Every column is there once, names of rows in each part; letters bound the width."""
    text = latex(table_of(groups, rows))
    pages = -(-rows // MOST_ROWS)
    found = columns_of(text)
    assert sum(n - 1 for n in found) == 2 * groups * pages
    assert max(found) <= 5 and (max(found) - 1) * len(CELL) * 4 < MOST_PT
    parts = text.split(r"\begin{tabular}")[1:]
    assert all(part.count("row ") <= MOST_ROWS for part in parts)
    assert text.count("row ") == rows * len(parts) // pages
    # What is estimated wrong is still made to fit.
    assert text.count(r"\resizebox{\ifdim\width>\linewidth") == len(parts)


def test_long_headings_and_names_are_broken() -> None:
    """A heading becomes lines, a long name of a row a paragraph."""
    columns = (TableColumn("", "name"), TableColumn("patients with more by B"))
    text = latex(Table(columns, (Row(("a name of a row that is much too long", "1")),)))
    assert r"\shortstack[r]{patients with \\ more by B}" in text
    assert re.search(r"\\begin\{tabular\}\{>\{\\raggedright\\arraybackslash\}p\{\d+pt\}r\}", text)


def test_brackets_and_stars_that_begin_a_line_are_text() -> None:
    """A line break, and a rule, would take them for an option: a length, or no page break."""
    columns = (TableColumn("[level] of a long name", "name"), TableColumn("*"))
    text = latex(Table(columns, (Row(("[unknown]", "1")), Row(("* other", "2")))))
    assert not re.search(r"(\\\\|rule)\s*[\[*]", text)
    assert "[unknown] & 1" in text
    assert "* other & 2" in text
