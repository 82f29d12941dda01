"""The scripts that measure are whole, though no test has the time to run them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_all_that_a_script_imports_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that moved in the package has moved in the scripts as well."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import_module(name)
