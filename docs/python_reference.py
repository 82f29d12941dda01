"""The page of the Python API, from signatures and docstrings of the public names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import cta_data

HEAD = """# Python

What `import cta_data` offers; each name is loaded when it is first used. Examples that run:
[how to use it from Python](../how-to/use-from-python.md). This page is written by
`python docs/make_reference.py`.
"""
GROUPS = {
    "Images": ("Volume", "read_image"),
    "Contours": ("read_structure_set", "rasterize", "RasterizedStructureSet"),
    "Labels": (
        *("register", "transfer", "TransferredLabels", "find_lesions", "extract_brain"),
        "measure",
    ),
    "Scores": ("score", "compare", "froc"),
    "Studies": ("open_study", "Study", "TrainingData", "CaseArrays", "as_dictionaries"),
    "Errors": ("CtaError", "ConfigurationError", "DataRefused", "NotAvailable"),
}


def python_page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [part for name in names for part in _entry(name, getattr(cta_data, name))]
    return "\n".join(parts)


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield _block(name, value)
    if inspect.isclass(value) and not issubclass(value, Exception):
        for own, member in _members(value):
            yield f"#### `{name}.{own}`\n"
            yield _block(own, member)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    inherited = [base for base in owner.__mro__[1:] if base.__module__.startswith("cta_data")]
    every = {n: m for c in (*reversed(inherited), owner) for n, m in vars(c).items()}
    for name, member in every.items():
        found = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            yield name, found


def _block(name: str, value: Any) -> str:
    """Return signature and docstring as they stand in the code."""
    text = inspect.cleandoc(value.__doc__ or "")
    if callable(value) and not (inspect.isclass(value) and issubclass(value, Exception)):
        text = f"{name}{_signature(value)}\n\n{text}"
    return f"```text\n{text}\n```\n"


def _signature(value: Any) -> str:
    """Return parameters by name, with defaults that are plain values."""
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in inspect.signature(value).parameters.values()
        if one.name not in ("self", "cls", "identity")
    ]
    return str(inspect.Signature(parameters))
