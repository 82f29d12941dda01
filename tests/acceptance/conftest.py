"""Digital patients and studies that the acceptance tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.command_line import Cta, run_cta
from helpers.made_once import made_once
from helpers.stand_in_network import stand_in
from helpers.tiny_study import make_tiny_study
from helpers.trial_study import SIZES

from cta_data.phantom import WrittenPatient, write_patient


@pytest.fixture(scope="session")
def cta() -> Iterator[Cta]:
    """The command line, with a git identity."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        yield run_cta


@pytest.fixture(scope="session")
def new_study(cta: Cta, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make empty studies with the cohort `internal`: copies of one that `init` made."""

    def init(folder: Path) -> Path:
        assert cta("init", folder / "study").code == 0
        return folder / "study"

    first = made_once(tmp_path_factory, "new-study", init)

    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "study"
        shutil.copytree(first, path, symlinks=True)
        return path

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial and an external cohort through every command up to the report; copy it."""

    def make(folder: Path) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            stand_in(patch.setattr)
            root = make_tiny_study(folder, ("north",))
            for words in (
                ("build", "--setting", "A"),
                ("train", "--setting", "A", "--device", "cpu"),
                ("predict", "--setting", "A", "--device", "cpu"),
                ("evaluate",),
                ("report",),
            ):
                done = run_cta(*words, study=root)
                assert done.code == 0, (words, done.text)
        return root

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def written(
    trial: tuple[Path, list[WrittenPatient]], tmp_path_factory: pytest.TempPathFactory
) -> list[WrittenPatient]:
    """Seven digital patients: exports and truth. Not to be changed: copy them.

    The trial's six, drawn on MPRAGE and on SPACE in turn, and one more that is drawn on MPRAGE.
    """

    def make(folder: Path) -> WrittenPatient:
        seed = trial[1][-1].seed + 1
        return write_patient(folder, seed=seed, quality="NAQ", voxel_sizes=SIZES)

    return [*trial[1], made_once(tmp_path_factory, "seventh_patient", make)]


@pytest.fixture(scope="session")
def patients(written: list[WrittenPatient]) -> list[Path]:
    """Exports of the seven digital patients, a folder each. Not to be changed: copy them."""
    return [patient.raw for patient in written]
