"""Whether the tables of a ``sourcedata`` folder and the files beside them tell the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from cta_data.study.sourcedata import ACCEPTED, Inventory, SeriesRow, instances_file, read_inventory


def inconsistencies(sourcedata: Path) -> list[str]:
    """Return what is wrong, one sentence each; nothing is read but tables and names.

    Raises
    ------
    CtaError
        A table cannot be read.
    """
    inventory = read_inventory(sourcedata)
    listed = {row.file for row in inventory.series}
    tables = {instances_file(row.subject).as_posix() for row in inventory.series}
    present = set(subject_files(sourcedata))
    accepted = {row.subject for row in inventory.subjects if row.status == ACCEPTED}
    found = [
        ("files of series.tsv are gone", sorted(listed - present)),
        ("files of raw data that no table lists", sorted(present - listed - tables)),
        (
            "subjects have series and are not accepted in subjects.tsv",
            sorted({row.subject for row in inventory.series} - accepted),
        ),
        ("series have other instances in the subject's own table", list(_disagreeing(inventory))),
    ]
    return [f"{len(names)} {what}, such as {names[0]}" for what, names in found if names]


def subject_files(sourcedata: Path) -> Iterator[str]:
    """Yield the files of subjects, fetched or not, by their paths from ``sourcedata``."""
    for folder in sorted(sourcedata.glob("sub-*")):
        for parent, _, names in os.walk(folder):
            yield from (os.path.relpath(Path(parent) / name, sourcedata) for name in names)


def instances_digest(rows: Iterator[tuple[str, str]]) -> str:
    """Return the digest of a series: UID and digest of each instance in the order of its file."""
    digest = hashlib.sha256()
    for uid, content in rows:
        digest.update(f"{uid} {content}\n".encode())
    return digest.hexdigest()


def _disagreeing(inventory: Inventory) -> Iterator[str]:
    by_subject: dict[str, list[SeriesRow]] = {}
    for row in inventory.series:
        by_subject.setdefault(row.subject, []).append(row)
    for subject, series in sorted(by_subject.items()):
        instances = inventory.instances(subject)
        for one in series:
            rows = ((r.sop_uid, r.digest) for r in instances if r.series == one.series)
            if instances_digest(rows) != one.digest:
                yield one.file
