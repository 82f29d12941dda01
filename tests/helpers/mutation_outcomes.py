"""What a reader makes of a damaged file: the right value, a refusal, or what must not be."""

from __future__ import annotations

import dataclasses
import random
import resource
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType

import numpy as np
import pyarrow as pa
import SimpleITK as sitk
from helpers.mutated_readers import Reader
from helpers.mutations import BYTES

from cta_data.errors import CtaError
from cta_data.intake.instances import NotDicom, Unreadable

LONGEST_S = 10.0
MOST_BYTES = 1 << 30


class Outcome(StrEnum):
    """How reading a damaged file ended."""

    RIGHT = "right"
    """What was read is what the whole file holds."""
    OTHER = "another value"
    """The file is right in its form and holds something else; nobody could know."""
    REFUSED = "refused"
    WRONG = "silent wrong"
    """Another value, of a file that is cut off or whose checksum is wrong."""
    UNNAMED = "refused without the file's name"
    TRACEBACK = "traceback"
    HANG = "hang"
    MEMORY = "memory"


GOOD = (Outcome.RIGHT, Outcome.OTHER, Outcome.REFUSED)


@dataclasses.dataclass(frozen=True)
class Judged:
    """One damaged file and what came of it."""

    mutation: str
    seed: int
    outcome: Outcome
    told: str
    seconds: float


class _TooLong(BaseException):
    """A reader takes longer than it may; no library may catch it."""


def judge(reader: Reader, folder: Path, mutation: str, seed: int) -> Judged:
    """Damage a right file and read it, in bounded time and memory."""
    folder.mkdir(parents=True, exist_ok=True)
    path = reader.write(folder)
    whole = path.read_bytes()
    expected = comparable(reader.read(path))
    path.write_bytes(reader.mutations[mutation](whole, random.Random(seed)))
    started = time.monotonic()
    try:
        with warnings.catch_warnings(), bounded():
            warnings.simplefilter("ignore")
            read = comparable(reader.read(path))
    except (CtaError, Unreadable, NotDicom) as error:
        named = path.name in str(error) or not reader.names_file
        outcome, told = (Outcome.REFUSED if named else Outcome.UNNAMED), str(error)
    except _TooLong:
        outcome, told = Outcome.HANG, ""
    except MemoryError as error:
        outcome, told = Outcome.MEMORY, repr(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        outcome, told = Outcome.TRACEBACK, repr(error)
    else:
        outcome, told = _of_value(reader, mutation, read == expected), ""
    return Judged(mutation, seed, outcome, told, time.monotonic() - started)


def _of_value(reader: Reader, mutation: str, equal: bool) -> Outcome:
    if equal:
        return Outcome.RIGHT
    cut_off = mutation in ("truncated", "emptied") and reader.has_end
    must_be_seen = cut_off or (reader.checked and mutation in BYTES)
    return Outcome.WRONG if must_be_seen else Outcome.OTHER


@contextmanager
def bounded() -> Iterator[None]:
    """Let what runs inside end after ten seconds and with a gigabyte more at most."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + MOST_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell how much memory a process has")


def comparable(value: object) -> object:
    """Return a value as nested tuples that compare by content: images, arrays, tables, objects."""
    if isinstance(value, sitk.Image):
        geometry = (value.GetSize(), value.GetSpacing(), value.GetOrigin(), value.GetDirection())
        return geometry, value.GetPixelIDTypeAsString(), sitk.GetArrayViewFromImage(value).tobytes()
    if isinstance(value, sitk.Transform):
        return value.GetParameters(), value.GetFixedParameters()
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, pa.Table):
        return repr(value.to_pylist())
    if type(value).__module__.startswith("torch"):
        return comparable(value.numpy())  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return tuple((str(key), comparable(value[key])) for key in value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(map(comparable, value))
    if isinstance(value, set | frozenset):
        return tuple(sorted(map(repr, value)))
    if dataclasses.is_dataclass(value):
        return tuple(comparable(getattr(value, one.name)) for one in dataclasses.fields(value))
    return repr(value)
