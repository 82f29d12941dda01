"""Withdraw a subject: find every trace, remove what is here and in siblings, say what is left.

What is to be done is written down first (`.cta/withdrawal.json`, which no commit holds): a command
that is killed is run again, and finishes. The order is such that the patient cannot be added again
from the first moment, and that no commit names content that was dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cta_data.cohorts.clinical.removal import remove_patient
from cta_data.engine.driver import UNCOMMITTED, mark_uncommitted
from cta_data.engine.staging import remove
from cta_data.errors import DataRefused
from cta_data.intake.pseudonyms import SALT, read_salt
from cta_data.intake.withdrawn import read_withdrawn, withdrawn_row, write_withdrawn
from cta_data.patterns import search
from cta_data.pipeline.housekeeping import keep_books
from cta_data.pipeline.withdrawal.choice import datasets_of_cohort
from cta_data.pipeline.withdrawal.journal import JOURNAL, WithdrawalJournal, begin
from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.pipeline.withdrawal.records import Withdrawal, edit_text, mark_builds, mark_models
from cta_data.pipeline.withdrawal.removal import (
    remove_empty_predictions,
    remove_from_inventories,
    remove_rows,
    remove_work,
)
from cta_data.pipeline.withdrawal.traces import (
    WORKING,
    Traces,
    files_of,
    find_traces,
    names_inside,
    total_size,
)
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.sourcedata import CLINICAL, read_inventory
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, WithdrawalRow, WithdrawnContentRow
from cta_data.versioning.annex_content import Dropped, drop_from, drop_here, places_of, siblings_of
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.datasets import require_identity, save
from cta_data.versioning.git_settings import run_git

MESSAGE = "Consent withdrawn: the data of one subject is removed"
MADE = (layout.MANIFESTS, layout.BUILDS, layout.EVALUATION, layout.MODELS, ".datalad", layout.HOME)
"""What a withdrawal may change of the study itself."""


@dataclass(frozen=True)
class Unreached:
    """A place that may still hold content, and why it was not dropped there."""

    dataset: str
    place: str
    n_keys: int
    why: str


@dataclass(frozen=True)
class Withdrawn:
    """What came of a withdrawal.

    Attributes
    ----------
    n_files
        Files that were removed.
    dropped
        Keys and bytes that were dropped, by place; this copy is `here`.
    unreached
        Places that may still hold content.
    left
        Files that people wrote and that still name the subject, and tables that could not be read.
    builds, models
        Settings whose training set held the subject, and models that were trained on it.
    """

    withdrawal: str
    withdrawn_on: str
    n_files: int
    n_rows: int
    n_keys: int
    n_bytes: int
    dropped: dict[str, tuple[int, int]]
    unreached: tuple[Unreached, ...]
    left: tuple[str, ...]
    builds: tuple[str, ...]
    models: tuple[str, ...]


def plan_withdrawal(study: Study, names: SubjectNames) -> Traces:
    """Return every trace of a subject; nothing is changed.

    Raises
    ------
    NotAvailable
        A dataset of the cohort, of models or of predictions is not here.
    """
    _require_datasets(study, names)
    found = find_traces(study, names)
    for kind in (WORKING, "other files"):
        found.files[kind] = [path for path in found.files.get(kind, ()) if path != JOURNAL]
    found.texts[:] = [path for path in found.texts if path != JOURNAL]
    return found


def _require_datasets(study: Study, names: SubjectNames) -> None:
    for path in (*datasets_of_cohort(names.cohort), layout.MODELS, layout.PREDICTIONS):
        study.require(path)


def withdraw(
    study: Study, names: SubjectNames, day: str, finish: Callable[[], object] = lambda: None
) -> Withdrawn:
    """Remove a subject from a study and from the siblings that can be reached, and commit it.

    Parameters
    ----------
    day
        Of the withdrawal, YYYY-MM-DD.
    finish
        Called before the commit, once the tables are written.

    Raises
    ------
    ConfigurationError
        Another withdrawal was begun and is not finished.
    CtaError
        Another command works on the study, a dataset is not here, or the commit failed.
    """
    require_identity(study.root)
    with study_lock(study):
        _require_datasets(study, names)
        journal = begin(study, names, day)
        about = Withdrawal(journal.withdrawal, journal.withdrawn_on)
        found = plan_withdrawal(study, names)
        _note_keys(journal, found)
        mark_uncommitted(study.root)
        left = _remember(study, names, journal)
        builds, models = mark_builds(study, names, about), mark_models(study, names, about)
        left += _remove(study, names, found)
        row = _tabulate(study, journal, builds, models)
        _commit(study, finish)
        unreached = _drop(study, journal)
        journal.path.unlink()
    return Withdrawn(
        withdrawal=row.withdrawal,
        withdrawn_on=row.withdrawn_on,
        n_files=journal.n_files,
        n_rows=journal.n_rows,
        n_keys=row.n_keys,
        n_bytes=row.n_bytes,
        dropped={
            place: (len(keys), total_size(key.rpartition(" ")[2] for key in keys))
            for place, keys in sorted(journal.dropped.items())
        },
        unreached=tuple(unreached),
        left=tuple(sorted(set(left))),
        builds=row.builds or (),
        models=row.models or (),
    )


def _note_keys(journal: WithdrawalJournal, found: Traces) -> None:
    for trace in found.content:
        known = journal.keys.setdefault(trace.dataset, [])
        journal.keys[trace.dataset] = sorted({*known, *trace.keys})
    # Of a command that was killed, some are gone already.
    journal.n_files = max(journal.n_files, sum(map(len, found.files.values())))
    journal.n_rows = max(journal.n_rows, sum(found.rows.values()))
    journal.write()


def _remember(study: Study, names: SubjectNames, journal: WithdrawalJournal) -> list[str]:
    """Write down by what the patient is known again, and take the rows out of clinical tables.

    Returns what could not be read. It comes before all else: the numbers are in the tables of
    sourcedata, which lose them.
    """
    folder = study.root / layout.sourcedata(names.cohort)
    found = read_inventory(folder)
    mine = [row for row in found.subjects if row.subject == names.subject]
    left = _clean_clinical(study, names, {row.source_id for row in mine if row.source_id})
    known = read_withdrawn(folder)
    if all(row.withdrawal != journal.withdrawal for row in known):
        series = [row for row in found.series if row.subject == names.subject]
        own = withdrawn_row(
            journal.withdrawal,
            journal.withdrawn_on,
            names.subject,
            mine,
            series,
            read_salt(folder / SALT),
        )
        write_withdrawn(folder, [*known, own])
    return left


def _clean_clinical(study: Study, names: SubjectNames, numbers: set[str]) -> list[str]:
    folder = study.root / layout.sourcedata(names.cohort) / CLINICAL
    cards = study.card(names.cohort).clinical
    left = []
    for path in sorted(folder.rglob("*")) if numbers and folder.is_dir() else ():
        if not path.is_file():
            continue
        try:
            remove_patient(path, [c for c in cards if search(c.file, path.name)], numbers)
        except DataRefused as error:
            left.append(f"{path.relative_to(study.root).as_posix()}: {error.what}")
    return left


def _remove(study: Study, names: SubjectNames, found: Traces) -> list[str]:
    """Remove files, lines and rows; return the files that still name the subject."""
    remove_work(study, names)
    remove_from_inventories(study, names)
    gone = [path for files in found.files.values() for path in files]
    remove(study.root, gone)
    remove_rows(study, names)
    remove_empty_predictions(study, gone)
    study.refresh()
    keep_books(study)
    _remove_empty_tables(study, names)
    again = [path for path in files_of(study.root) if path != JOURNAL]
    named = [path for path in again if names_inside(study.root, path, names)]
    return [path for path in named if edit_text(study, path, names)]


def _remove_empty_tables(study: Study, names: SubjectNames) -> None:
    """Remove the list of participants of a cohort that has none left, as a new one has none."""
    rows = study.tables.index(SessionRow, ("cohort",))
    if not rows.get((names.cohort,)):
        folder = layout.cohort(names.cohort)
        remove(study.root, [f"{folder}/participants.tsv", f"{folder}/participants.json"])


def _tabulate(
    study: Study, journal: WithdrawalJournal, builds: Iterable[str], models: Iterable[str]
) -> WithdrawalRow:
    keys = [(dataset, key) for dataset, own in journal.keys.items() for key in own]
    before = study.tables.by_key(WithdrawalRow).get((journal.withdrawal,))
    row = WithdrawalRow(
        withdrawal=journal.withdrawal,
        cohort=journal.cohort,
        withdrawn_on=journal.withdrawn_on,
        n_keys=len(keys),
        n_bytes=total_size(key for _, key in keys),
        builds=_joined(builds, before.builds if before else None),
        models=_joined(models, before.models if before else None),
    )
    study.tables.upsert([row])
    study.tables.upsert(
        [
            WithdrawnContentRow(
                withdrawal=journal.withdrawal, dataset=dataset, key_sha256=key_digest(key)
            )
            for dataset, key in keys
        ]
    )
    study.tables.flush()
    return row


def _joined(names: Iterable[str], before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(sorted({*names, *(before or ())})) or None


def key_digest(key: str) -> str:
    """Return what is kept of an annex key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _commit(study: Study, finish: Callable[[], object]) -> None:
    """Commit all that commands make, so that nothing is left of one that was killed, either.

    Folders that are gone as a whole are among it: git holds their files until a commit removes
    them.
    """
    finish()
    paths = [*MADE, *map(layout.cohort, study.cohorts_here)]
    known = [path for path in paths if (study.root / path).exists() or _is_tracked(study, path)]
    save(study.root, MESSAGE, [study.root / path for path in known])
    (study.root / UNCOMMITTED).unlink(missing_ok=True)


def _is_tracked(study: Study, path: str) -> bool:
    return bool(run_git(study.root, "ls-files", "--", path, check=True).stdout)


def _drop(study: Study, journal: WithdrawalJournal) -> list[Unreached]:
    """Drop all content, here and in siblings; return where some may be left."""
    unreached: list[Unreached] = []
    for dataset in datasets_of(study.root):
        name = "" if dataset == study.root else dataset.relative_to(study.root).as_posix()
        keys = journal.keys.get(name, ())
        if not keys:
            continue
        asked = set()
        for done in _dropped(dataset, keys):
            place = done.place or "here"
            known = journal.dropped.setdefault(place, [])
            journal.dropped[place] = sorted({*known, *(f"{name} {key}" for key in done.keys)})
            journal.write()
            if done.failed:
                unreached.append(Unreached(name, place, len(keys), done.failed))
            asked.add(place)
        for place, n_keys in sorted(places_of(dataset, keys).items()):
            if place.strip("[]") not in asked:
                unreached.append(Unreached(name, place, n_keys, "it is no sibling of this copy"))
    return unreached


def _dropped(dataset: Path, keys: Iterable[str]) -> Iterator[Dropped]:
    wanted = set(keys)
    yield drop_here(dataset, wanted)
    for sibling in siblings_of(dataset):
        yield drop_from(dataset, sibling, wanted)
