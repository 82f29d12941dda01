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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests in the order and the groups in which `make test` hands them to its processes.

    A process takes a group whole, so that what a file makes once is made once, and nobody waits
    for it. Long groups come first: short ones fill up what is left at the end.
    """
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))
        items.sort(key=_rank)


def _group_of(item: pytest.Item) -> str:
    """Return what is made together: a file; a cohort's study; all that looks at the built trial."""
    if "built" in item.fixturenames:
        return "built"
    case = getattr(item, "callspec", None) and item.callspec.params.get("conformed")
    return str(case or item.path.stem)


def _rank(item: pytest.Item) -> int:
    if "built" in item.fixturenames:
        return 0
    return 1 if item.get_closest_marker("slow") else 2


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
