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


def files_and_parameters(given: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the files that a step's inputs name, by their roles in the hash, and the parameters.

    Files are paths; parameters are JSON content.
    """
    files: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    _collect(given, files, parameters)
    return files, parameters


def files_of(given: Any) -> dict[str, str]:
    """Return the paths of all files that a step's inputs name, by their roles in the hash."""
    return files_and_parameters(given)[0]


def _collect(given: Any, files: dict[str, str], parameters: dict[str, Any]) -> None:
    for field, own, may_be_absent in _fields_of(type(given)):
        value = getattr(given, field)
        if isinstance(value, Files):
            for name, path in value.items():
                files[_joined(own, name)] = path
        elif isinstance(value, File):
            if value:
                files[own] = str(value)
        elif _is_inputs(value):
            _collect(value, files, parameters)
        elif value is not None or not may_be_absent:
            parameters[field] = value


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
