"""Fixtures of the engine's tests."""

from __future__ import annotations

import os

import pytest

from cta_data.cli.application import use_environment_tools


@pytest.fixture(scope="session")
def annex_on_path() -> None:
    """git-annex from the environment, and an identity for fixtures that outlive one test."""
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Test Author")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "test@example.org")
