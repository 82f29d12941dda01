"""Fixtures of the engine's tests."""

from __future__ import annotations

import pytest

from cta_data.cli.application import use_environment_tools


@pytest.fixture(scope="session")
def annex_on_path() -> None:
    """Put the environment's programs on PATH: git-annex is one of them."""
    use_environment_tools()
