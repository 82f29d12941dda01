"""Sessions that left sourcedata: what was made of them goes too, so that all counts keep adding up.

A subject that was refused and has been mended comes back as sessions; sessions are renumbered
when an earlier study is added; somebody may withdraw consent.
"""

from __future__ import annotations

from cta_data.engine.sessions import source_sessions
from cta_data.engine.staging import remove
from cta_data.study.study import Study
from cta_data.study.tables.schemas import table_schemas

SESSION = ("cohort", "subject", "session")


def retire_sessions(study: Study) -> list[tuple[str, str, str]]:
    """Drop rows and outputs of sessions that are no longer in sourcedata; return them.

    Cohorts whose sourcedata is not here, or is empty, are left as they are.
    """
    gone: set[tuple[str, str, str]] = set()
    units = study.tables.by_key("units")
    for cohort in study.cohorts_here:
        sessions = source_sessions(study, cohort)
        here = {(cohort, one.subject, one.session) for one in sessions or ()}
        if here:
            known = {key[1:] for key in units if key[0] == "convert" and key[1] == cohort}
            gone |= known - here
    if gone:
        outputs = [path for key, row in units.items() if key[1:] in gone for path in row["outputs"]]
        remove(study.root, outputs)
        for name, schema in table_schemas().items():
            if set(SESSION) <= set(schema.arrow.names):
                study.tables.replace(name, SESSION, set(gone), [])
    return sorted(gone)
