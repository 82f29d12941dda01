"""Tables that phantoms are written from, as data beside the code."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """Return the content of `<name>.toml`; not to be changed."""
    return tomllib.loads((files(__name__) / f"{name}.toml").read_text("utf-8"))
