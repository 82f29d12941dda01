"""The checklist CLAIM 2024, each item answered by the study's own tables and files, or not at all.

Nothing is guessed: what no table of the study says (aims, design, limitations, …) is for the
authors to answer, and the page says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from cta_data.reports.checklist_answers import ANSWERS, FILE_CONTENT, Facts
from cta_data.reports.checklist_items import ITEMS, SOURCE, ChecklistItem
from cta_data.reports.page import page_html
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.study import layout
from cta_data.study.study import Study

NOT_ANSWERED = "not answered"
TITLE = "Checklist CLAIM 2024"
INTRO = (
    "Every item of the checklist, with what the tables and files of this study say about it. Items "
    f"about which they say nothing are `{NOT_ANSWERED}`: these are for the authors. An answer is a "
    "fact of the study and does not mean that the item is fulfilled. Topics are in our own words; "
    f"{SOURCE} explains the items. Files are named from the top of the study."
)
TO_TOP = "../"
"""From the folder of the page to the top of the study."""


@dataclass(frozen=True)
class Answer:
    """An item, what the study says about it (empty: nothing), and files that show it."""

    item: ChecklistItem
    text: str
    files: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether the study says anything."""
        return bool(self.text)


def checklist(study: Study, made: Collection[str] = ()) -> tuple[Answer, ...]:
    """Return every item with its answer, in order.

    Parameters
    ----------
    made
        Files of the study that are about to be written.
    """
    facts = Facts(study)
    answers = []
    for item in ITEMS:
        answer = ANSWERS.get(item.number)
        text, files = answer(facts) if answer else ("", ())
        there = tuple(name for name in files if name in made or (study.root / name).exists())
        answers.append(Answer(item, text or _content_of(there), there))
    return tuple(answers)


def _content_of(files: Iterable[str]) -> str:
    """Return what files hold, each once: those of several conventions hold the same."""
    held = (FILE_CONTENT[PurePosixPath(name).name] for name in files)
    return "; ".join(dict.fromkeys(held))


def checklist_frame(answers: Iterable[Answer]) -> pd.DataFrame:
    """Return one row per item: number, section, topic, answer and files."""
    rows = [
        {
            "item": one.item.number,
            "section": one.item.section,
            "topic": one.item.topic,
            "answer": one.text or NOT_ANSWERED,
            "files": " ".join(one.files),
        }
        for one in answers
    ]
    return pd.DataFrame(rows)


def checklist_html(answers: Sequence[Answer], notice: str = "") -> str:
    """Return the page."""
    columns = (
        TableColumn("Item"),
        *(TableColumn(name, "text") for name in ("Topic", "Answer of the study", "Files")),
    )
    rows = tuple(
        Row(
            (
                str(one.item.number),
                one.item.topic,
                one.text or NOT_ANSWERED,
                ", ".join(one.files) or MISSING,
            ),
            group=one.item.section,
            files=tuple((name, TO_TOP + name) for name in one.files),
        )
        for one in answers
    )
    given = sum(one.is_given for one in answers)
    return page_html(
        "table.html",
        title=TITLE,
        notice=notice,
        home=TO_TOP + layout.HOME,
        intro=INTRO,
        tables=[Table(columns, rows)],
        notes=(f"{given} of {len(answers)} items are answered by the study.",),
        lists={},
    )
