"""Tables 2 to 4 and S1 of the paper, and Figure 5 in numbers, as they are printed.

Ours and the paper's stand in columns of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.models.score_table import TITLES, PairedTest, PublishedScore, ScoreRow
from cta_data.scoring.paper import PAIR, PAPER_CITATION
from cta_data.scoring.summary import Summary

METRIC_NAMES = {
    "f1": "F1 (instances)",
    "ppv": "PPV (instances)",
    "sensitivity": "Sensitivity (instances)",
    "lesionwise_dice": "Lesion-wise Dice",
    "lesionwise_ppv": "Lesion-wise PPV",
    "lesionwise_sensitivity": "Lesion-wise sensitivity",
}
MOST_LETTERS = 2
"""Of a table's number in the paper; others have a name alone."""
SCORES = (
    *(TableColumn(name, "name") for name in ("Test set", "Metric", "Model")),
    *(TableColumn(name) for name in ("n", "undefined", "not scored")),
    TableColumn("mean ± SD", unit="%"),
    TableColumn("median (Q1–Q3)", unit="%"),
)
PUBLISHED = (
    TableColumn("paper: mean ± SD", "paper", "%"),
    TableColumn("paper: median (Q1–Q3)", "paper", "%"),
)
TESTS = tuple(TableColumn(name) for name in ("n pairs", "p Wilcoxon", "p Holm", "p Mann–Whitney"))
PUBLISHED_P = (TableColumn("paper: p", "paper"),)
FOUND = {
    "test_set": TableColumn("Test set", "name"),
    "patients": TableColumn("n patients"),
    "cases": TableColumn("n cases"),
    "cases_left_out": TableColumn("cases left out"),
    "lesions": TableColumn("n lesions"),
    "both": TableColumn("both"),
    "B only": TableColumn("only B"),
    "A only": TableColumn("only A"),
    "none": TableColumn("none"),
    "additional_per_patient": TableColumn("additional per patient"),
    "patients_b_finds_more": TableColumn("patients, B finds more"),
    "patients_a_finds_more": TableColumn("patients, A finds more"),
    "published_b_only": TableColumn("paper: only B", "paper"),
    "published_a_only": TableColumn("paper: only A", "paper"),
    "published_additional_per_patient": TableColumn("paper: additional per patient", "paper"),
}
NOTES = (f"Paper: {PAPER_CITATION}.",)


def score_table_in_print(rows: Sequence[ScoreRow], name: str, convention: str) -> Table:
    """Return the table of that name, from its rows."""
    number = name.removeprefix("table_").upper()
    title = f"Table {number}. {TITLES[name]}" if len(number) <= MOST_LETTERS else TITLES[name]
    first = rows[0]
    columns = SCORES + (PUBLISHED if first.published else ()) + (TESTS if first.test else ())
    columns += PUBLISHED_P if first.published_p_value is not None else ()
    printed = tuple(Row(_texts(row)) for row in rows)
    return Table(columns, printed, title, _caption(rows, convention), NOTES)


def found_table_in_print(frame: pd.DataFrame, convention: str) -> Table:
    """Return what `found_instances` counted."""
    caption = (
        "Reference lesions that model A, model B, both or none of them found, by the convention "
        f"“{convention}”. Additional per patient: those that B alone found less those that A alone "
        "found, over all patients of the test set. Patients who were not scored for both models "
        "are left out. Columns named paper are what the paper printed; it gives no lesions that "
        "both or none found."
    )
    rows = tuple(
        Row(tuple(_count(name, row[name]) for name in FOUND)) for row in frame.to_dict("records")
    )
    title = "Figure 5 in numbers: lesions found by model A and model B"
    return Table(tuple(FOUND.values()), rows, title, caption, NOTES)


def _count(name: str, value: object) -> str:
    if isinstance(value, float):
        places = 3 if "per_patient" in name else 0
        return MISSING if math.isnan(value) else f"{value:.{places}f}"
    return str(value)


def _texts(row: ScoreRow) -> tuple[str, ...]:
    paper = row.printed_as
    is_named = paper is None or paper == row.test_set.upper()
    texts = [
        row.test_set if is_named else f"{row.test_set} ({paper})",
        METRIC_NAMES[row.metric],
        row.model,
        *map(str, (row.summary.n, row.summary.n_undefined, row.n_not_scored)),
        *_spread(row.summary),
    ]
    texts += _spread(row.published) if row.published else ()
    # The test is of two models: it stands with the second.
    is_second = row.model == PAIR[1]
    if row.test:
        texts += _tests(row.test) if is_second else [""] * len(TESTS)
    if row.published_p_value is not None:
        texts.append(_p(row.published_p_value) if is_second else "")
    return tuple(texts)


def _spread(score: Summary | PublishedScore) -> tuple[str, str]:
    """Return mean ± SD and median (quartiles), in percent."""
    mean, sd, *quartiles = (
        MISSING if math.isnan(value) else f"{100 * value:.1f}"
        for value in (score.mean, score.sd, score.median, score.q1, score.q3)
    )
    median, low, high = quartiles
    return (
        MISSING if mean == MISSING else f"{mean} ± {sd}",
        MISSING if MISSING in quartiles else f"{median} ({low}–{high})",
    )


def _tests(test: PairedTest) -> list[str]:
    pairs = MISSING if test.n_pairs is None else str(test.n_pairs)
    return [pairs, *map(_p, (test.wilcoxon_p, test.holm_p, test.mann_whitney_p))]


def _p(value: float) -> str:
    """Return a p-value with three digits that count, as the paper prints its own."""
    return MISSING if math.isnan(value) else f"{value:.3g}"


def _caption(rows: Sequence[ScoreRow], convention: str) -> str:
    parts = [
        f"Scored by the convention “{convention}”. SD has n − 1, quartiles are linear; cases in "
        "which a metric is undefined are counted and left out, and so are cases with a reference "
        "that were not scored."
    ]
    if rows[0].published:
        parts.append("Columns named paper are what the paper printed.")
    else:
        parts.append("What the paper printed of it, if anything, does not come with the package.")
    read = dict.fromkeys((row.model, row.technique) for row in rows if row.technique)
    if read:
        models = "; ".join(f"{model} read {technique}" for model, technique in read)
        parts.append(
            f"Every model read images of its own technique, and is judged on their grid: {models}."
        )
    if rows[0].test:
        parts.append(
            "Wilcoxon's signed-rank test of B against A is paired and primary; Holm adjusts it "
            "for the metrics of the test set; Mann–Whitney takes the same cases as unpaired."
        )
    return " ".join(parts)
