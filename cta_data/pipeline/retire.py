"""Sessions that left sourcedata: what was made of them goes too, so that all counts keep adding up.

A subject that was refused and has been mended comes back as sessions; sessions are renumbered
when an earlier study is added; somebody may withdraw consent.
"""

from __future__ import annotations

from cta_data.engine.sessions import source_sessions
from cta_data.engine.staging import remove
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES, UnitRow
from cta_data.study.tables.table_row import SESSION, fields_of


def retire_sessions(study: Study) -> list[SessionId]:
    """Drop rows and outputs of sessions that are no longer in sourcedata; return them.

    Cohorts whose sourcedata is not here, or is empty, are left as they are.
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
        remove(study.root, [path for row in made for path in row.outputs])
        for of in ROW_TYPES:
            if SESSION in fields_of(of):
                study.tables.replace(of, SessionId.COLUMNS, {one.key for one in gone}, [])
    return sorted(gone)
