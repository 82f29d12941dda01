"""The proof that nothing is left of patients who withdrew consent, and what it looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cta_data.intake.pseudonyms import SALT, read_salt
from cta_data.intake.withdrawn import WithdrawnRow, is_withdrawn_label, read_withdrawn
from cta_data.pipeline.withdrawal.command import key_digest
from cta_data.pipeline.withdrawal.journal import JOURNAL
from cta_data.pipeline.withdrawal.traces import files_of
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES, WithdrawalRow, WithdrawnContentRow
from cta_data.study.tables.table_row import SESSION, fields_of
from cta_data.versioning.annex_content import keys_here, places_of
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.key_uses import git_bytes, read_history

_KEY_COLUMNS = ("annex_key", "labels_key", "image_key", "prediction_key")


@dataclass(frozen=True)
class Proof:
    """What a check found: `ok`, or an `error` or `warning` with what is left."""

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str


@dataclass(frozen=True)
class _Dataset:
    """What a dataset holds, as digests of keys."""

    path: str
    here: dict[str, str]
    linked: dict[str, str]
    known: dict[str, str]
    history: frozenset[str]


def check_withdrawals(study: Study) -> Iterator[Proof]:
    """Look for content, files and rows of every patient who withdrew consent.

    Patients who consented again are left out: their content is here by right.
    """
    if (study.root / JOURNAL).exists():
        told = "a withdrawal was interrupted; run `cta-data withdraw` for that subject again"
        yield Proof("error", "withdrawal", told)
    standing = [row for row in study.tables.rows(WithdrawalRow) if not row.consent_again_on]
    if not standing:
        return
    datasets = {one.path: one for one in _datasets(study)}
    rows = _digests_in_tables(study)
    for row in sorted(standing, key=lambda one: one.withdrawal):
        yield from _check(study, row, datasets, rows)
    yield from _labels(study)


def _check(
    study: Study, row: WithdrawalRow, datasets: dict[str, _Dataset], rows: dict[str, str]
) -> Iterator[Proof]:
    about = f"withdrawal {row.withdrawal} ({row.cohort}, {row.withdrawn_on})"
    content: dict[str, set[str]] = {}
    of_it = study.tables.index(WithdrawnContentRow, ("withdrawal",)).get((row.withdrawal,), [])
    for one in of_it:
        content.setdefault(one.dataset, set()).add(one.key_sha256)
    again = f"run `cta-data withdraw SUBJECT --cohort {row.cohort} --yes` again"
    failed, in_history, elsewhere = False, 0, {}
    for path, digests in sorted(content.items()):
        held = datasets.get(path)
        if held is None:
            continue
        name = path or "the study"
        for what, found in (("content", held.here), ("files", held.linked)):
            if digests & found.keys():
                failed = True
                told = f"{len(digests & found.keys())} keys have {what} in {name}: {again}"
                yield Proof("error", about, told)
        in_history += len(digests & held.history)
        keys = {held.known[one] for one in digests & held.known.keys()}
        for place, n_keys in places_of(study.root / path, keys).items():
            elsewhere[f"{place} ({name})"] = n_keys
    used = (held.linked.keys() - content.get(held.path, set()) for held in datasets.values())
    of_others = set().union(*used)  # the same content, of other patients, in other datasets
    named = (set().union(*content.values()) & rows.keys()) - of_others
    if named:
        failed = True
        tables = ", ".join(sorted({rows[one] for one in named}))
        yield Proof("error", about, f"rows of {tables} name {len(named)} of its keys: {again}")
    for place, n_keys in sorted(elsewhere.items()):
        told = f"git-annex believes that {place} holds {n_keys} of its keys: make it reachable and "
        yield Proof("warning", about, f"{told}{again}, or `git annex dead` it if it is destroyed")
    if not failed:
        absent = [path for path in content if path not in datasets]
        told = f"{row.n_keys} keys: no content and no file of them in {len(content) - len(absent)} "
        told += f"datasets here, no row in {len(ROW_TYPES)} tables"
        told += f"; not here, so not looked at: {', '.join(absent)}" if absent else ""
        told += (
            f"; earlier commits name {in_history} keys" if in_history else "; no commit names one"
        )
        yield Proof("ok", about, told)


def _datasets(study: Study) -> Iterator[_Dataset]:
    for dataset in datasets_of(study.root):
        top = "" if dataset == study.root else dataset.relative_to(study.root).as_posix()
        links = _links(dataset)
        yield _Dataset(
            top,
            _by_digest(keys_here(dataset)),
            _by_digest(links),
            _by_digest(logged_keys(dataset)),
            frozenset(map(key_digest, read_history(dataset).uses)),
        )


def _by_digest(keys: set[str]) -> dict[str, str]:
    return {key_digest(key): key for key in keys}


def _links(dataset: Path) -> set[str]:
    """Return the keys that links of a dataset's working tree lead to; nested datasets included."""
    targets = (
        os.readlink(dataset / path) for path in files_of(dataset) if (dataset / path).is_symlink()
    )
    return {target.rpartition("/")[2] for target in targets if "annex/objects/" in target}


def logged_keys(dataset: Path) -> set[str]:
    """Return the keys that git-annex has logs of."""
    listed = git_bytes(dataset, "ls-tree", "-r", "--name-only", "-z", "git-annex", check=False)
    names = (os.fsdecode(path).rpartition("/")[2] for path in listed.split(b"\0") if path)
    return {name.partition(".log")[0] for name in names}


def _digests_in_tables(study: Study) -> dict[str, str]:
    """Return the tables that name annex keys, by the digest of the key."""
    found = {}
    for of in ROW_TYPES:
        for column in set(_KEY_COLUMNS) & {*fields_of(of)}:
            for (key,) in study.tables.columns(of, column):
                if key:
                    found[key_digest(key)] = of.TABLE
    return found


def _labels(study: Study) -> Iterator[Proof]:
    """Look for labels of withdrawn subjects in tables and folders, where the salt is here."""
    for cohort in study.cohorts_here:
        if not study.has_sourcedata(cohort):
            continue
        folder = study.root / layout.sourcedata(cohort)
        known = [row for row in read_withdrawn(folder) if row.holds]
        if not known:
            continue
        left = sorted(_labels_left(study, cohort, known, read_salt(folder / SALT)))
        subject = f"withdrawals of {cohort}"
        if left:
            yield Proof("error", subject, f"the label is still in {', '.join(left)}")
        else:
            told = f"labels of {len(known)} subjects: in no table, and no folder of the cohort"
            yield Proof("ok", subject, told)


def _labels_left(study: Study, cohort: str, known: list[WithdrawnRow], salt: str) -> set[str]:
    is_withdrawn = is_withdrawn_label(known, salt)
    left = set()
    for of in ROW_TYPES:
        fields = fields_of(of)
        if SESSION in fields or {"cohort", "subject"} <= {*fields}:
            pairs = set(study.tables.columns(of, "cohort", "subject"))
            if any(name == cohort and label and is_withdrawn(label) for name, label in pairs):
                left.add(of.TABLE)
    for top in (layout.sourcedata(cohort), layout.cohort(cohort), layout.derivatives(cohort)):
        for path in (study.root / top).glob("sub-*"):
            if is_withdrawn(path.name.removeprefix("sub-")):
                left.add(path.relative_to(study.root).as_posix())
    return left
