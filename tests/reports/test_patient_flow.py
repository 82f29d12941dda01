"""The patient flow: nothing is lost between what was added and what became of it."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from cta_data.reports.figures.flow import MOST_REASONS, Box, added_box, end_boxes, flow_figure
from cta_data.reports.figures.style import figure_bytes
from cta_data.reports.flow import ADDED, EXCLUDED, STAGES, patient_flow, reason_class

COUNTS = ["sessions", "patients", "lesions"]


def subjects(*rows: tuple[str | None, ...]) -> pd.DataFrame:
    """Sessions; of those excluded also the step at which they stopped, and the reason's code."""
    names = ["cohort", "subject", "session", "quality", "partition"]
    names += ["exclusion_step", "exclusion_code"]
    padded = [(*row, *[None] * (len(names) - len(row))) for row in rows]
    frame = pd.DataFrame(padded, columns=names).astype("string")
    qualities = [None if pd.isna(one) else [one] for one in frame.pop("quality")]
    return frame.assign(qualities=pd.Series(qualities, dtype=object))


def lesions(**of_session: int) -> pd.DataFrame:
    """So many lesions of a session (`cohort_subject_session`), each on two grids."""
    rows = [
        (*name.split("_"), "HAQ", grid, number)
        for name, count in of_session.items()
        for number in range(count)
        for grid in ("MPRAGE", "SPACE")
    ]
    return pd.DataFrame(
        rows, columns=["cohort", "subject", "session", "annotation", "grid", "lesion_id"]
    )


SUBJECTS = subjects(
    ("own", "1", "1", "HAQ", "train"),
    ("own", "1", "2", "HAQ", "train"),
    ("own", "2", "1", "NAQ", "test"),
    ("own", "2", "2", "NAQ", "excluded", None, "left_out_by_card"),
    ("own", "3", "1", "NAQ", "excluded", "transfer", "on_hold"),
    ("own", "4", "1", "NAQ", "excluded", "transfer", "on_hold"),
    ("own", "4", "2", None, "excluded"),
    ("own", "5", "1", "HAQ", None),
    ("far", "1", "1", "NAQ", "external"),
)
LESIONS = lesions(own_1_1=3, own_1_2=1, own_2_1=2, own_3_1=5, far_1_1=4)


def is_conserved(flow: pd.DataFrame) -> bool:
    """Whether what was added is what was excluded, used and is not assigned, in all counts."""
    added = flow[flow["stage"] == ADDED].groupby("cohort")[COUNTS].sum()
    ends = flow[flow["stage"] != ADDED].groupby("cohort")[COUNTS].sum()
    return added.equals(ends)


def test_counts_by_hand() -> None:
    """Sessions, patients (once, where one is used) and lesions (once, on however many grids)."""
    flow = patient_flow(SUBJECTS, LESIONS)
    own = flow[flow["cohort"] == "own"].drop(columns="cohort")
    assert list(own.itertuples(index=False, name=None)) == [
        ("added", "", "", 8, 5, 11),
        ("training", "HAQ", "", 2, 1, 4),
        ("internal test", "NAQ", "", 1, 1, 2),
        ("not assigned yet", "", "", 1, 1, 0),
        ("excluded", "", "transfer: on hold", 2, 2, 5),
        ("excluded", "", "left out by card", 1, 0, 0),
        ("excluded", "", "no reason was recorded", 1, 0, 0),
    ]
    assert is_conserved(flow)


def test_a_lost_session_is_noticed() -> None:
    """The check of the other tests fails where one subject-session is not among the ends."""
    flow = patient_flow(SUBJECTS, LESIONS)
    assert not is_conserved(flow[flow["stage"] != "not assigned yet"])


def test_an_unknown_partition_is_not_lost() -> None:
    """A value that nobody foresaw stands as not assigned."""
    flow = patient_flow(SUBJECTS.replace("external", "elsewhere"), LESIONS)
    assert is_conserved(flow) and set(flow["stage"]) <= {ADDED, *STAGES}


@pytest.mark.parametrize(
    ("step", "code", "told"),
    [
        ("transfer", "on_hold", "transfer: on hold"),
        ("convert", "slices_missing", "convert: slices missing"),
        ("", "annotation_not_delivered", "annotation not delivered"),
        ("", "", "no reason was recorded"),
    ],
)
def test_reasons_are_told_without_what_is_of_one_session(step: str, code: str, told: str) -> None:
    """Sessions that fell out for the same reason are counted together."""
    assert reason_class(step, code) == told


def numbers_of(box: Box) -> list[int]:
    return [int(n) for n in re.findall(r"(\d+) (?:subject-session|patient|lesion)", box.counts)]


def test_the_boxes_say_what_the_table_says_and_their_lines_add_up() -> None:
    """The ends' boxes add up to the one that was added; many reasons end in a sum, none is lost."""
    many = [
        ("own", str(i), "1", "HAQ", "excluded", None, f"reason_{chr(97 + min(i, 12))}")
        for i in range(20)
    ]
    flow = patient_flow(subjects(*many, ("own", "99", "1", "HAQ", "train")), LESIONS)
    boxes = end_boxes(flow)
    summed = [sum(column) for column in zip(*map(numbers_of, boxes), strict=True)]
    assert summed == [int(line.split()[0]) for line in added_box(flow).lines] == [21, 21, 10]
    [excluded] = [box for box in boxes if box.stage == EXCLUDED]
    assert len(excluded.lines) == MOST_REASONS
    assert sum(int(line.split(":")[0]) for line in excluded.lines) == numbers_of(excluded)[0] == 20


def test_the_diagram_is_words_and_the_same_bytes_again() -> None:
    """The vector file holds its texts as text, and every end is named beside its colour."""
    first, second = (figure_bytes(flow_figure(patient_flow(SUBJECTS, LESIONS))) for _ in range(2))
    assert first == second
    svg = first["svg"].decode()
    for text in ("Added: cohort own", "Training, HAQ", "External test set", "All cohorts"):
        assert f">{text}</text>" in svg
