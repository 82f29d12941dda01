"""Bundles of options: a command names the bundles it takes, and gets each as one object.

A bundle is a frozen dataclass whose fields are annotated with options of Typer. A command takes
all of its options, or those that `Takes` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints


class Takes:
    """Which options of a bundle a command takes: by name, or by name with a help of its own."""

    def __init__(self, *names: str, **helps: str) -> None:
        self.names = (*names, *helps)
        self.helps = helps


def with_bundles(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command as Typer reads it: with each option of its bundles as a parameter."""
    bundles: dict[str, tuple[type, list[str]]] = {}
    parameters: list[inspect.Parameter] = []
    hints = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        bundle, *extras = get_args(hint) or (hint,)
        if is_dataclass(bundle) and isinstance(bundle, type):
            takes = next((extra for extra in extras if isinstance(extra, Takes)), None)
            own = list(_options_of(bundle, takes))
            bundles[parameter.name] = bundle, [option.name for option in own]
            parameters += own
        else:
            keyword = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(annotation=hint, kind=keyword))

    @wraps(command)
    def called(**values: Any) -> int:
        for name, (bundle, options) in bundles.items():
            values[name] = bundle(**{option: values.pop(option) for option in options})
        return command(**values)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def _options_of(bundle: type, takes: Takes | None) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(bundle, include_extras=True)
    for field in fields(bundle):
        if takes is None or field.name in takes.names:
            hint = hints[field.name]
            if takes and field.name in takes.helps:
                kind, option = get_args(hint)
                option = copy(option)
                option.help = takes.helps[field.name]
                hint = Annotated[kind, option]
            keyword = inspect.Parameter.KEYWORD_ONLY
            yield inspect.Parameter(field.name, keyword, default=field.default, annotation=hint)
