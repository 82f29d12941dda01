"""The headers of many files, read here or by several processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from cta_data.intake.instances import Instance, NotDicom, Unreadable, read_instance
from cta_data.intake.plain_files import FilePlace, read_plain_file
from cta_data.processes import open_workers

A_BATCH = 64
"""Files that a process is given at a time: to send one costs as much as to read one."""
FEWEST_FILES = 512
"""Files below which further processes take longer to start than they save."""
DIED = "the process died while it read this file, and again when it read nothing else"


@dataclass(frozen=True)
class HeaderFile:
    """A file to read: DICOM, or a plain one where its path says what it is."""

    path: Path
    name: str
    place: FilePlace | None = None


@dataclass(frozen=True)
class Header:
    """What a file gave: an instance, or why there is none."""

    name: str
    kind: Literal["dicom", "recognised", "not_dicom", "unreadable"]
    instance: Instance | None = None
    reason: str = ""


def read_headers(
    files: Sequence[HeaderFile], identity_attributes: tuple[str, ...], jobs: int = 1
) -> Iterator[Header]:
    """Yield what every file gives, in any order.

    Parameters
    ----------
    identity_attributes
        DICOM keywords to keep in `Instance.identity`.
    jobs
        Processes that share many files; one that dies costs the file that it died of.
    """
    read = partial(_read_batch, identity_attributes=identity_attributes)
    batches = [tuple(files[start : start + A_BATCH]) for start in range(0, len(files), A_BATCH)]
    if jobs <= 1 or len(files) < FEWEST_FILES:
        for batch in batches:
            yield from read(batch)
        return
    with open_workers(jobs) as workers:
        done = workers.map(read, batches, _nothing)
        yield from chain.from_iterable(done)
        seen = {header.name for headers in done for header in headers}
        left = [(one,) for one in files if one.name not in seen]
        yield from chain.from_iterable(workers.map(read, left, _died))


def _read_batch(
    files: tuple[HeaderFile, ...], *, identity_attributes: tuple[str, ...]
) -> list[Header]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom remarks on every odd value
        return [_read(one, identity_attributes) for one in files]


def _read(file: HeaderFile, identity_attributes: tuple[str, ...]) -> Header:
    """Read one file; what it asks of this machine beyond its memory costs it alone."""
    try:
        if file.place is not None:
            instance = read_plain_file(file.path, file.name, file.place)
            return Header(file.name, "recognised", instance)
        instance = read_instance(file.path, file.name, identity_attributes)
        return Header(file.name, "dicom", instance)
    except NotDicom:
        return Header(file.name, "not_dicom")
    except Unreadable as error:
        return Header(file.name, "unreadable", reason=str(error))
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        return Header(file.name, "unreadable", reason=why)
    except (MemoryError, RecursionError, OverflowError) as error:
        why = f"cannot be read in the memory that is free ({type(error).__name__})"
        return Header(file.name, "unreadable", reason=why)


def _nothing(files: tuple[HeaderFile, ...]) -> list[Header]:
    """A batch whose process died twice: its files are read one by one."""
    return []


def _died(files: tuple[HeaderFile, ...]) -> list[Header]:
    return [Header(one.name, "unreadable", reason=DIED) for one in files]
