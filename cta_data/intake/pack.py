"""One deterministic tar a series: original bytes, fixed names and order, no times, no owners."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset

from cta_data.errors import CtaError, DataRefused
from cta_data.files import written_whole
from cta_data.formats.dicom.header import UNREADABLE
from cta_data.formats.dicom.size import plain_dicom
from cta_data.size_limit import require_allowed, require_file_allowed


def write_series(contents: Iterable[tuple[str, bytes]], target: Path, staging: Path) -> int:
    """Write a series as a tar, through a temporary file.

    Parameters
    ----------
    contents
        Name and bytes of the instances, in order; taken one at a time.
    target
        The tar; its folder is made. An existing one is replaced, never written into.
    staging
        Existing folder on the same file system for the temporary file.

    Returns
    -------
    int
        Number of instances.

    Raises
    ------
    CtaError
        If what was written does not read back as what was given.
    """
    sizes: list[int] = []
    with written_whole(target, beside=staging) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in contents:
                sizes.append(len(content))
                tar.addfile(_member(name, len(content)), io.BytesIO(content))
        _verify(temporary, sizes, target)
    return len(sizes)


def write_single(content: bytes, target: Path, staging: Path) -> None:
    """Write a series of one plain file as that file, through a temporary one."""
    with written_whole(target, beside=staging) as temporary:
        temporary.write_bytes(content)


def read_series(tar_path: Path) -> Iterator[bytes]:
    """Bytes of each instance of a series, in order; see `read_members` for the errors."""
    return (content for _, content in read_members(tar_path))


def read_members(tar_path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each instance of a series, in order.

    Raises
    ------
    DataRefused
        If the tar is absent, not fetched, or damaged.
    TooLarge
        It is larger than the limit for one image.
    """
    if not tar_path.exists():
        fetched = "its content was not fetched" if tar_path.is_symlink() else "it does not exist"
        raise DataRefused(
            "packed_series_not_fetched", where=tar_path, fetched=fetched, tar_path=tar_path
        )
    require_file_allowed(tar_path)
    try:
        with tarfile.open(tar_path, "r:") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is None:
                    raise tarfile.ReadError(f"member {member.name} is no file")
                yield member.name, content.read()
    except tarfile.TarError as error:
        raise DataRefused("packed_series_damaged", where=tar_path, error=str(error)) from error


def open_datasets(tar_path: Path) -> list[FileDataset]:
    """Every instance of a series with its pixels, in order.

    Raises
    ------
    DataRefused
        If the tar or one of its instances cannot be read.
    """
    datasets: list[FileDataset] = []
    size = 0
    for number, content in enumerate(read_series(tar_path), start=1):
        try:
            plain, _ = plain_dicom(content)
            size += len(plain)
            require_allowed(size, where=str(tar_path))
            datasets.append(dcmread(io.BytesIO(plain), force=True))
        except UNREADABLE as error:
            raise DataRefused(
                "instance_unreadable", where=f"{tar_path}, instance {number}", error=str(error)
            ) from error
    return datasets


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _verify(temporary: Path, sizes: list[int], target: Path) -> None:
    with tarfile.open(temporary, "r:") as tar:
        found = [member.size for member in tar]
    if found != sizes:
        raise CtaError(
            "packed_series_differs", where=target, n_found=len(found), n_sizes=len(sizes)
        )
