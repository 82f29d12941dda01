"""Sessions that left sourcedata: what was made of them goes too, so that all counts keep adding up.

A subject that was refused and has been mended comes back as sessions; sessions are renumbered
when an earlier study is added; somebody may withdraw consent.
"""

from __future__ import annotations

from cta_data.engine.sessions import source_sessions
from cta_data.engine.staging import remove
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables.schemas import table_schemas

SESSION = ("cohort", "subject", "session")


def retire_sessions(study: Study) -> list[SessionId]:
    """Drop rows and outputs of sessions that are no longer in sourcedata; return them.

    Cohorts whose sourcedata is not here, or is empty, are left as they are.
    """
    gone: set[SessionId] = set()
    converted = study.tables.index("units", ("step", "cohort"))
    for cohort in study.cohorts_here:
        here = {one.id for one in source_sessions(study, cohort) or ()}
        if here:
            known = {SessionId.of(row) for row in converted.get(("convert", cohort), [])}
            gone |= known - here
    if gone:
        units = study.tables.index("units", SESSION)
        made = [row for session in gone for row in units.get(session.key, [])]
        remove(study.root, [path for row in made for path in row["outputs"]])
        for name, schema in table_schemas().items():
            if set(SESSION) <= set(schema.arrow.names):
                study.tables.replace(name, SESSION, {one.key for one in gone}, [])
    return sorted(gone)
