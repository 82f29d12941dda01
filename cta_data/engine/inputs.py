"""What a step's result depends on, as a type: files and parameters, which the engine hashes.

The inputs of a step are a frozen dataclass. Its fields of type `File` and `Files` are what the unit
reads; all others are parameters, and hold what JSON can hold. Of a field that is None because
nothing was asked for (`ABSENT`), the hash knows nothing. A field may be a dataclass of inputs
itself, whose fields count as those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

Name = TypeVar("Name", bound=str | tuple[str, str])
ROLE = "role"
ABSENT = {"absent": True}
"""Metadata of a parameter that the hash does not know where it is None."""


class File(str):
    """Path of a file that a unit reads, from the top of the study; empty where there is none."""

    __slots__ = ()


class Files(dict[Name, str], Generic[Name]):
    """Paths of files that a unit reads, in the order of their names.

    A name tells them apart: a technique, a case, the two spaces of a transform.
    """

    def __init__(self, paths: Mapping[Name, str] | None = None) -> None:
        super().__init__(sorted((paths or {}).items(), key=lambda one: _joined("", one[0])))


def role(name: str) -> dict[str, str]:
    """Return the metadata of a field of files whose role in the hash is not the field's name."""
    return {ROLE: name}


def files_of(given: Any) -> dict[str, str]:
    """Return the paths of all files that a step's inputs name, by their roles in the hash."""
    found: dict[str, str] = {}
    for one in fields(given):
        value, own = getattr(given, one.name), one.metadata.get(ROLE, one.name)
        if is_dataclass(value):
            found |= files_of(value)
        elif isinstance(value, Files):
            found |= {_joined(own, name): path for name, path in value.items()}
        elif isinstance(value, File) and value:
            found[own] = str(value)
    return found


def parameters_of(given: Any) -> dict[str, Any]:
    """Return what of a step's inputs is no file, as JSON content."""
    found: dict[str, Any] = {}
    for one in fields(given):
        value = getattr(given, one.name)
        if is_dataclass(value):
            found |= parameters_of(value)
        elif not isinstance(value, File | Files) and not (
            value is None and "absent" in one.metadata
        ):
            found[one.name] = value
    return found


def _joined(own: str, name: str | tuple[str, str]) -> str:
    parts = (name,) if isinstance(name, str) else name
    return ":".join(filter(None, (own, *parts)))
