"""Code that no type check and no linter reads imports what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SCRIPTS = TESTS.parent / "benchmarks"
NAME = re.compile(r"\bcta_data(?:\.[A-Za-z_]\w*)+")
IMPORT = re.compile(r"from (cta_data[\w.]*) import (\w+)")


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_all_that_a_script_imports_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that moved in the package has moved in the scripts; no script hides another."""
    monkeypatch.syspath_prepend(SCRIPTS)
    assert import_module(name).__file__ == str(SCRIPTS / f"{name}.py")


def is_there(name: str) -> bool:
    """Tell whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        module = ".".join(parts[:depth])
        try:
            found: object = import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(error.name or " "):  # it is there, and what it imports is not
                raise
            continue
        for part in parts[depth:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def texts_of(path: Path) -> Iterator[str]:
    """Yield the texts in a file of Python."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_programs_and_names_within_tests_lead_to_what_is_there() -> None:
    """Some tests hold the text of a program, or patch by name, and may be skipped for a while."""
    texts = [(path.name, text) for path in TESTS.rglob("*.py") for text in texts_of(path)]
    found = {(file, ".".join(pair)) for file, text in texts for pair in IMPORT.findall(text)}
    found |= {(file, name.rstrip(".")) for file, text in texts for name in NAME.findall(text)}
    assert not [one for one in sorted(found) if not is_there(one[1])]
