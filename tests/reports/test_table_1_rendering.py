"""Table 1 in print: the paper's numbers and ours side by side, never in one cell."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from helpers.read_page import check_page
from helpers.table_frames import frames, session

from cta_data.reports.table import Table, csv_text
from cta_data.reports.table_1 import (
    assign_populations,
    patients_left_out,
    population_table,
    table_1_in_print,
    table_html,
    table_latex,
)

NOBODY = pd.DataFrame(columns=["cohort", "subject", "reason"])


@pytest.fixture(scope="module")
def content() -> dict[str, pd.DataFrame]:
    """Two cohorts of the paper, one of a user's own, a trial that is not split; one is left out."""
    return frames(
        session("ummc", "103", (0.06, 0.24, 1.15, 0.0), sex="female", age_years=60),
        session("ummc", "104", (0.3,), sex="male", age_years=61),
        session("ukhd", "1", (1.0, 2.0), age_years=50),
        session("ukhd", "2", (1.0,), age_years=60),
        session("mine", "1", (1.0,)),
        session("internal", "1", (1.0,), partition=None),
        session("mine", "2", partition="excluded", reason="register: <b>5 & 6%</b>"),
    )


@pytest.fixture(scope="module")
def frame(content: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return population_table(**content)


def cells(blocks: tuple[Table, ...], label: str, population: str) -> list[str]:
    """The texts of a line in the columns of one population."""
    return [
        text
        for table in blocks
        for row in table.rows
        if row.cells[0] == label
        for column, text in zip(table.columns, row.cells, strict=True)
        if column.group == population
    ]


def test_cells_are_written_as_the_paper_writes_them(frame: pd.DataFrame) -> None:
    """Median with quartiles, mean with SD; a count is whole; ours beside the paper's."""
    table = table_1_in_print(frame)
    volume = cells(table, "Volume, cm³: median (quartiles)", "UMMC")
    assert volume == ["0.27 (0.20–0.51)", "0.24 (0.06–1.15)"]
    assert cells(table, "Patients", "UMMC") == ["2", "47"]
    age = cells(table, "Years: median (quartiles) or mean ± SD", "UMMC")
    assert age == ["60.5 (60.2–60.8)", "60 (53–66)"]
    age = cells(table, "Years: median (quartiles) or mean ± SD", "UKHD")
    assert age == ["55 ± 7.1", "61 ± 11"]


def test_a_printed_value_keeps_all_its_decimals() -> None:
    """The paper prints a quartile of 0.045; it is not rounded to 0.04."""
    table = table_1_in_print(
        population_table(
            **frames(session("internal", "1", (1.0,), quality="HAQ", partition="test"))
        )
    )
    volume = cells(table, "Volume, cm³: median (quartiles)", "SPACE, test")
    assert volume[1] == "0.26 (0.045–1.35)"


def test_lines_about_what_is_missing_are_there_only_where_something_is(
    frame: pd.DataFrame,
) -> None:
    """Lost lesions and values that were not given have lines; other sexes have none here."""
    labels = {
        table.title: [row.cells[0] for row in table.rows] for table in table_1_in_print(frame)
    }
    lost = "Lost on the grid (not in the volumes)"
    assert [title for title, own in labels.items() if lost in own] == ["Cohort UMMC"]
    assert labels["Cohort internal"].count("Not given") == 4
    assert not any("Other" in own for own in labels.values())


def test_every_cohort_is_a_block_and_populations_have_no_raw_name(frame: pd.DataFrame) -> None:
    """Populations of a cohort stand side by side, by technique and partition in words."""
    blocks = table_1_in_print(frame)
    assert [table.title for table in blocks] == [
        f"Cohort {name}" for name in ("UKHD", "UMMC", "internal", "mine")
    ]
    assert {column.group for column in blocks[2].columns} == {"", "MPRAGE"}
    check_page(table_html(frame, NOBODY))


class Cells(HTMLParser):
    """Collects the texts of every row's cells with their class, and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, str]]] = []
        self.loaded: list[str] = []
        self._class = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Start a row or a cell."""
        about = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._class = about.get("class") or tag
            self.rows[-1].append((self._class, ""))
        if tag in ("link", "script", "img") or "src" in about:
            self.loaded.append(tag)

    def handle_data(self, data: str) -> None:
        """Take the text of a cell."""
        if self.rows and self.rows[-1] and self._class:
            name, text = self.rows[-1][-1]
            self.rows[-1][-1] = (name, text + data)

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th"):
            self._class = ""


def test_html_keeps_the_papers_numbers_apart(frame: pd.DataFrame) -> None:
    """Ours and the paper's have cells of their own, and a cohort of one's own has no paper's."""
    page = Cells()
    page.feed(table_html(frame, NOBODY))
    patients = [row for row in page.rows if row and row[0][1] == "Patients" and len(row) > 1]
    told = [[text for _, text in row[1:]] for row in patients]
    assert told == [["2", "308"], ["2", "47"], ["1"], ["1"]]
    assert [name for row in patients for name, _ in row].count("paper") == 2
    assert page.loaded == []


def test_html_says_whose_numbers_they_are_and_who_is_missing(
    frame: pd.DataFrame, content: dict[str, pd.DataFrame]
) -> None:
    """The DOI, the meaning of the columns, the split that is not made, and reasons, escaped."""
    left_out = patients_left_out(assign_populations(content["subjects"], content["images"]))
    page = table_html(frame, left_out)
    assert 'href="https://doi.org/10.1186/s41747-025-00554-5"' in page
    assert "“paper” is what the paper printed" in page
    assert "internal, MPRAGE: not yet split into training and test" in page
    assert "mine sub-2: register: &lt;b&gt;5 &amp; 6%&lt;/b&gt;" in page
    assert "<b>5" not in page


def test_csv_is_the_long_form(frame: pd.DataFrame) -> None:
    """Read back, it is the DataFrame."""
    back = pd.read_csv(io.StringIO(csv_text(frame)), dtype={"population": "string"})
    pd.testing.assert_frame_equal(back.astype({"row": "string"}), frame)


def test_latex_is_tabulars_of_whole_rows(frame: pd.DataFrame) -> None:
    """A tabular a cohort; every row has as many cells as it has columns; braces are balanced."""
    text = table_latex(frame)
    pattern = (
        r"\\begin\{tabular\}\{>\{\\raggedright\\arraybackslash\}p\{\d+pt\}(r+)\}(.*?)\\end\{tab"
    )
    found = re.findall(pattern, text, re.DOTALL)
    assert [len(columns) for columns, _ in found] == [2, 2, 1, 1]
    for numbers, body in found:
        columns = f"p{numbers}"
        for line in (line for line in body.splitlines() if line.endswith(r"\\")):
            spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            plain = len(re.findall(r"(?<!\\)&", line)) + 1 - len(spans)
            assert plain + sum(spans) == len(columns), line
    assert text.count("{") == text.count("}")


def test_latex_is_escaped(frame: pd.DataFrame) -> None:
    """No bare underscore, per cent or character beyond ASCII is outside comments."""
    body = [line for line in table_latex(frame).splitlines() if not line.startswith("%")]
    text = "\n".join(body).replace("{!}{%", "{!}{")
    assert not re.search(r"(?<!\\)[_%#]", text)
    assert all(line.isascii() for line in body)
    assert r"Lost on the grid" in text


def test_the_same_content_gives_the_same_bytes(frame: pd.DataFrame) -> None:
    """No clock and no order that varies."""
    for render in (csv_text, table_latex, lambda one: table_html(one, NOBODY)):
        assert render(frame) == render(frame.copy())
