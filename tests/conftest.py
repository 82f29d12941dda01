"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cta_data.versioning.tools import use_environment_tools

if TYPE_CHECKING:
    from cta_data.engine import Report
    from cta_data.phantom import WrittenPatient
    from cta_data.study.study import Study

REPOSITORY = Path(__file__).parent.parent

# Processes of pytest stand beside each other. Threads of one would wait for those of another, and
# of small arrays torch's wait longer than they work. It is inherited by whatever a test starts.
for name in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")
os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
# Tests start hundreds of processes: without compiled modules each compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What is printed is as in a pipe, whatever terminal the tests run in.
os.environ.pop("COLUMNS", None)

# git-annex from the environment, and an identity for commits on a machine where none is set.
use_environment_tools()
for role in ("AUTHOR", "COMMITTER"):
    os.environ.setdefault(f"GIT_{role}_NAME", "Test Author")
    os.environ.setdefault(f"GIT_{role}_EMAIL", "test@example.org")

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("whatever the machine does", deadline=None)
settings.load_profile("whatever the machine does")


LONGEST = (
    "test_pipeline",
    "test_conformance",
    "test_registration",
    "test_identity",
    "test_adversarial",
    "test_experiment",
    "test_clones",
    "test_withdrawal",
    "test_trial_of_readers",
    "test_interruption",
    "test_training",
    "test_predict_foreign_model",
)
"""Files that take the longest: begun last, one would be waited for at the end.

The first makes the study that most others look at; the next two do without it."""


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


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[WrittenPatient]]:
    """Six digital patients at 2.5 mm: three drawn on MPRAGE, three on SPACE."""
    from helpers.made_once import made_once
    from helpers.trial_study import SIZES

    from cta_data.phantom import write_trial

    def make(folder: Path) -> tuple[Path, list[WrittenPatient]]:
        return folder, write_trial(folder, n_naq=3, n_haq=3, seed=3, voxel_sizes=SIZES)

    return made_once(tmp_path_factory, "trial", make)


@pytest.fixture(scope="session")
def built(
    trial: tuple[Path, list[WrittenPatient]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Report]:
    """The study with all four settings built from the trial; tests must not change it."""
    from helpers.made_once import made_once
    from helpers.remembered import remembered
    from helpers.trial_study import build_all, make_study

    from cta_data.study.study import Study

    def make(folder: Path) -> tuple[Path, Report]:
        study = make_study(folder / "study", trial[0] / "raw")
        with remembered(tmp_path_factory):
            return study.root, build_all(study)

    root, report = made_once(tmp_path_factory, "built", make)
    return Study(root), report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let more damaged files be tried than the few of every run."""
    parser.addoption(
        "--mutations", type=int, default=3, help="damaged files of each reader and mutation"
    )
