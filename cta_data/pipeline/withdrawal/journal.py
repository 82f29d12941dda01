"""What a withdrawal is about, in a file that no commit holds, until it is done."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cta_data.errors import ConfigurationError
from cta_data.files import json_text, read_json_object, write_text
from cta_data.intake.pseudonyms import SALT, read_salt
from cta_data.intake.withdrawn import WithdrawnRow, is_withdrawn_label, read_withdrawn
from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.study import layout
from cta_data.study.study import Study

JOURNAL = ".cta/withdrawal.json"


@dataclass
class WithdrawalJournal:
    """A withdrawal that was begun.

    Attributes
    ----------
    keys
        Annex keys of the subject alone, by dataset.
    dropped
        `<dataset> <key>` of content that was dropped, by place.
    """

    path: Path
    cohort: str
    subject: str
    withdrawal: str
    withdrawn_on: str
    keys: dict[str, list[str]] = field(default_factory=dict)
    n_files: int = 0
    n_rows: int = 0
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def write(self) -> None:
        """Write it down."""
        content = {name: value for name, value in vars(self).items() if name != "path"}
        write_text(json_text(content), self.path)


def begun(study: Study) -> WithdrawalJournal | None:
    """Return the journal of a withdrawal that is not finished; None where there is none."""
    path = study.root / JOURNAL
    return WithdrawalJournal(path, **read_json_object(path)) if path.is_file() else None


def begin(study: Study, names: SubjectNames, day: str) -> WithdrawalJournal:
    """Return the journal of this withdrawal, that of a killed command where there is one.

    A subject who was withdrawn before keeps name and date: a sibling may be reachable now.

    Raises
    ------
    ConfigurationError
        Another withdrawal was begun and is not finished.
    """
    journal = begun(study)
    if journal is None:
        known = _known(study, names)
        about = (known.withdrawal, known.withdrawn_on) if known else (secrets.token_hex(8), day)
        journal = WithdrawalJournal(study.root / JOURNAL, *names.patient, *about)
        journal.write()
    elif (journal.cohort, journal.subject) != names.patient:
        raise ConfigurationError(
            "withdrawal_unfinished",
            where=JOURNAL,
            cohort=journal.cohort,
            subject=journal.subject,
        )
    return journal


def _known(study: Study, names: SubjectNames) -> WithdrawnRow | None:
    """Return the withdrawal of a subject that was made before and still holds."""
    folder = study.root / layout.sourcedata(names.cohort)
    rows = [row for row in read_withdrawn(folder) if row.holds]
    if not rows:
        return None
    salt = read_salt(folder / SALT)
    return next((row for row in rows if is_withdrawn_label([row], salt)(names.subject)), None)
