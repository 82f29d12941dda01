"""One sitting of one reader: the list, what is decided, and how it gets into the study."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cta_data.engine.acceptance import ANNOTATION, FINDING, TRANSFER
from cta_data.errors import ConfigurationError, CtaError
from cta_data.pipeline.housekeeping import keep_books
from cta_data.reports.home import write_home
from cta_data.review.acceptance import decide_unit
from cta_data.review.annotation_items import annotations_key
from cta_data.review.finding_items import missed_key, prediction_key
from cta_data.review.items import ReviewItem, about_key, two_annotations
from cta_data.review.journal import DECIDE, OPEN_ELSEWHERE, UNDO, ReviewJournal, left_journals
from cta_data.review.numbering import numbered
from cta_data.review.transfer_items import unit_key_now
from cta_data.review.worklist import Worklist, decisions_of
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.provenance import commit_run

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
NOTE_LENGTH = 2000


@dataclass(frozen=True)
class Committed:
    """What came of decisions: how many are in the study, and those about something that changed."""

    decisions: int = 0
    void: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What a reader says of an item; `preferred` is the annotation that is right, or empty."""

    verdict: str
    note: str = ""
    preferred: str = ""


def decision_row(item: ReviewItem, reader: str, said: Said, day: str) -> DecisionRow:
    """Return the decision of a reader about an item; `day` is YYYY-MM-DD.

    Raises
    ------
    ConfigurationError
        Nothing of this kind has such a verdict, or no such annotation is to be chosen.
    """
    if said.verdict not in item.verdicts:
        raise ConfigurationError("verdict_unknown", verdict=said.verdict, verdicts=item.verdicts)
    if said.preferred and said.preferred not in item.choices:
        raise ConfigurationError("choice_unknown", choice=said.preferred, choices=item.choices)
    # Half of a pair of UTF-16 is no text: no table and no commit could hold it.
    note = said.note.encode("utf-8", "replace").decode("utf-8")
    return replace(
        item.about,
        reader=reader,
        verdict=said.verdict,
        reason=note.strip()[:NOTE_LENGTH] or None,
        decided_on=day,
        preferred=said.preferred or None,
    )


def require_reader(code: str) -> str:
    """Return the code of a reader: it names a file, and stands in the study for all to see.

    Raises
    ------
    ConfigurationError
        There is none, or it is no code.
    """
    if not _CODE.fullmatch(code):
        raise ConfigurationError("review_reader_code", reader=code)
    return code


class Sitting:
    """What one reader sees and says; every decision is in the journal before it counts.

    Raises
    ------
    CtaError
        This reader has another review open.
    """

    def __init__(self, study: Study, listed: Worklist, reader: str, day: str) -> None:
        self.listed = listed
        self.reader = require_reader(reader)
        self._day = day
        self._before = decisions_of(study, reader)
        self.journal = ReviewJournal(study.root, reader)

    def decision(self, item: ReviewItem) -> DecisionRow | None:
        """Return what this reader says of an item: now, or in an earlier sitting."""
        key = about_key(item.about)
        return self.journal.stands().get(key) or self._before.get(key)

    def decisions(self) -> dict[str, DecisionRow]:
        """Return what this reader says of the listed items, by their id."""
        said = self._before | self.journal.stands()
        keys = {item.id: about_key(item.about) for item in self.listed.items}
        return {name: said[key] for name, key in keys.items() if key in said}

    def decide(self, item: ReviewItem, said: Said) -> DecisionRow:
        """Keep a decision.

        Raises
        ------
        ConfigurationError
            Nothing of this kind has such a verdict.
        OSError
            It could not be written: nothing was decided.
        """
        row = decision_row(item, self.reader, said, self._day)
        self.journal.add(DECIDE, row)
        return row

    def undo(self) -> DecisionRow | None:
        """Take back the last decision of this sitting; return it, or None."""
        last = self.journal.last()
        if last is not None:
            self.journal.add(UNDO, last)
        return last


def commit_sitting(study: Study, journal: ReviewJournal, command: Sequence[str]) -> Committed:
    """Write the decisions of a journal into the study in one commit, and remove the journal.

    Raises
    ------
    CtaError
        Another command works on the study, or the commit failed: the journal stays.
    """
    done = commit_decisions(study, journal.stands().values(), command)
    journal.remove()
    return done


def commit_left(study: Study, command: Sequence[str]) -> dict[str, Committed]:
    """Commit what crashed sittings left, by reader; a review that is open keeps its journal."""
    done = {}
    for reader in left_journals(study.root):
        try:
            journal = ReviewJournal(study.root, require_reader(reader))
        except CtaError as error:
            if error.reason.code != OPEN_ELSEWHERE:
                raise
            continue
        done[reader] = commit_sitting(study, journal, command)
    return {reader: one for reader, one in done.items() if one.decisions}


def commit_decisions(
    study: Study, decisions: Iterable[DecisionRow], command: Sequence[str]
) -> Committed:
    """Write decisions into the table `decisions`, and commit them.

    Raises
    ------
    CtaError
        Another command works on the study, or the commit failed.
    """
    rows = list(decisions)
    if not rows:
        return Committed()
    require_identity(study.root)
    with study_lock(study):
        void = tuple(_name(row) for row in rows if content_key_now(study, row) != row.content_key)
        for row in rows:
            if row.kind == TRANSFER:
                decide_unit(study, row)
            else:
                study.tables.upsert([numbered(study.tables, row)])
        keep_books(study)
        study.tables.flush()
        write_home(study)
        cohorts = {row.session.cohort for row in rows if row.session}
        paths = {layout.HOME, layout.MANIFESTS, *map(study.cohort_path, cohorts)}
        readers = ", ".join(sorted({row.reader for row in rows}))
        told = f"cta-data review: {len(rows)} decisions by {readers}"
        commit_run(study.root, list(command), told, sorted(paths), 0)
    return Committed(len(rows), void)


def content_key_now(study: Study, row: DecisionRow) -> str | None:
    """Return the key of what a decision is about, as it is now; None where it is gone."""
    if row.kind == TRANSFER:
        return unit_key_now(study, row)
    if row.kind == ANNOTATION:
        assert row.session is not None
        both = (row.first_annotation, row.second_annotation)
        return annotations_key(study, row.session, *both)
    assert row.kind == FINDING
    if row.predicted_lesion:
        return prediction_key(study, row.model, row.test_set, row.case)
    return missed_key(study, row)


def _name(row: DecisionRow) -> str:
    if row.kind == ANNOTATION:
        return f"{row.kind}: {two_annotations(row)}"
    return f"{row.kind}: {row.session}, {row.step or row.case}"
