"""Where a command may write: never onto, into or above what it reads, and not over files unasked.

Every command that writes to a place of the user's choice asks here first, before it reads anything.
Links, relative paths and hard links that lead to the same place are the same place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cta_data.errors import ConfigurationError


def require_file_place(
    out: Path,
    inputs: Collection[Path | None],
    beside: Iterable[str] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Refuse a file that would replace or join what is read, or another file unasked.

    Parameters
    ----------
    inputs
        Files and folders that the command reads; None for those that were not given.
    beside
        Names of further files that would be written in the same folder.
    overwrite
        Whether a file that is there may be replaced. What is read never is.

    Raises
    ------
    ConfigurationError
        The command must not write there.
    """
    for read in filter(None, inputs):
        if _is_same(out, read):
            raise ConfigurationError("output_is_input", where=out, read=read)
        if read.is_dir() and _is_below(out, read):
            raise ConfigurationError("output_inside_input", where=out, read=read)
    _require_new([out, *map(out.with_name, beside)], inputs, overwrite=overwrite)


def _require_possible(path: Path) -> None:
    """Refuse a path that cannot be written, before anything is worked on."""
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            why = f"{len(os.fsencode(path))} bytes; a name in it has 255 at most"
            raise ConfigurationError("path_too_long", where=path, why=why) from error
    folder = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not folder.is_dir():
        raise ConfigurationError("output_not_a_folder", where=folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError("output_not_writable", where=folder)


def require_folder_place(
    out: Path,
    inputs: Collection[Path | None],
    names: Iterable[str] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Refuse a folder that is, holds or lies in what is read, or whose files would be replaced.

    Parameters
    ----------
    inputs, overwrite
        As for a file.
    names
        Of the files that would be written, from `out`.

    Raises
    ------
    ConfigurationError
        The command must not write there, or `out` is a file.
    """
    for read in filter(None, inputs):
        if _is_same(out, read):
            raise ConfigurationError("output_folder_is_input", where=out, read=read)
        if read.is_dir() and _is_below(out, read):
            raise ConfigurationError("output_inside_input", where=out, read=read)
        if _is_below(read, out):
            raise ConfigurationError("output_folder_holds_input", where=out, read=read)
    _require_possible(out)
    if os.path.lexists(out) and not out.is_dir():
        raise ConfigurationError("output_not_a_folder", where=out)
    _require_new([out / name for name in names], inputs, overwrite=overwrite)


def _require_new(
    paths: Iterable[Path], inputs: Collection[Path | None], *, overwrite: bool
) -> None:
    """Refuse to replace files unasked, and those that links in the inputs lead to at all."""
    paths = list(paths)
    for path in paths:
        _require_possible(path)
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return
    read = {identity for path in filter(None, inputs) for identity in _identities(path)}
    for path in there:
        if read & set(_identities(path)):
            raise ConfigurationError("output_linked_to_input", where=path)
    if not overwrite:
        more = f" and {len(there) - 1} more" if there[1:] else ""
        raise ConfigurationError("output_exists", where=there[0], more=more)


def _identities(path: Path) -> Iterator[tuple[int, int]]:
    """Yield what tells a file from others, or each file in a folder, links followed."""
    for file in path.rglob("*") if path.is_dir() else (path,):
        with suppress(OSError):
            status = os.stat(file)
            if not stat.S_ISDIR(status.st_mode):
                yield status.st_dev, status.st_ino


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _is_below(path: Path, folder: Path) -> bool:
    """Tell whether a path lies in a folder, by its name or by where its links lead."""
    top = Path(os.path.realpath(folder))
    named = Path(os.path.realpath(path.absolute().parent)) / path.name
    if any(one.is_relative_to(top) for one in (named, Path(os.path.realpath(path)))):
        return True
    # Another spelling of one folder, as where the file system does not tell cases apart.
    return any(parent.exists() and _is_same(parent, folder) for parent in named.parents)
