"""Paths that a user gives: a file where a file is wanted, and a folder where a folder is."""

from __future__ import annotations

from pathlib import Path

from cta_data.errors import ConfigurationError


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
                "the file is a link whose content is not here" if link else "there is no such file",
                where=str(path),
                next_step=f"Fetch it: datalad get {path}" if link else "Check the path",
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
        raise ConfigurationError(
            "this is a folder, and a file is wanted",
            where=str(path),
            next_step=f"Give the file that holds {what}",
        )


def require_given_folder(path: Path, what: str) -> None:
    """Refuse a file, or nothing, where a folder is wanted.

    Raises
    ------
    ConfigurationError
        With what to give instead.
    """
    if not path.exists():
        raise ConfigurationError("there is no such folder", where=str(path))
    if not path.is_dir():
        raise ConfigurationError(
            "this is a file, and a folder is wanted",
            where=str(path),
            next_step=f"Give the folder that holds {what}",
        )
