"""Subject labels that do not identify a patient.

Labels are numbers. Newcomers of one addition are numbered in the order of a keyed hash of their
PatientID, so neither the alphabet nor the hospital's numbering shows through; the key (a random
salt) and the map stay in ``sourcedata``.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from cta_data.errors import ConfigurationError, CtaError
from cta_data.given_names import check_name
from cta_data.reasons import Reason
from cta_data.study.sourcedata import ACCEPTED, SubjectRow

SALT = "pseudonyms.salt"
_SALT_TEXT = re.compile(r"[0-9a-f]{64}")
_WIDTH = 3


@dataclass
class Labelling:
    """Labels of the patients of one addition.

    Attributes
    ----------
    labels
        PatientID to subject label.
    refused
        PatientID to (the label it has, if it has just one; the reason why it is refused).
    newcomers
        Labels that no table held before.
    """

    labels: dict[str, str] = field(default_factory=dict)
    refused: dict[str, tuple[str, Reason]] = field(default_factory=dict)
    newcomers: set[str] = field(default_factory=set)


def read_or_make_salt(sourcedata: Path, *, known_subjects: bool, given: str = "") -> str:
    """Salt of a cohort (64 hex digits), or a new random (or given) one that is not written yet.

    Raises
    ------
    CtaError
        If there are subjects already and the salt is gone: nobody could be recognised again.
    ConfigurationError
        If the given salt is not 64 hex digits.
    """
    path = sourcedata / SALT
    if given and not _SALT_TEXT.fullmatch(given):
        raise ConfigurationError("salt_invalid")
    if path.is_file():
        return read_salt(path)
    if known_subjects or path.is_symlink():
        raise CtaError("salt_missing", where=path)
    return given or secrets.token_hex(32)


def read_salt(path: Path) -> str:
    """Return the salt that a file holds (64 hex digits).

    Raises
    ------
    CtaError
        It holds none: with another, nobody would be recognised again.
    """
    salt = path.read_bytes().decode("ascii", "replace").strip()
    if not _SALT_TEXT.fullmatch(salt):
        raise CtaError("salt_damaged", where=path)
    return salt


def keyed_hash(salt: str, text: str) -> str:
    """HMAC-SHA256 (hex) of a text under a salt given as hex digits."""
    return hmac.new(bytes.fromhex(salt), text.encode("utf-8"), hashlib.sha256).hexdigest()


def check_label(label: str) -> str:
    """A subject label without ``sub-``.

    Raises
    ------
    ConfigurationError
        If it is not made of letters and digits (BIDS), is too long, or a word of Windows.
    """
    return check_name(label.removeprefix("sub-"), "subject")


def check_labels(named: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Reason]]:
    """Return the labels that may be used, and why each of the others may not, by PatientID.

    One folder with an odd name costs its own patient.

    Raises
    ------
    ConfigurationError
        None of them may be used: the card's template is wrong.
    """
    labels: dict[str, str] = {}
    refused: dict[str, ConfigurationError] = {}
    for source_id, label in named.items():
        try:
            labels[source_id] = check_label(label)
        except ConfigurationError as error:
            refused[source_id] = error
    if refused and not labels:
        raise next(iter(refused.values()))
    return labels, {source_id: error.reason for source_id, error in refused.items()}


def read_subject_map(path: Path) -> dict[str, str]:
    """Read a table (TSV, columns ``source_id`` and ``subject``) of labels chosen by hand.

    Raises
    ------
    ConfigurationError
        If a column is missing, a label is not allowed or a patient number comes twice.
    """
    labels: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, dialect="excel-tab")
        if not {"source_id", "subject"} <= set(reader.fieldnames or ()):
            raise ConfigurationError("label_table_columns_missing", where=path)
        for row in reader:
            source_id = (row["source_id"] or "").strip()
            if source_id in labels:
                raise ConfigurationError(
                    "label_table_patient_repeated", where=f"{path}, line {reader.line_num}"
                )
            labels[source_id] = check_label((row["subject"] or "").strip())
    return labels


def assign_labels(
    source_ids: Iterable[str],
    known: Iterable[SubjectRow],
    salt: str,
    *,
    chosen: Mapping[str, str],
    separate_labels: bool = False,
    is_withdrawn: Callable[[str], bool] = lambda label: False,
    consent_again: bool = False,
) -> Labelling:
    """Give every patient number its subject label.

    Parameters
    ----------
    source_ids
        Patient numbers of the addition.
    known
        Rows of ``subjects.tsv``.
    salt
        See `read_or_make_salt`.
    chosen
        Labels given by hand; the others keep theirs or get the next numbers.
    separate_labels
        Whether a patient number that has a label may get another one by hand. Collections that
        were made anonymous may give one number to everybody; otherwise it would put one patient
        under two labels, and so perhaps into training and test.
    is_withdrawn
        Whether a label was that of a patient who withdrew consent: nobody else gets it, since
        earlier copies of the study mean that patient by it.
    consent_again
        Whether patients who withdrew consent may come back, and so get their label by hand.
    """
    rows = list(known)
    taken = {row.subject for row in rows if row.subject}
    held, reserved = _labels_before(rows)
    result = Labelling()
    strangers: list[str] = []
    for source_id in sorted(set(source_ids)):
        before = held.get(source_id, set())
        wish = chosen.get(source_id, "")
        holders = ", ".join(sorted(before))
        if wish and before and wish not in before and not separate_labels:
            reason = Reason("patient_has_another_label", subjects=holders, label=wish)
            result.refused[source_id] = (next(iter(before)) if len(before) == 1 else "", reason)
        elif wish and wish not in taken and is_withdrawn(wish) and not consent_again:
            result.refused[source_id] = ("", Reason("label_of_withdrawn_patient", label=wish))
        elif wish:
            result.labels[source_id] = wish
        elif len(before) > 1:
            reason = Reason("patient_number_ambiguous", subjects=holders)
            result.refused[source_id] = ("", reason)
        elif before:
            result.labels[source_id] = next(iter(before))
        elif len(reserved.get(source_id, ())) == 1:
            result.labels[source_id] = next(iter(reserved[source_id]))
        else:
            strangers.append(source_id)
    strangers.sort(key=lambda source_id: keyed_hash(salt, source_id))
    free = _next_labels({*taken, *result.labels.values()}, is_withdrawn)
    result.labels |= dict(zip(strangers, free, strict=False))
    _refuse_twins(result, taken)
    result.newcomers = set(result.labels.values()) - taken
    return result


def _next_labels(taken: set[str], is_withdrawn: Callable[[str], bool]) -> Iterator[str]:
    """Yield the numbers after the highest, without those of patients who withdrew consent."""
    labels = (f"{one:0{_WIDTH}d}" for one in count(_highest(taken) + 1))
    return (label for label in labels if not is_withdrawn(label))


def _refuse_twins(result: Labelling, taken: set[str]) -> None:
    """Refuse new labels that differ from another in case alone: some disks hold one of the two."""
    owners = {label.casefold(): label for label in sorted(taken)}
    for source_id, label in sorted(result.labels.items()):
        if label in taken:
            continue
        other = owners.setdefault(label.casefold(), label)
        if other != label:
            del result.labels[source_id]
            reason = Reason("label_differs_in_case", label=label, other=other)
            result.refused[source_id] = ("", reason)


def _labels_before(rows: list[SubjectRow]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Labels by patient number: those it was accepted under, and those it was refused under.

    Who was only refused keeps the number that the message named, until another is chosen. Who was
    refused under another patient's label does not hold it.
    """
    accepted = {row.subject for row in rows if row.status == ACCEPTED}
    held: dict[str, set[str]] = {}
    reserved: dict[str, set[str]] = {}
    for row in rows:
        if row.subject and row.source_id:
            if row.status == ACCEPTED:
                held.setdefault(row.source_id, set()).add(row.subject)
            elif row.subject not in accepted:
                reserved.setdefault(row.source_id, set()).add(row.subject)
    return held, reserved


def _highest(labels: set[str]) -> int:
    return max((int(label) for label in labels if label.isascii() and label.isdigit()), default=0)
