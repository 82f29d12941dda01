"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent

# Processes of pytest stand beside each other. Threads of one would wait for those of another, and
# of small arrays torch's wait longer than they work. It is inherited by whatever a test starts.
for name in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")
os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("whatever the machine does", deadline=None)
settings.load_profile("whatever the machine does")


LONGEST = (
    "test_experiment",
    "test_conformance",
    "test_adversarial",
    "test_predict_foreign_model",
    "test_clones",
    "test_registration",
    "test_interruption",
)
"""Files that take a minute or more: begun last, one would be waited for at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; `make test` gives its processes a file at a time."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    if item.path.stem in LONGEST:
        return LONGEST.index(item.path.stem)
    return len(LONGEST) + (item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real files made by others; tests skip, with a reason, where it is absent."""
    configured = os.environ.get("CTA_SHARED_DATA")
    folder = Path(configured) if configured else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is not here: set CTA_SHARED_DATA to its folder")
    return folder


@pytest.fixture(autouse=True)
def git_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give git an identity, so that tests commit on a machine where none is set."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test Author")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let more damaged files be tried than the few of every run."""
    parser.addoption(
        "--mutations", type=int, default=6, help="damaged files of each reader and mutation"
    )
