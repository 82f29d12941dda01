"""Tables of plain values as text."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cta_data.terminal.value_table import csv_lines, table_text

NUMBERS = st.floats(min_value=1e-5, max_value=1e5)
TEXTS = st.text("abc XYZ-_.", min_size=1)


def test_numbers_of_a_column_have_the_digits_that_they_need() -> None:
    """At most six, all the same, and at least one; what is not known leaves a gap."""
    table = table_text(["name", "size"], [("a", 1.25), ("bb", 3.0), ("c", None)])
    assert table.splitlines() == ["name  size", "   a  1.25", "  bb  3.00", "   c   NaN"]
    assert table_text(["n"], [(1728.3533101,)]).split() == ["n", "1728.35331"]
    assert table_text(["n"], [(2e-7,), (1.0,)]).split() == ["n", "2.000000e-07", "1.000000e+00"]


def test_whole_numbers_stay_whole_beside_what_is_not_known() -> None:
    """A count is no fraction because another is missing, and a decimal keeps its zeros."""
    rows = [(5, Decimal("1.50")), (None, None)]
    assert table_text(["n", "d"], rows).split() == ["n", "d", "5", "1.50", "NaN", "NaN"]


def test_control_characters_are_shown_as_escapes() -> None:
    """A name in a header does not steer the terminal."""
    assert table_text(["x"], [("a\x1b[31m\n",)]).splitlines()[1] == "a\\x1b[31m\\n"


def test_no_rows() -> None:
    """Nothing found is said in words."""
    assert table_text(["n"], []) == "no rows"


@given(st.lists(st.tuples(st.integers(-999, 999), TEXTS), min_size=1))
def test_tables_look_as_those_of_pandas(rows: list[tuple[int, str]]) -> None:
    """The layout is the one that people of the field know."""
    expected = pd.DataFrame(rows, columns=["count", "name"]).to_string(index=False)
    assert table_text(["count", "name"], rows) == expected


@given(st.lists(st.tuples(NUMBERS, TEXTS, st.none()), min_size=1))
def test_comma_separated_values_keep_every_digit(rows: list[tuple[float, str, None]]) -> None:
    """Reading them gives the values; no value is an empty field."""
    head, *read = csv.reader(io.StringIO(csv_lines(["a", "b", "c"], rows)))
    assert head == ["a", "b", "c"]
    assert [(float(a), b, c or None) for a, b, c in read] == rows
