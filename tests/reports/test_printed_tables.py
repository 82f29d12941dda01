"""One table for all that is printed: groups of columns and rows, and its writers."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from cta_data.reports.page import page_html
from cta_data.reports.table import Row, Table, TableColumn, csv_text, latex, table_of_frame
from cta_data.reports.table import terminal_tables as terminal

TABLE = Table(
    columns=(
        TableColumn("", "name"),
        TableColumn("ours", "ours", group="S_1"),
        TableColumn("paper", "paper", "%", group="S_1"),
        TableColumn("ours", "ours", group="<b>"),
    ),
    rows=(Row(("n & m", "1", "2", "3"), "First"), Row(("x", "4", "—", "5"), "Second")),
    title="Title",
    caption="What it is",
    notes=("See https://doi.org/10.1/2",),
)


def test_latex_has_headings_of_groups_and_escapes() -> None:
    """Groups span their columns, rows are indented below theirs, commands are text."""
    assert latex(TABLE, ["first"]).splitlines() == [
        "% first",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{S\_1} & \multicolumn{1}{c}{$<$b>} \\",
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
    page = page_html("table.html", title="<t>", notice="<n>", table=TABLE, lists={"L": ["<l>"]})
    assert "<b>" not in page and "<l>" not in page and "<n>" not in page
    assert page.count("&lt;") == 4
    assert '<a href="https://doi.org/10.1/2"' in page
    assert '<td class="paper">2</td>' in page and '<th scope="row">x</th>' in page


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


def test_a_frame_is_texts() -> None:
    """Three decimals, a dash for what there is not; in CSV nothing."""
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan], "c": ["x", None]})
    table = table_of_frame(frame, "F")
    assert [row.cells for row in table.rows] == [("1", "0.500", "x"), ("2", "—", "—")]
    assert csv_text(frame) == "a,b,c\n1,0.5,x\n2,,\n"
    assert printed_headings(table) == ["a", "b", "c"]


def printed_headings(table: Table) -> list[str]:
    [part] = terminal(table, 80)
    return [str(column.header) for column in part.columns]
