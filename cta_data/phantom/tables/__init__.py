"""Tables that phantoms are written from, as data beside the code."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


def table(name: str, *keys: str) -> Any:
    """Return what `<name>.toml` holds under these keys, one within the other; not to be changed."""
    content: Any = _content(name)
    for key in keys:
        content = content[key]
    return content


@cache
def _content(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__name__) / f"{name}.toml").read_text("utf-8"))
