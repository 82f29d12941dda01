"""Table 1 as it is printed: one block a cohort, its populations side by side.

Ours and the paper's are never in one cell, and no difference is made of them: counts and quartiles
of other patients differ without meaning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cta_data.reports.latex import latex, latex_text
from cta_data.reports.names import cohort_of, population_name
from cta_data.reports.page import page_html
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.reports.table_1.populations import is_unpartitioned
from cta_data.reports.table_1.rows import LINES, PrintedLine
from cta_data.scoring.paper import PAPER_CITATION

TITLE = "Table 1"
CAPTION = (
    "Patients and lesions. “Ours” is computed from the tables of this study, “paper” is what the "
    "paper printed."
)
FOOTNOTE = (
    "— no value: not given, or not printed. Sex, age, primary tumour and prior radiotherapy count "
    "each patient once. Lesion volumes are those of evaluated sessions on the grid of the "
    "technique on which the lesions were delineated; quartiles are linear, SD has n − 1."
)
HOME = "../index.html"
"""The study's home page, from the folder of evaluations."""


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
        """Ours, and the paper's beside it."""
        group = population_name(self.name)
        ours = [TableColumn("ours", group=group)]
        return [*ours, TableColumn("paper", "paper", group=group)] if self.is_published else ours

    def texts(self, line: PrintedLine) -> list[str]:
        """Return a line's texts, one a column, in the form that the paper prints it in."""
        ours, published = ([float(v.get(row, math.nan)) for row in line.rows] for v in
                           (self.ours, self.published))  # fmt: skip
        if not self.is_published:
            return [_text(line, ours, form=ours)]
        return [
            _text(line, ours, form=published),
            _text(line, published, form=published, exact=True),
        ]


def table_1_in_print(frame: pd.DataFrame) -> tuple[Table, ...]:
    """Lay the long form of `population_table` out for print: a table a cohort.

    Lines that only matter where something is missing are left out where nothing is, and lines that
    have no value.
    """
    cohorts = dict.fromkeys(map(cohort_of, frame["population"]))
    return tuple(
        _block(name, frame[frame["population"].map(cohort_of) == name]) for name in cohorts
    )


def _block(cohort: str, frame: pd.DataFrame) -> Table:
    populations = [
        Population(str(name), own.set_index("row")["ours"], own.set_index("row")["published"])
        for name, own in frame.groupby("population", sort=False)
    ]
    lines = [
        line
        for line in LINES
        if not line.optional or (frame.loc[frame["row"].isin(line.rows), "ours"] > 0).any()
    ]
    texts = [[text for one in populations for text in one.texts(line)] for line in lines]
    rows = tuple(
        Row((line.label, *own), line.group)
        for line, own in zip(lines, texts, strict=True)
        if set(own) != {MISSING}
    )
    columns = (
        TableColumn("Characteristic", "name"),
        *(column for one in populations for column in one.columns),
    )
    return Table(columns, rows, f"Cohort {cohort}")


def table_html(
    frame: pd.DataFrame, left_out: pd.DataFrame, notice: str = "", notes: Sequence[str] = ()
) -> str:
    """Return a page of its own.

    Parameters
    ----------
    frame
        Long form, as `population_table` returns it.
    left_out
        Patients that count in no population: columns cohort, subject, reason.
    notice
        A line that the page begins with.
    notes
        Further lines below the tables.
    """
    lines = [
        f"{cohort} sub-{subject}: {reason}"
        for cohort, subject, reason in left_out.itertuples(index=False, name=None)
    ]
    return page_html(
        "table.html",
        title=TITLE,
        notice=notice,
        home=HOME,
        intro=CAPTION,
        tables=table_1_in_print(frame),
        notes=(FOOTNOTE, f"Paper: {PAPER_CITATION}", *unpartitioned_notes(frame), *notes),
        lists={f"Counted in no population: {len(lines)} patients": lines},
    )


def table_latex(frame: pd.DataFrame) -> str:
    r"""Return `tabular`s for `\input`, those of each cohort below its name."""
    parts = [f"% {latex_text(CAPTION)}\n% Paper: {PAPER_CITATION}\n"]
    for block in table_1_in_print(frame):
        parts.append(rf"\par\textbf{{{latex_text(block.title)}}}\par\smallskip" + "\n")
        parts.append(latex(block))
    return "".join(parts)


def unpartitioned_notes(frame: pd.DataFrame) -> list[str]:
    """Say which populations are not split into train and test yet."""
    return [
        f"{cohort_of(name)}, {population_name(name)}: not yet split into training and test; a "
        "build does that."
        for name in dict.fromkeys(frame["population"])
        if is_unpartitioned(str(name))
    ]


def _text(
    line: PrintedLine, numbers: list[float], *, form: list[float], exact: bool = False
) -> str:
    """Write the numbers of a line, in the form that the paper (or `form`) has them in."""
    if math.isnan(numbers[0]):
        return MISSING
    centre, *rest = (_number(value, line.decimals, exact) for value in numbers)
    if line.kind == "count":
        return centre
    if line.kind == "mean_sd":
        return f"{centre} ± {rest[0]}"
    if math.isnan(form[1]) and len(form) > 3 and not math.isnan(form[3]):
        return f"{centre} ± {rest[2]}"
    return f"{centre} ({rest[0]}–{rest[1]})"


def _number(value: float, decimals: int, exact: bool) -> str:
    """Write a number; what the paper printed keeps every decimal that it was printed with."""
    if math.isnan(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    if exact:
        text = max(text, f"{value:.6g}", key=len) if float(text) != value else text
    return text.removesuffix(".0") if decimals == 1 else text
