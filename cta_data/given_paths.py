"""Paths that a user gives: a file where a file is wanted, and a folder where a folder is."""

from __future__ import annotations

import os
from pathlib import Path

from cta_data.errors import ConfigurationError


def given_path(given: os.PathLike[str] | str) -> Path:
    """Return a path that a caller gave; an empty text would stand for the current folder.

    What `os.scandir` and other libraries give for a path is one, too.

    Raises
    ------
    ConfigurationError
        The text is empty, or it is neither text nor a path.
    """
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError("path_expected", given=repr(given))
    return Path(text)


def require_given(*paths: Path) -> None:
    """Refuse paths where nothing is.

    Raises
    ------
    ConfigurationError
        With the path, and how to fetch the content of a link.
    """
    for path in paths:
        if not path.exists():
            link = path.is_symlink()
            raise ConfigurationError(
                "link_content_not_fetched" if link else "given_file_not_found",
                where=path,
                path=path,
            )


def require_given_file(path: Path, what: str) -> None:
    """Refuse a folder, or nothing, where a file is wanted; `what` is in it, such as `a mask`.

    Raises
    ------
    ConfigurationError
        With what to give instead.
    """
    require_given(path)
    if path.is_dir():
        raise ConfigurationError("given_file_is_a_folder", where=path, what=what)


def require_given_folder(path: Path, what: str) -> None:
    """Refuse a file, or nothing, where a folder is wanted.

    Raises
    ------
    ConfigurationError
        With what to give instead.
    """
    if not path.exists():
        raise ConfigurationError("given_folder_not_found", where=path)
    if not path.is_dir():
        raise ConfigurationError("given_folder_is_a_file", where=path, what=what)
