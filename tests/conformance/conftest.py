"""One study a case, made once and looked at by every check, whatever process it runs in."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conformance.cohorts import CASES, ConformanceCase
from conformance.conformed import Conformed, take_through
from helpers.remembered import remembered

from cta_data.versioning.tools import use_environment_tools

FURTHER_FORMS = frozenset({"susm-nifti", "ummc-dicom", "user-bids"})
"""Of what a quicker case delivers in another form."""


def _is_thorough(case: ConformanceCase) -> bool:
    return bool(case.real) or case.name in FURTHER_FORMS


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """git-annex from the environment, and an identity for session-scoped fixtures."""
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Test Author")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "test@example.org")


@pytest.fixture(scope="session")
def conform(
    tools: None, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[ConformanceCase], Conformed]:
    """Return what makes the study of a case, or finds the one that another process made.

    A process that would have to wait for another makes one that nobody has begun meanwhile.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    wanted = [
        case for case in CASES if any(f"[{case.name}]" in i.nodeid for i in request.session.items)
    ]

    def made(case: ConformanceCase, shared: Path | None) -> Conformed:
        with remembered(tmp_path_factory):  # the forms of a cohort show the same heads
            return _made(case, base / case.name, shared)

    def get(case: ConformanceCase) -> Conformed:
        shared = _shared_data(case, request)
        while True:
            with _claimed(base / case.name, wait=False) as mine:
                if mine:
                    return made(case, shared)
            for other in wanted:
                with _claimed(base / other.name, wait=False) as mine:
                    free = mine and not (base / other.name / "conformed.pickle").exists()
                    if free and not other.real:
                        made(other, None)
                        break
            else:
                with _claimed(base / case.name, wait=True):
                    return made(case, shared)

    return get


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(case, marks=[pytest.mark.thorough] if _is_thorough(case) else [], id=str(case))
        for case in CASES
    ],
)
def conformed(
    request: pytest.FixtureRequest, conform: Callable[[ConformanceCase], Conformed]
) -> Conformed:
    """The study of each case; checks must not change it."""
    return conform(request.param)


def _shared_data(case: ConformanceCase, request: pytest.FixtureRequest) -> Path | None:
    """Return the folder of real data, where a case needs it; skip where it is not there."""
    if not case.real:
        return None
    folder: Path = request.getfixturevalue("shared_data")
    absent = [name for name in case.real if not (folder / name).is_dir()]
    if absent:
        pytest.skip(f"real data is not here: {', '.join(absent)}")
    return folder


@contextmanager
def _claimed(folder: Path, *, wait: bool) -> Iterator[bool]:
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def _made(case: ConformanceCase, folder: Path, shared: Path | None) -> Conformed:
    kept = folder / "conformed.pickle"
    if not kept.exists():
        raw = case.write(folder, shared) if shared else case.write(folder)
        kept.write_bytes(pickle.dumps(take_through(case, folder, raw)))
    made: Conformed = pickle.loads(kept.read_bytes())
    return made
