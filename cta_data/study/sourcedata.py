"""What a cohort's ``sourcedata`` holds, in tables of text that git keeps well.

``subjects.tsv``    who is who, and who was refused (restricted: it identifies patients)
``series.tsv``      one row a kept series, with its header
``set_aside.tsv``   objects and series that were seen and not kept, with the reason
``persons.tsv``     subjects who are also a subject of another cohort (restricted as well)
``withdrawn.tsv``   who withdrew consent, by keyed hashes alone (see `withdrawn`)
``clinical/``       tables about the whole cohort, as delivered
``sub-X/sub-X_instances.tsv``   instances of the subject's series, in the order of the tar

Decisions are made from these tables, so that they can be made where the tars' content was
not fetched. Every table is sorted and written through a temporary file.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.files import Stamp, file_stamp, json_line, write_changed

SUBJECTS = "subjects.tsv"
SERIES = "series.tsv"
SET_ASIDE = "set_aside.tsv"
PERSONS = "persons.tsv"
STAGING = ".staging"
CLINICAL = "clinical"
"""Folder of the files about the whole cohort, as they were delivered."""

SESSION_STUDY = "session:"
"""Begins the study of plain files, which follows from their session and not the reverse."""
SOURCE_FILE = "SourceFile"
"""Attribute of a plain file's header: its place in the source."""

ACCEPTED = "accepted"
REFUSED = "refused"
ASIDE = "set_aside"


class StoredHeader(Mapping[str, str]):
    """The header of a series as its table has it: read when somebody asks, which is seldom.

    Headers are unlike each other, and most of a large table.

    Raises
    ------
    CtaError
        It is no JSON object; on the first question.
    """

    __slots__ = ("_table", "text")

    def __init__(self, table: Path, text: str) -> None:
        self._table = table
        self.text = text

    def _content(self) -> dict[str, str]:
        try:
            content = json.loads(self.text)
            if isinstance(content, dict):
                return content
            why = f"a header holds {type(content).__name__}"
        except (ValueError, RecursionError) as error:
            why = f"a header holds no JSON: {error}"
        raise CtaError(
            "sourcedata_table_unreadable", where=self._table, error_type="header", error=why
        )

    def __getitem__(self, name: str) -> str:
        return self._content()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())


Header = Mapping[str, str]
"""Header of a series by keyword; `StoredHeader` where it was read from a table."""


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One patient number of one subject (a subject known by two numbers has two rows).

    Attributes
    ----------
    subject
        Label without ``sub-``; empty for data without a patient number, which is always refused.
    source_id
        PatientID as delivered; empty where it was missing and the label was given by hand.
    status
        ``accepted`` or ``refused``.
    refused_reason, refused_code
        Why the last addition was refused; empty once one was accepted. A subject that was
        accepted before stays accepted, and the reason tells what was kept out.
    study_uid
        Study of data without a patient number and without a label, else empty.
    identity
        Fingerprint (keyed hash) per identity attribute; never the value.
    """

    subject: str
    source_id: str
    status: str
    refused_reason: str = ""
    refused_code: str = ""
    study_uid: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One kept series: one tar.

    Attributes
    ----------
    file
        Tar, relative to ``sourcedata``.
    acquired
        Earliest acquisition of its instances, ``YYYYMMDDHHMMSS.FFFFFF``, or empty.
    digest
        SHA-256 over the SOP instance UIDs and digests of the instances, in the tar's order.
    header
        `header_of` its first instance.
    pixels
        Digest of its pixels alone, equal for copies under other names; empty where it is no image.
    slices
        A sample of the digests of its slices, with blanks between: copies share most of them.
    """

    subject: str
    session: str
    series: str
    file: str
    kind: str
    modality: str
    sop_class: str
    n_instances: int
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    study_date: str
    acquired: str
    digest: str
    header: Header = field(default_factory=dict)
    pixels: str = ""
    slices: str = ""

    @property
    def source_file(self) -> str:
        """Place of a plain file in the source; empty of DICOM, whose header is not read for it."""
        plain = self.study_uid.startswith(SESSION_STUDY)
        return self.header.get(SOURCE_FILE, "") if plain else ""


@dataclass(frozen=True, slots=True)
class SetAsideRow:
    """Objects that were seen and not kept; ``n_instances`` is the most seen in one addition.

    ``status`` is ``refused`` for a series that would be kept, else ``set_aside``.
    """

    subject: str
    study_uid: str
    series_uid: str
    sop_class: str
    kind: str
    status: str
    reason: str
    reason_code: str
    n_instances: int

    @property
    def refused(self) -> bool:
        """Whether it is a series that would be kept if it were not damaged or contradictory."""
        return self.status == REFUSED


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance of a series; ``series`` is the short hash of the tar's name."""

    series: str
    instance_number: int
    sop_uid: str
    digest: str
    pixels: str = ""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A subject who is, by name and birth date, the subject ``other`` of another cohort."""

    subject: str
    cohort: str
    other: str


@dataclass
class Inventory:
    """The tables of one ``sourcedata`` folder, in memory."""

    folder: Path
    subjects: list[SubjectRow] = field(default_factory=list)
    series: list[SeriesRow] = field(default_factory=list)
    set_aside: list[SetAsideRow] = field(default_factory=list)
    persons: list[PersonRow] = field(default_factory=list)

    def instances(self, subject: str) -> list[InstanceRow]:
        """Instances of a subject's series (read from its own table)."""
        return read_table(self.folder / instances_file(subject), InstanceRow)


def instances_file(subject: str) -> Path:
    """Name of a subject's table of instances, relative to ``sourcedata``."""
    return Path(f"sub-{subject}") / f"sub-{subject}_instances.tsv"


def read_inventory(sourcedata: Path) -> Inventory:
    """Read the tables; an absent table is empty.

    Raises
    ------
    CtaError
        If a table is there and its content is not (annexed and not fetched), or is damaged.
    """
    return Inventory(
        sourcedata,
        read_table(sourcedata / SUBJECTS, SubjectRow),
        read_table(sourcedata / SERIES, SeriesRow),
        read_table(sourcedata / SET_ASIDE, SetAsideRow),
        read_table(sourcedata / PERSONS, PersonRow),
    )


def inventory_stamp(sourcedata: Path) -> tuple[Stamp, ...]:
    """Return what changes when one of the tables is written again."""
    return tuple(file_stamp(sourcedata / name) for name in (SUBJECTS, SERIES, SET_ASIDE, PERSONS))


def write_subjects(sourcedata: Path, rows: Iterable[SubjectRow]) -> list[Path]:
    """Write ``subjects.tsv``; returns the names (relative) of the files that changed."""
    ordered = sorted(rows, key=lambda row: (row.subject, row.source_id, row.study_uid))
    return write_table(sourcedata, Path(SUBJECTS), SubjectRow, ordered)


def write_series(sourcedata: Path, rows: Iterable[SeriesRow]) -> list[Path]:
    """Write ``series.tsv``; returns the names (relative) of the files that changed."""
    ordered = sorted(rows, key=lambda row: row.file)
    return write_table(sourcedata, Path(SERIES), SeriesRow, ordered)


def write_set_aside(sourcedata: Path, rows: Iterable[SetAsideRow]) -> list[Path]:
    """Write ``set_aside.tsv``; returns the names (relative) of the files that changed."""
    ordered = sorted(
        rows, key=lambda row: (row.subject, row.study_uid, row.series_uid, row.sop_class)
    )
    return write_table(sourcedata, Path(SET_ASIDE), SetAsideRow, ordered)


def write_persons(sourcedata: Path, rows: Iterable[PersonRow]) -> list[Path]:
    """Write ``persons.tsv``, if there is anything to write or to replace; returns what changed."""
    ordered = sorted(rows, key=lambda row: (row.subject, row.cohort, row.other))
    if not ordered and not (sourcedata / PERSONS).exists():
        return []
    return write_table(sourcedata, Path(PERSONS), PersonRow, ordered)


def write_instances(sourcedata: Path, subject: str, rows: Iterable[InstanceRow]) -> list[Path]:
    """Write a subject's table of instances; returns the names of the files that changed."""
    ordered = sorted(rows, key=lambda row: (row.series, row.instance_number, row.sop_uid))
    return write_table(sourcedata, instances_file(subject), InstanceRow, ordered)


def write_text(sourcedata: Path, name: Path, text: str) -> list[Path]:
    """Write a small file through a temporary one, unless it already holds just this text."""
    return write_bytes(sourcedata, name, text.encode("utf-8"))


def write_bytes(sourcedata: Path, name: Path, content: bytes) -> list[Path]:
    """Write a small file as `write_text` does."""
    return [name] if write_changed(content, sourcedata / name, sourcedata / STAGING) else []


def write_table(
    sourcedata: Path, name: Path, row_type: type[Any], rows: Sequence[Any]
) -> list[Path]:
    """Write the rows of a type as a table; returns the name if it changed."""
    columns = [column.name for column in fields(row_type)]
    text = io.StringIO()
    writer = csv.writer(text, dialect="excel-tab", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in columns])
    return write_text(sourcedata, name, text.getvalue())


def _cell(value: object) -> str:
    if isinstance(value, StoredHeader):
        return value.text
    if isinstance(value, Mapping):
        return json_line(dict(value), escaped=False)
    return str(value)


def read_table(path: Path, row_type: type[Any]) -> list[Any]:
    """Read a table of sourcedata as rows of a type; an absent table is empty.

    Raises
    ------
    CtaError
        Its content is not here, or is damaged.
    """
    if path.is_symlink() and not path.exists():
        raise CtaError("sourcedata_table_not_fetched", where=path, path=path)
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, dialect="excel-tab")
        # The csv module refuses long fields, and a header's text can be long.
        csv.field_size_limit(_LONGEST_FIELD)
        found: list[Any] = []
        try:
            columns = next(reader, [])
            places = [
                (columns.index(column.name), _converter(str(column.type), path))
                for column in fields(row_type)
            ]
            while rows := list(islice(reader, _TOGETHER)):
                rows = [row for row in rows if row]
                try:
                    found += _typed(rows, row_type, len(columns), places)
                except (ValueError, TypeError):
                    for row in rows:  # the one that fails says where
                        found += _typed([row], row_type, len(columns), places)
        except (ValueError, TypeError, csv.Error) as error:
            raise CtaError(
                "sourcedata_table_unreadable",
                where=f"{path}, row {len(found) + 1}",
                error_type=type(error).__name__,
                error=error,
            ) from error
    return found


def _typed(
    rows: list[list[str]],
    row_type: type[Any],
    n_columns: int,
    places: Iterable[tuple[int, Callable[[str], Any]]],
) -> list[Any]:
    """Return rows from their cells, column by column: a large study has tens of thousands."""
    if not rows:
        return []
    if {n_columns} != {*map(len, rows)}:
        raise ValueError(f"a row has not {n_columns} cells")
    cells = list(zip(*rows, strict=True))
    return list(map(row_type, *(map(convert, cells[at]) for at, convert in places)))


_TOGETHER = 1024
"""Rows that are converted at a time."""
_LONGEST_FIELD = 64 * 1024 * 1024


def _converter(kind: str, table: Path) -> Callable[[str], Any]:
    if kind == "int":
        return int
    if kind == "Header":
        return partial(StoredHeader, table)
    # Equal texts of many rows are one object in memory, and so are equal mappings.
    return cache(_interned_mapping) if kind.startswith("Mapping") else sys.intern


def _interned_mapping(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_interned)


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        sys.intern(name): sys.intern(value) if isinstance(value, str) else value
        for name, value in pairs
    }
