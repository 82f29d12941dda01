"""A study as DataLad datasets: made, opened, extended, cloned and fetched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.refusals import has_reason
from helpers.toy_steps import Seen, execute, statuses, toy_step

from cta_data.cohorts import shipped_card_text
from cta_data.engine import content_key
from cta_data.errors import ConfigurationError, CtaError
from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.study import UNFINISHED, Study, open_study
from cta_data.versioning.datasets import save
from cta_data.versioning.keys import is_fetched
from cta_data.versioning.tools import use_environment_tools

pytestmark = pytest.mark.slow
IMAGE = "datasets/internal/sub-001/ses-1/anat/sub-001_ses-1_T1w.nii.gz"
OTHER = "datasets/internal/sub-002/ses-1/anat/sub-002_ses-1_T1w.nii.gz"
MASK = "datasets/internal/derivatives/cta/sub-001/mask.nii.gz"
RAW = "datasets/internal/sourcedata/sub-001/series.tar"


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def identity() -> Iterator[None]:
    """A git identity and the environment's programs, for fixtures that outlive one test."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        patch.delenv("CTA_STUDY", raising=False)
        use_environment_tools()
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, identity: None) -> Study:
    """A study with the internal cohort and four files; tests must not change it."""
    made = create_study(tmp_path_factory.mktemp("made") / "study", "trial", ("internal",))
    for path in (IMAGE, OTHER, MASK, RAW):
        (made.root / path).parent.mkdir(parents=True)
        (made.root / path).write_bytes(f"content of {path}".encode())
    (made.root / "in").mkdir()
    (made.root / "in" / "s1.txt").write_text("one")
    save(made.root, "files")
    return made


@pytest.fixture
def clone(study: Study, tmp_path: Path) -> Study:
    """A clone on another path, as another user would make it."""
    run(tmp_path, "datalad", "clone", str(study.root), "copy")
    return open_study(tmp_path / "copy")


def test_a_new_study_is_whole_and_committed(study: Study) -> None:
    """Superdataset, cohort, raw files and derivatives are datasets of their own, all clean."""
    for path in (
        "",
        "datasets/internal",
        RAW.rsplit("/", 2)[0],
        "datasets/internal/derivatives/cta",
    ):
        folder = study.root / path
        assert (folder / ".git").exists()
        assert (folder / ".datalad").is_dir()
        assert run(folder, "git", "status", "--porcelain") == ""
    assert study.cohorts == ["internal"]
    assert study.configuration.study.name == "trial"
    assert study.card("internal").cohort.title == "CYBER-SPACE"
    assert study.lesions().empty and study.units().empty
    tracked = run(study.root, "git", "ls-files")
    assert ".cta" not in tracked


def test_images_and_archives_are_annexed_and_text_is_not(study: Study) -> None:
    """What is big or restricted is a link; what is read by people stays a file in git."""
    for path in (IMAGE, MASK, RAW):
        assert (study.root / path).is_symlink()
        assert content_key(study.root / path).startswith("MD5E-s")
    for path in ("study.toml", "README.md", "datasets/internal/card.toml"):
        assert not (study.root / path).is_symlink()
    assert not (study.root / "datasets/internal/dataset_description.json").is_symlink()


def test_the_salt_is_with_the_raw_files_and_nowhere_else(study: Study) -> None:
    """Whoever has the study without sourcedata cannot lead a label back to a patient."""
    salts = [path for path in study.root.rglob("*.salt") if ".git" not in path.parts]
    assert [path.relative_to(study.root).as_posix() for path in salts] == [
        "datasets/internal/sourcedata/pseudonyms.salt"
    ]
    salt = salts[0].read_text().strip()
    assert len(salt) == 64
    for folder in (study.root, study.root / "datasets/internal"):
        found = subprocess.run(["git", "grep", "-c", salt, "HEAD"], cwd=folder, capture_output=True)
        assert found.returncode == 1


def test_a_study_is_not_made_where_it_would_do_harm(tmp_path: Path) -> None:
    """Neither into a folder with files, nor in place of a file, nor with an unknown cohort."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, check=has_reason("study_folder_not_empty")):
        create_study(tmp_path / "full", "x", ())
    with pytest.raises(ConfigurationError, check=has_reason("study_path_not_a_folder")):
        create_study(tmp_path / "file", "x", ())
    with pytest.raises(ConfigurationError, check=has_reason("card_not_found")):
        create_study(tmp_path / "new", "x", ("intern",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_what_a_killed_command_made_of_a_study_is_made_anew(tmp_path: Path) -> None:
    """Until it is made it is no study for other commands; files of the user's stay in the way."""
    create_study(tmp_path / "study", "x", ())
    (tmp_path / "study" / UNFINISHED).touch()
    with pytest.raises(ConfigurationError, check=has_reason("study_incomplete")):
        open_study(tmp_path / "study")
    (tmp_path / "study" / "thesis.txt").write_text("x")
    with pytest.raises(ConfigurationError, check=has_reason("study_folder_holds_other_files")):
        create_study(tmp_path / "study", "x", ())
    (tmp_path / "study" / "thesis.txt").unlink()
    assert create_study(tmp_path / "study", "y", ()).configuration.study.name == "y"
    assert open_study(tmp_path / "study").root == tmp_path / "study"


def test_without_an_identity_nothing_is_made_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git must know who commits; the message says how to tell it, and the folder can be reused."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME", raising=False)
        monkeypatch.delenv(f"GIT_{role}_EMAIL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.delenv("EMAIL", raising=False)
    with pytest.raises(CtaError, check=has_reason("git_identity_missing")):
        create_study(tmp_path / "new", "x", ())
    assert not any((tmp_path / "new").glob("*")) if (tmp_path / "new").exists() else True


def test_a_study_is_found_from_inside_and_by_the_environment(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named folder wins, then CTA_STUDY, then the working directory; elsewhere it is an error."""
    assert open_study(study.root / "datasets" / "internal").root == study.root
    monkeypatch.chdir(study.root / "datasets")
    assert open_study().root == study.root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, check=has_reason("not_a_study")):
        open_study()
    with pytest.raises(ConfigurationError, check=has_reason("study_folder_not_found")):
        open_study(study.root / "typo")  # never the study around it
    monkeypatch.setenv("CTA_STUDY", str(study.root))
    assert open_study().root == study.root
    with pytest.raises(ConfigurationError, check=has_reason("not_a_study")):
        open_study(tmp_path)


def test_a_cohort_that_the_study_lacks_is_told_with_those_it_has(study: Study) -> None:
    """A misspelt cohort names what there is and how to add one."""
    with pytest.raises(
        ConfigurationError, check=has_reason("cohort_unknown", cohort="internl", cohorts="internal")
    ):
        study.card("internl")


def test_a_cohort_of_one_s_own_card_joins_and_its_card_can_be_replaced(
    identity: None, tmp_path: Path
) -> None:
    """A study without cohorts takes one by a card file; a wrong card changes nothing."""
    study = create_study(tmp_path / "study", "own", ())
    assert study.cohorts == []
    card = tmp_path / "mine.toml"
    card.write_text(shipped_card_text("internal").replace('name = "internal"', 'name = "mine"'))
    with pytest.raises(
        ConfigurationError,
        check=has_reason("card_of_another_cohort", card_cohort="mine", name="other"),
    ):
        ensure_cohort(study, "other", card)
    assert not (study.root / "datasets" / "other").exists()
    study = ensure_cohort(study, "mine", card)
    assert study.cohorts == ["mine"]
    assert study.card("mine").cohort.name == "mine"
    assert run(study.root, "git", "status", "--porcelain") == ""
    head = run(study.root, "git", "rev-parse", "HEAD")
    assert ensure_cohort(study, "mine").cohorts == ["mine"]
    assert ensure_cohort(study, "mine", card).cohorts == ["mine"]
    assert run(study.root, "git", "rev-parse", "HEAD") == head
    card.write_text(card.read_text().replace("CYBER-SPACE", "Mine"))
    assert ensure_cohort(study, "mine", card).card("mine").cohort.title == "Mine"
    assert run(study.root, "git", "status", "--porcelain") == ""
    card.write_text(card.read_text().replace("[cohort]", "[cohrt]"))
    with pytest.raises(ConfigurationError, check=has_reason("settings_invalid")):
        ensure_cohort(study, "mine", card)
    assert Study(study.root).card("mine").cohort.title == "Mine"


def test_a_clone_knows_its_cohorts_before_it_has_them(clone: Study) -> None:
    """Cards, and the raw files' dataset, are installed when they are needed; content is not."""
    assert clone.cohorts == ["internal"]
    assert not (clone.root / "datasets/internal/card.toml").exists()
    assert clone.card("internal").cohort.title == "CYBER-SPACE"
    assert not (clone.root / clone.sourcedata_path("internal") / ".git").exists()
    assert clone.has_sourcedata("internal")
    assert (clone.root / clone.sourcedata_path("internal") / ".git").exists()
    clone.require(clone.derivatives_path("internal"))
    assert (clone.root / MASK).is_symlink() and not is_fetched(clone.root / MASK)


def test_a_clone_fetches_what_is_asked_for_and_no_more(study: Study, clone: Study) -> None:
    """`datalad get` of one subject brings that subject; keys are known without any content."""
    run(clone.root, "datalad", "get", "datasets/internal/sub-001")
    assert (clone.root / IMAGE).read_bytes() == (study.root / IMAGE).read_bytes()
    assert not is_fetched(clone.root / OTHER)
    assert content_key(clone.root / OTHER) == content_key(study.root / OTHER)
    assert not (clone.root / RAW).exists()


def test_a_command_in_a_clone_fetches_its_inputs_and_says_so(clone: Study) -> None:
    """Inputs whose content lies in the original are fetched before the units run."""
    clone.require(clone.cohort_path("internal"))
    (clone.root / "in" / "sub-001_ses-1_T1w.nii.gz").write_text("")
    (clone.root / "in" / "s1.txt").unlink()
    seen = Seen()
    step = toy_step(source=IMAGE.rsplit("/", 1)[0])
    report = execute(clone, step, seen=seen)
    assert list(statuses(report).values()) == ["ok"]
    assert seen.fetched == [IMAGE]
    assert is_fetched(clone.root / IMAGE)
