"""Unpacking of archives that other people made, without trusting them.

No path of an archive ever becomes a path on disk: members land in one flat folder under
numbers, and their names are kept beside them as text. Links are never made. What is refused here
(absolute and climbing names, links out, devices, bombs) is refused because an archive that holds
it was not made by a hospital's export.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cta_data.errors import DataRefused
from cta_data.names import hidden_character, shown

GIBIBYTE = 1024**3
_CHUNK = 1024 * 1024
_EMPTY_ZIP_BYTES = 22
_LONGEST_LINK = 4096
"""Bytes of the place that a link leads to: longer ones lead nowhere on any system."""
_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
}
_TAR_ENDINGS = (".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_UNPACK = "Unpack it yourself, and add the folder"
_COMPRESSED_MAGIC = tuple(_OPENERS)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,  # a zip compression method that this Python does not know
    ValueError,
)


@dataclass(frozen=True)
class UnpackLimits:
    """How much an archive may hold, all archives of one addition together.

    Attributes
    ----------
    total_bytes
        Most bytes unpacked.
    members
        Most members.
    ratio
        Most unpacked bytes per byte of archive, looked at once ``ratio_floor_bytes`` were
        unpacked (small archives of blank images compress well and harm nobody).
    ratio_floor_bytes
        See ``ratio``.
    depth
        Most archives inside one another.
    """

    total_bytes: int = 200 * GIBIBYTE
    members: int = 5_000_000
    ratio: float = 200.0
    ratio_floor_bytes: int = GIBIBYTE
    depth: int = 3


@dataclass
class UnpackBudget:
    """What is left of the limits; passed on from archive to archive."""

    limits: UnpackLimits
    bytes_used: int = 0
    members_used: int = 0


@dataclass(frozen=True)
class UnpackedFile:
    """One file out of an archive: where it lies now, and its name inside the archive."""

    path: Path
    name: str


def is_archive(path: Path, name: str = "") -> bool:
    """Whether a file is a zip or a (compressed) tar, by content.

    A compressed file that holds no tar (``.nii.gz``) is none. One that is cut off before its first
    byte can be had says it by its `name` alone.
    """
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.startswith(_ZIP_MAGIC):
        return True
    if start[257:262] == b"ustar":
        return True
    if start.startswith(_COMPRESSED_MAGIC):
        return name.lower().endswith(_TAR_ENDINGS) or _opens_as_tar(path)
    return False


def unpack(archive: Path, into: Path, budget: UnpackBudget, *, name: str) -> list[UnpackedFile]:
    """Unpack a zip or tar file into a folder that does not exist yet.

    Parameters
    ----------
    archive
        The archive.
    into
        Folder to make; it is removed again when the archive is refused.
    budget
        Limits; what this archive uses is subtracted.
    name
        What messages call the archive.

    Raises
    ------
    DataRefused
        Naming the member, when the archive is unsafe, too large, encrypted or broken.
    """
    into.mkdir(parents=True)
    try:
        with archive.open("rb") as stream:
            zipped = stream.read(4).startswith(_ZIP_MAGIC)
        if zipped:
            return _unpack_zip(archive, into, budget, name)
        return _unpack_tar(archive, into, budget, name)
    except (*_BROKEN, OSError) as error:
        shutil.rmtree(into)
        # A place before the start of the file is the archive's fault, a full disk is not.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise DataRefused(
            "archive_truncated", where=name, error_type=type(error).__name__, error=error
        ) from error
    except BaseException:
        shutil.rmtree(into)
        raise


def compressed_start(path: Path, size: int) -> bytes:
    """First bytes of what a compressed file holds; none of a file that is not compressed."""
    with path.open("rb") as stream:
        opener = _opener(stream.read(8))
    if opener is None:
        return b""
    try:
        with opener(path) as content:
            return bytes(content.read(size))
    except (*_BROKEN, OSError):
        return b""


def unpack_file(packed: Path, into: Path, budget: UnpackBudget, *, name: str) -> Path:
    """Unpack one compressed file, such as a DICOM file that was gzipped, into a new folder.

    Raises
    ------
    DataRefused
        It is truncated, damaged, or takes more than the budget.
    """
    with packed.open("rb") as stream:
        opener = _opener(stream.read(8))
    assert opener is not None  # the caller has looked at its start
    into.mkdir(parents=True)
    writer = _Writer(into, budget, name, packed.stat().st_size)
    try:
        with opener(packed) as content:
            writer.write(name, 0, content)
    except (*_BROKEN, OSError) as error:
        raise DataRefused(
            "compressed_file_truncated", where=name, error_type=type(error).__name__, error=error
        ) from error
    return writer.files[0].path


def _opener(start: bytes) -> Callable[..., Any] | None:
    return next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)


def _opens_as_tar(path: Path) -> bool:
    try:
        with _opened(path) as stream, tarfile.open(fileobj=stream, mode="r:"):
            return True
    except (*_BROKEN, OSError):
        return False


class _HeadersBounded:
    """What tarfile reads from: it takes the length of a long name from the archive itself."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell, self.seek = stream.tell, stream.seek

    def read(self, size: int = -1) -> bytes:
        """Read what no header, and no part of a member that is read here, is longer than."""
        if not 0 <= size <= _CHUNK + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("the header of a member is too long")
        return self._stream.read(size)


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    """Open a tar, inflated where it is compressed, for tarfile."""
    with archive.open("rb") as start:
        opener = _opener(start.read(8)) or open
    with opener(archive, "rb") as stream:
        yield cast("IO[bytes]", _HeadersBounded(stream))


def _unpack_tar(archive: Path, into: Path, budget: UnpackBudget, name: str) -> list[UnpackedFile]:
    writer = _Writer(into, budget, name, archive.stat().st_size)
    # One pass: a compressed tar is too long to be read twice.
    with _opened(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            writer.admit(member.name)
            if member.issym():
                _check_link(name, member.name, str(Path(member.name).parent), member.linkname)
            elif member.islnk():
                _check_link(name, member.name, "", member.linkname)
            elif member.isfile():
                content = tar.extractfile(member)
                if content is None:
                    raise _refuse(name, member.name, "has no content")
                writer.write(member.name, member.size, content)
            elif not member.isdir():
                raise _refuse(name, member.name, "is a device or a pipe")
        _read_to_the_end(stream, tar, writer)
    return writer.files


def _read_to_the_end(stream: IO[bytes], tar: tarfile.TarFile, writer: _Writer) -> None:
    """Require the mark of a tar's end, and what follows: a checksum is behind the last byte.

    Without the mark tarfile takes an archive that was cut off between two members for a whole one.

    Raises
    ------
    EOFError, OSError, DataRefused
        The archive was cut off or is damaged, or holds more than the budget behind its end.
    """
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError("it has no mark of its end")
    while padding := stream.read(_CHUNK):
        writer.skip(len(padding))


def _unpack_zip(archive: Path, into: Path, budget: UnpackBudget, name: str) -> list[UnpackedFile]:
    writer = _Writer(into, budget, name, archive.stat().st_size)
    with zipfile.ZipFile(archive) as zipped:
        if not zipped.infolist() and archive.stat().st_size > _EMPTY_ZIP_BYTES:
            raise zipfile.BadZipFile("it lists no member, and holds something")
        for member in zipped.infolist():
            # The format knows no backslash in names; programs on Windows write it for a slash.
            place = member.filename.replace("\\", "/")
            writer.admit(place)
            if "\0" in member.orig_filename or (place.endswith("/") and member.file_size):
                raise _refuse(name, place, "is named as no file is, and holds something")
            mode = member.external_attr >> 16
            if member.flag_bits & 0x1:
                raise _refuse(name, place, "is encrypted", "Unpack it with its password")
            if member.compress_type == zipfile.ZIP_BZIP2:
                # zipfile inflates a piece of it at once, which may be a millionth of what it gives.
                raise _refuse(name, place, "is compressed with bzip2", _UNPACK)
            if stat.S_ISLNK(mode):
                with zipped.open(member) as content:
                    link = content.read(_LONGEST_LINK + 1)
                if len(link) > _LONGEST_LINK:
                    raise _refuse(name, place, "is a link to a place that has too long a name")
                target = link.decode("utf-8", "replace")
                _check_link(name, place, str(Path(place).parent), target)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refuse(name, place, "is a device or a pipe")
            elif not place.endswith("/"):
                with zipped.open(member) as content:
                    writer.write(place, member.file_size, content)
    return writer.files


class _Writer:
    """Writes members under numbers and keeps the budget."""

    def __init__(self, into: Path, budget: UnpackBudget, name: str, archive_bytes: int) -> None:
        self._into = into
        self._budget = budget
        self._name = name
        self._archive_bytes = max(archive_bytes, 1)
        self._bytes_here = 0
        self.files: list[UnpackedFile] = []

    def admit(self, member: str) -> None:
        """Check a member's name and count it."""
        self._budget.members_used += 1
        if self._budget.members_used > self._budget.limits.members:
            raise _refuse(
                self._name, member, f"is one too many (limit {self._budget.limits.members} members)"
            )
        _check_name(self._name, member)

    def write(self, member: str, declared: int, content: IO[bytes]) -> None:
        """Copy one member's content; the declared size is checked before a byte is written."""
        self._check_size(member, declared)
        path = self._into / f"{len(self.files) + 1:07d}"
        with path.open("wb") as target:
            for chunk in _chunks(content):
                self._check_size(member, len(chunk))
                self._budget.bytes_used += len(chunk)
                self._bytes_here += len(chunk)
                target.write(chunk)
        self.files.append(UnpackedFile(path, member))

    def skip(self, size: int) -> None:
        """Count bytes that are read and not kept."""
        self._check_size("the end of the archive", size)
        self._budget.bytes_used += size
        self._bytes_here += size

    def _check_size(self, member: str, more: int) -> None:
        limits = self._budget.limits
        if self._budget.bytes_used + more > limits.total_bytes:
            raise _refuse(
                self._name,
                member,
                f"takes the unpacked size above the limit of {limits.total_bytes} bytes",
                "Raise the limit with --unpacked-limit, or add the source in parts",
            )
        unpacked = self._bytes_here + more
        ratio = unpacked / self._archive_bytes
        if unpacked > limits.ratio_floor_bytes and ratio > limits.ratio:
            raise _refuse(
                self._name,
                member,
                f"unpacks to {ratio:.0f} times the archive's size (limit {limits.ratio:g})",
            )


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK):
        yield chunk


def _check_name(archive: str, member: str) -> None:
    hidden = hidden_character(member)
    if hidden:
        raise _refuse(archive, shown(member), f"has the character {hidden} in its name")
    parts = member.replace("\\", "/").split("/")
    if parts[0] == "" or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise _refuse(archive, member, "has an absolute path")
    if ".." in parts:
        raise _refuse(archive, member, "has a path that climbs out with '..'")


def _check_link(archive: str, member: str, folder: str, target: str) -> None:
    """Refuse a link that leaves the archive; one that stays inside adds nothing and is not made."""
    slashed = target.replace("\\", "/")
    depth = 0 if folder in ("", ".") else len(Path(folder).parts)
    outside = slashed.startswith("/")
    for part in slashed.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        outside = outside or depth < 0
    if outside:
        raise _refuse(archive, member, "is a link out of the archive")


def _refuse(
    archive: str,
    member: str,
    why: str,
    next_step: str = "Nothing of it was kept; if you trust it, unpack it and add the folder",
) -> DataRefused:
    return DataRefused(
        "archive_refused", where=archive, member=member, why=why, next_step=next_step
    )
