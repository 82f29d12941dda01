"""One small digital trial and the study built from it, shared by the tests of the steps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.made_once import made_once
from helpers.trial_study import SIZES, build_all, make_study

from cta_data.cli.application import use_environment_tools
from cta_data.engine import Report
from cta_data.phantom import WrittenPatient, write_trial
from cta_data.study import Study


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """git-annex from the environment, and an identity for session-scoped fixtures."""
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Test Author")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "test@example.org")


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[WrittenPatient]]:
    """Six digital patients at 2.5 mm: three drawn on MPRAGE, three on SPACE."""

    def make(folder: Path) -> tuple[Path, list[WrittenPatient]]:
        return folder, write_trial(folder, n_naq=3, n_haq=3, seed=5, voxel_sizes=SIZES)

    return made_once(tmp_path_factory, "trial", make)


@pytest.fixture(scope="session")
def built(
    trial: tuple[Path, list[WrittenPatient]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Report]:
    """The study with all four settings built from the trial; tests must not change it."""

    def make(folder: Path) -> tuple[Path, Report]:
        study = make_study(folder / "study", trial[0] / "raw")
        return study.root, build_all(study)

    root, report = made_once(tmp_path_factory, "built", make)
    return Study(root), report
