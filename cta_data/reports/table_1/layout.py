"""Table 1 as it is printed: lines in groups; ours, the paper's and the difference never mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from cta_data.reports.page import page_html
from cta_data.reports.table import MISSING, Row, Table, TableColumn, latex, latex_text
from cta_data.reports.table_1.populations import is_unpartitioned
from cta_data.reports.table_1.rows import LINES, Line
from cta_data.scoring.paper import PAPER_CITATION

TITLE = "Table 1"
CAPTION = (
    "Patients and lesions. “Ours” is computed from the tables of this study, “paper” is what the "
    "paper printed, “difference” is ours minus paper."
)
FOOTNOTE = (
    "— no value: not given, or not printed. Sex, age, primary tumour and prior radiotherapy count "
    "each patient once. Lesion volumes are those of evaluated sessions on the grid of the "
    "technique that the lesions were drawn on; quartiles are linear, SD has n − 1."
)


@dataclass(frozen=True)
class Population:
    """One population: its values by row, ours and the paper's; `is_published` with any of these."""

    name: str
    ours: pd.Series
    published: pd.Series

    @property
    def is_published(self) -> bool:
        """Whether the paper has figures of it."""
        return bool(self.published.notna().any())

    @property
    def columns(self) -> list[TableColumn]:
        """Ours, and beside the paper's the difference."""
        ours = TableColumn("ours", "ours", group=self.name)
        if not self.is_published:
            return [ours]
        papers = TableColumn("paper", "paper", group=self.name)
        return [ours, papers, TableColumn("difference", "difference", group=self.name)]

    def texts(self, line: Line) -> list[str]:
        """Return a line's texts, one a column, in the form that the paper prints it in."""
        ours, published = ([float(v.get(row, math.nan)) for row in line.rows] for v in
                           (self.ours, self.published))  # fmt: skip
        if not self.is_published:
            return [_text(line, ours, form=ours)]
        difference = [mine - theirs for mine, theirs in zip(ours, published, strict=True)]
        return [
            _text(line, ours, form=published),
            _text(line, published, form=published, exact=True),
            _text(line, difference, form=published, sign="+"),
        ]


def table_1_in_print(frame: pd.DataFrame) -> Table:
    """Lay the long form of `population_table` out for print.

    Lines that only matter where something is missing are left out where nothing is.
    """
    populations = [
        Population(str(name), own.set_index("row")["ours"], own.set_index("row")["published"])
        for name, own in frame.groupby("population", sort=False)
    ]
    rows = tuple(
        Row((line.label, *(text for one in populations for text in one.texts(line))), line.group)
        for line in LINES
        if not line.optional or (frame.loc[frame["row"].isin(line.rows), "ours"] > 0).any()
    )
    columns = (TableColumn("", "name"), *(column for one in populations for column in one.columns))
    notes = (FOOTNOTE, f"Paper: {PAPER_CITATION}", *unpartitioned_notes(frame))
    return Table(columns, rows, TITLE, CAPTION, notes)


def table_html(frame: pd.DataFrame, left_out: pd.DataFrame, notice: str = "") -> str:
    """Return a page of its own.

    Parameters
    ----------
    frame
        Long form, as `population_table` returns it.
    left_out
        Patients that count in no population: columns cohort, subject, reason.
    notice
        A line that the page begins with.
    """
    lines = [
        f"{cohort} sub-{subject}: {reason}"
        for cohort, subject, reason in left_out.itertuples(index=False, name=None)
    ]
    lists = {f"Counted in no population: {len(lines)} patients": lines}
    table = table_1_in_print(frame)
    return page_html("table.html", title=TITLE, notice=notice, table=table, lists=lists)


def table_latex(frame: pd.DataFrame) -> str:
    r"""Return a `tabular` for `\input`; it needs the package booktabs."""
    comments = (r"\usepackage{booktabs}", latex_text(CAPTION), f"Paper: {PAPER_CITATION}")
    return latex(table_1_in_print(frame), comments)


def unpartitioned_notes(frame: pd.DataFrame) -> list[str]:
    """Say which populations are not split into train and test yet."""
    return [
        f"{name}: not yet split into train and test; a build does that."
        for name in dict.fromkeys(frame["population"])
        if is_unpartitioned(str(name))
    ]


def _text(
    line: Line, numbers: list[float], *, form: list[float], sign: str = "", exact: bool = False
) -> str:
    """Write the numbers of a line, in the form that the paper (or `form`) has them in."""
    if math.isnan(numbers[0]):
        return MISSING
    centre, *rest = (_number(value, line.decimals, sign, exact) for value in numbers)
    if line.kind == "count":
        return centre
    if line.kind == "mean_sd":
        return f"{centre} ± {rest[0]}" if not sign else f"{centre} (SD {rest[0]})"
    if math.isnan(form[1]) and len(form) > 3 and not math.isnan(form[3]):
        return f"{centre} ± {rest[2]}" if not sign else f"{centre} (SD {rest[2]})"
    if sign:
        return f"{centre} ({rest[0]}, {rest[1]})"
    return f"{centre} ({rest[0]}–{rest[1]})"


def _number(value: float, decimals: int, sign: str, exact: bool) -> str:
    """Write a number; what the paper printed keeps every decimal that it was printed with."""
    if math.isnan(value):
        return MISSING
    text = f"{value:{sign}.{decimals}f}"
    if exact:
        text = max(text, f"{value:.6g}", key=len) if float(text) != value else text
    if decimals == 1:
        text = text.removesuffix(".0")
    if float(text) == 0:
        text = text.replace("-", "").replace("+", "")
    return text.replace("-", "−")
