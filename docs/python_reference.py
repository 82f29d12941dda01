"""The page of the Python API, from signatures and docstrings of the public names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import cta_data

HEAD = """# Python

What `import cta_data` offers; each name is loaded on first use. Runnable examples: [use cta_data
from Python](../how-to/use-from-python.md), [from a DICOM structure set to a table of
lesions](../how-to/structure-set-to-lesions.md) and [train with
PyTorch](../how-to/train-with-pytorch.md). This page is written by `python docs/make_reference.py`.
"""
GROUPS = {
    "Images": ("Volume", "read_image"),
    "Contours": ("read_structure_set", "rasterize", "RasterizedStructureSet"),
    "DICOM objects": ("write_structure_set", "write_segmentation", "Origin"),
    "Labels": (
        *("register", "transfer", "TransferredLabels", "find_lesions", "extract_brain"),
        "measure",
    ),
    "Scores": ("score", "compare", "froc", "FrocTables"),
    "Studies": ("open_study", "Study", "TrainingData", "CaseArrays", "as_dictionaries"),
    "Errors": ("CtaError", "ConfigurationError", "DataRefused", "NotAvailable"),
}
SECTION = re.compile(r"^(\w+)\n-{3,}$", re.MULTILINE)


def python_page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [part for name in names for part in _entry(name, getattr(cta_data, name))]
    return "\n".join(parts)


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield from _block(name, value)
    if inspect.isclass(value) and not issubclass(value, Exception):
        for own, member in _members(value):
            yield f"#### `{name}.{own}`\n"
            yield from _block(own, member)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    inherited = [base for base in owner.__mro__[1:] if base.__module__.startswith("cta_data")]
    every = {n: m for c in (*reversed(inherited), owner) for n, m in vars(c).items()}
    for name, member in every.items():
        found = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            yield name, found


def _block(name: str, value: Any) -> Iterator[str]:
    """Give the signature as code, and the docstring with its sections as lists."""
    if callable(value) and not (inspect.isclass(value) and issubclass(value, Exception)):
        yield f"```python\n{name}{_signature(value)}\n```\n"
    text, *sections = SECTION.split(inspect.cleandoc(value.__doc__ or ""))
    yield f"{text.strip()}\n"
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield f"**{title}**\n"
        yield "\n".join(_items(body.strip())) + "\n"


def _items(body: str) -> Iterator[str]:
    """Give a section's entries as a list; a section without names is one paragraph."""
    entries = re.findall(r"^(\S.*)\n((?:[ \t]+.*\n?|\n)*)", f"{body}\n", re.MULTILINE)
    if not any(about.strip() for _, about in entries):
        yield body
        return
    for name, about in entries:
        yield f"- `{name}`: {' '.join(about.split())}"


def _signature(value: Any) -> str:
    """Return parameters by name, with defaults that are plain values."""
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in inspect.signature(value).parameters.values()
        if one.name not in ("self", "cls", "identity")
    ]
    return str(inspect.Signature(parameters))
