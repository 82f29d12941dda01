"""Bookkeeping where sessions change: who left sourcedata, who is excluded, who is listed.

It belongs to what changes sessions: adding, the steps on subjects, builds and decisions. Training,
predicting, evaluating and reporting read its tables and change nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable

from cta_data.engine.sessions import source_sessions
from cta_data.engine.staging import remove
from cta_data.pipeline.accounting import account, write_participant_tables
from cta_data.pipeline.convert.clinical import list_rows_without_session
from cta_data.study.annotations import settled
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES, AnnotationRow, UnitRow
from cta_data.study.tables.table_row import SESSION, fields_of


def tidy(study: Study, note: Callable[[str], None]) -> None:
    """Remove what was made of sessions that are gone, before anything is planned.

    Parameters
    ----------
    note
        Takes a line about each cohort that is away and each session that is gone.
    """
    for cohort in study.not_available:
        note(f"{cohort} is not available here: what was made of it is kept as it is")
    for session in retire_sessions(study):
        note(f"{session} is no longer in sourcedata: what was made of it is removed")


def keep_books(study: Study) -> None:
    """Bring up to date what tells of all sessions: partitions, exclusions, lists of participants.

    Every subject of the source is then converted, quarantined or excluded with a reason, and every
    row of a clinical table of lesions is joined or listed.
    """
    settle_annotations(study)
    account(study)
    list_rows_without_session(study)
    write_participant_tables(study)


def settle_annotations(study: Study) -> None:
    """Say in the table `annotations` which were corrected since."""
    rows = study.tables.index(AnnotationRow, SessionId._fields)
    study.tables.upsert(
        [
            after
            for own in rows.values()
            if len(own) > 1
            for before, after in zip(own, settled(own), strict=True)
            if after is not before
        ]
    )


def retire_sessions(study: Study) -> list[SessionId]:
    """Drop rows and outputs of sessions that are no longer in sourcedata; return them.

    A subject that was refused and has been mended comes back as sessions; sessions are renumbered
    when an earlier study is added; somebody may withdraw consent: what was made of them goes too,
    so that all counts keep adding up. Cohorts whose sourcedata is not here, or is empty, are left
    as they are.
    """
    gone: set[SessionId] = set()
    converted = study.tables.index(UnitRow, ("step", "cohort"))
    for cohort in study.cohorts_here:
        here = {one.id for one in source_sessions(study, cohort) or ()}
        if here:
            known = {row.id.session for row in converted.get(("convert", cohort), [])}
            gone |= known - here
    if gone:
        made = [row for session in gone for row in study.tables.of_session(UnitRow, session)]
        kept = [row for one in gone for row in study.tables.of_session(AnnotationRow, one)]
        files = [path for row in made for path in row.outputs]
        files += [path for row in kept for path in (row.path, row.names_path) if path]
        remove(study.root, list(dict.fromkeys(files)))
        for of in ROW_TYPES:
            if SESSION in fields_of(of):
                study.tables.replace(of, SessionId._fields, set(gone), [])
    return sorted(gone)
