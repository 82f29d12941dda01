"""TOML files into validated models, with errors that name the nearest right key."""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from cta_data.errors import ConfigurationError, DataRefused


class StrictModel(BaseModel):
    """A model that refuses unknown keys and cannot be changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """Read a TOML file into `model`.

    Raises
    ------
    ConfigurationError
        The file is missing, is not TOML, or has a key or value that the model refuses. An unknown
        key is answered with the nearest right one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("toml_file_unreadable", where=path, error=str(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("toml_not_utf8", where=path, error=str(error)) from error
    return parse_toml(text, model, where=path.name if path.name != "card.toml" else str(path))


def read_json_model(path: Path, model: type[Model], *, reason: str, where: str) -> Model | None:
    """Read a JSON file that this package wrote into `model`; None where there is none.

    Raises
    ------
    DataRefused
        With this reason: it is no JSON, or has a key or value that the model refuses.
    """
    if not path.is_file():
        return None
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = tuple(first["loc"]) or ("the file",)
        raise DataRefused(reason, where=where, field=field, message=first["msg"]) from error


def parse_toml(text: str, model: type[Model], *, where: str) -> Model:
    """Validate TOML text against `model`; see `read_toml` for the errors."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError("toml_invalid", where=where, error=str(error)) from error
    except RecursionError as error:
        why = "its tables or arrays are nested too deeply"
        raise ConfigurationError("toml_unreadable", where=where, why=why) from error
    except ValueError as error:  # a number of thousands of digits
        raise ConfigurationError("toml_unreadable", where=where, why=str(error)) from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [_explain(problem, model) for problem in error.errors()]
        raise ConfigurationError(
            "settings_invalid", where=where, problems=tuple(problems)
        ) from error


def nearest_key(wrong: str, known: Iterable[str]) -> str:
    """Return a hint at the right key for a wrong one: the nearest, or all where none is near."""
    keys = sorted(known)
    nearest = difflib.get_close_matches(wrong, keys, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"the keys here are {', '.join(keys)}"


def _explain(problem: Any, model: type[BaseModel]) -> str:
    location = [part for part in problem["loc"] if not str(part).startswith("function-")]
    if problem["type"] != "extra_forbidden":
        return f"{'.'.join(_walk(model, location)[0])}: {problem['msg']}"
    above, there = _walk(model, location[:-1])
    wrong = str(location[-1])
    known = [key for member in _members(there) if _is_model(member) for key in member.model_fields]
    return f"unknown key {'.'.join([*above, wrong])!r}; {nearest_key(wrong, known)}"


def _walk(model: type[BaseModel], location: list[Any]) -> tuple[list[str], Any]:
    """Follow a location into a model: the keys as the user wrote them, and the type found there.

    Between the keys of a union's value pydantic puts the name of the member that it tried.
    """
    keys: list[str] = []
    current: Any = model
    for part in location:
        members = _members(current)
        tried = [m for m in members if len(members) > 1 and m.__name__ == str(part)]
        if tried:
            current = tried[0]
            continue
        keys.append(str(part))
        current = next((inner for m in members if (inner := _inside(m, part)) is not None), None)
    return keys, current


def _inside(annotation: Any, part: Any) -> Any:
    """Return the type of one key or position of a model or container, None where it has none."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    if get_origin(annotation) in (dict, list, tuple):
        return get_args(annotation)[1 if get_origin(annotation) is dict else 0]
    return None


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of a union or an optional, or the one type that there is."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for a in get_args(annotation) if a is not type(None) for m in _members(a)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
