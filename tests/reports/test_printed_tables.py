"""One table for all that is printed: groups of columns and rows, and its writers."""

from __future__ import annotations

import math
import re

import pandas as pd
from helpers.read_page import check_page
from rich.console import Console

from cta_data.reports.latex import latex
from cta_data.reports.page import page_html
from cta_data.reports.table import Row, Table, TableColumn, csv_text, without_empty_columns
from cta_data.reports.table import terminal_tables as terminal

TABLE = Table(
    columns=(
        TableColumn("", "name"),
        TableColumn("ours", group="S_1"),
        TableColumn("paper", "paper", "%", group="S_1"),
        TableColumn("ours", group="<b>"),
    ),
    rows=(Row(("n & m", "1", "2", "3"), "First"), Row(("x", "4", "—", "5"), "Second")),
    title="Title",
    caption="What it is",
    notes=("See https://doi.org/10.1/2",),
)


def test_latex_has_headings_of_groups_and_escapes() -> None:
    """Groups span their columns, rows are indented below theirs, commands are text."""
    lines = latex(TABLE, ["first"]).splitlines()
    assert lines[0] == "% first" and lines[-1] == r"\endgroup"
    start = lines.index(r"\begin{tabular}{lrrr}")
    assert lines[start : lines.index(r"\end{tabular}") + 1] == [
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{S\_1} & \multicolumn{1}{c}{$<$b$>$} \\",
        r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}",
        r" & ours & paper, \% & ours \\",
        r"\midrule",
        r"\multicolumn{4}{l}{\textbf{First}} \\",
        r"\quad n \& m & 1 & 2 & 3 \\",
        r"\addlinespace",
        r"\multicolumn{4}{l}{\textbf{Second}} \\",
        r"\quad x & 4 & --- & 5 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_a_page_escapes_the_data_and_links_addresses() -> None:
    """No text of a table, a list or a notice becomes a part of the page."""
    page = page_html(
        "table.html",
        title="<t>",
        notice="<n>",
        intro="<i> and `<code>`",
        tables=[TABLE],
        notes=TABLE.notes,
        lists={"L": ["<l>"]},
    )
    check_page(page)
    assert "<b>" not in page and "<l>" not in page and "<n>" not in page
    assert "<i>" not in page and page.count("&lt;t&gt;") == 2
    assert "<code>&lt;code&gt;</code>" in page
    assert '<a href="https://doi.org/10.1/2"' in page
    assert re.search('<td class="paper[^"]*">2</td>', page) and '<th scope="row">x</th>' in page


def printed(width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        for part in terminal(TABLE, width):
            console.print(part)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_narrow_terminal_has_the_table_in_parts() -> None:
    """Groups of columns stay whole, and every part names its rows."""
    wide = printed(80)
    assert [line.split() for line in wide[:3]] == [["Title"], ["S_1", "<b>"],
                                                    ["ours", "paper,", "%", "ours"]]  # fmt: skip
    assert wide[4].split() == ["n", "&", "m", "1", "2", "3"]
    narrow = printed(26)
    assert narrow.count("Title") == 2
    assert [line.split() for line in narrow if "n & m" in line] == [
        ["n", "&", "m", "1", "2"],
        ["n", "&", "m", "3"],
    ]


def test_a_group_that_does_not_fit_is_split() -> None:
    """Nothing is cut off: each part has the first column, and the heading of the group."""
    heading = "False positives per case"
    columns = (TableColumn("", "name"), *(TableColumn(n, group=heading) for n in "1234"))
    table = Table(columns, (Row(("x", *(f"{n}0.0 [10.0, 90.0]" for n in "1234")), "A long name"),))
    for width in (30, 45, 80):
        console = Console(width=width, legacy_windows=False)
        with console.capture() as capture:
            for part in terminal(table, width):
                console.print(part)
        text = capture.get()
        assert "…" not in text and max(map(len, text.splitlines())) <= width
        assert all(f"{n}0.0 [10.0, 90.0]" in text for n in "1234")
        assert text.count("False") == text.count("A long name")


def test_columns_that_say_nothing_are_left_out() -> None:
    """Those of zeros are named; names of rows stay, even empty ones."""
    columns = (TableColumn("", "name"), *(TableColumn(name) for name in ("a", "b", "c")))
    table = Table(columns, (Row(("", "0", "—", "1")), Row(("", "0", "", "0"))))
    shown = without_empty_columns(table)
    assert [column.name for column in shown.columns] == ["", "c"]
    assert [row.cells for row in shown.rows] == [("", "1"), ("", "0")]
    assert [note for note in shown.notes if "a" in note and "b" not in note.split()] != []


def test_csv_has_nothing_where_there_is_no_value() -> None:
    """One line a row."""
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan], "c": ["x", None]})
    assert csv_text(frame) == "a,b,c\n1,0.5,x\n2,,\n"
