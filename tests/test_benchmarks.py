"""Code that no type check and no linter reads imports what there is."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SCRIPTS = TESTS.parent / "benchmarks"
IMPORT = re.compile(r"from (cta_data[\w.]*) import (\w+)")


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_all_that_a_script_imports_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that moved in the package has moved in the scripts as well."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import_module(name)


def is_there(module: str, name: str) -> bool:
    """Tell whether a module has a name, its own or that of a module below it."""
    return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None


def test_programs_within_tests_import_what_is_there() -> None:
    """Some tests hold the text of a program, and may be skipped where it cannot run."""
    found = {
        (path.name, *pair)
        for path in TESTS.rglob("*.py")
        for pair in IMPORT.findall(path.read_text("utf-8"))
    }
    assert not [one for one in sorted(found) if find_spec(one[1]) is None]
    assert not [one for one in sorted(found) if not is_there(*one[1:])]
