"""What a step's result depends on, as a type: files and parameters, which the engine hashes.

The inputs of a step are a frozen dataclass. Its fields of type `File` and `Files` are what the unit
reads; all others are parameters, and hold what JSON can hold. Of a field that is None because
nothing was asked for (`ABSENT`), the hash knows nothing. A field may be a dataclass of inputs
itself, whose fields count as those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
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
        named = paths or {}
        super().__init__(sorted(named.items(), key=_by_name) if len(named) > 1 else named)


def role(name: str) -> dict[str, str]:
    """Return the metadata of a field of files whose role in the hash is not the field's name."""
    return {ROLE: name}


def files_of(given: Any) -> dict[str, str]:
    """Return the paths of all files that a step's inputs name, by their roles in the hash."""
    found: dict[str, str] = {}
    for field, own, _ in _fields_of(type(given)):
        value = getattr(given, field)
        if isinstance(value, Files):
            for name, path in value.items():
                found[_joined(own, name)] = path
        elif isinstance(value, File):
            if value:
                found[own] = str(value)
        elif _is_inputs(value):
            found |= files_of(value)
    return found


def parameters_of(given: Any) -> dict[str, Any]:
    """Return what of a step's inputs is no file, as JSON content."""
    found: dict[str, Any] = {}
    for field, _, may_be_absent in _fields_of(type(given)):
        value = getattr(given, field)
        if isinstance(value, File | Files) or (value is None and may_be_absent):
            continue
        if _is_inputs(value):
            found |= parameters_of(value)
        else:
            found[field] = value
    return found


def _is_inputs(value: Any) -> bool:
    return hasattr(value, "__dataclass_fields__")


def _fields_of(kind: type[Any]) -> tuple[tuple[str, str, bool], ...]:
    """Return of every field its name, its role in the hash, and whether it may be absent from it.

    Kept, since a plan asks once a unit.
    """
    if kind not in _fields:
        _fields[kind] = tuple(
            (one.name, one.metadata.get(ROLE, one.name), "absent" in one.metadata)
            for one in fields(kind)
        )
    return _fields[kind]


_fields: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {}


def _by_name(one: tuple[str | tuple[str, str], str]) -> str:
    return _joined("", one[0])


def _joined(own: str, name: str | tuple[str, str]) -> str:
    if isinstance(name, str):
        return f"{own}:{name}" if own and name else own or name
    return ":".join(filter(None, (own, *name)))
