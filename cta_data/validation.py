"""TOML files into validated models, with errors that name the nearest right key."""

from __future__ import annotations

import difflib
import tomllib
import types
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from cta_data.errors import ConfigurationError


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
        raise ConfigurationError(
            "the file cannot be read", where=str(path), why=str(error)
        ) from error
    return parse_toml(text, model, where=path.name if path.name != "card.toml" else str(path))


def parse_toml(text: str, model: type[Model], *, where: str) -> Model:
    """Validate TOML text against `model`; see `read_toml` for the errors."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError("this is not valid TOML", where=where, why=str(error)) from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [_explain(problem, model) for problem in error.errors()]
        raise ConfigurationError("; ".join(problems), where=where) from error


def _explain(problem: Any, model: type[BaseModel]) -> str:
    location = [part for part in problem["loc"] if not str(part).startswith("function-")]
    name = ".".join(str(part) for part in location)
    if problem["type"] != "extra_forbidden":
        return f"{name}: {problem['msg']}"
    known = _keys_at(model, location[:-1])
    nearest = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if nearest:
        return f"unknown key {name!r}; did you mean {nearest[0]!r}?"
    return f"unknown key {name!r}; the keys here are {', '.join(sorted(known))}"


def _keys_at(model: type[BaseModel], location: list[Any]) -> list[str]:
    """Return the keys that the model knows at a location inside it."""
    current: Any = model
    for part in location:
        current = _unwrap(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) in (dict, list, tuple):
            current = get_args(current)[1 if get_origin(current) is dict else 0]
    current = _unwrap(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []


def _unwrap(annotation: Any) -> Any:
    """Take the model or container out of an optional annotation."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(a for a in get_args(annotation) if a is not type(None))
    return annotation
