"""`cta-data evaluate` in a study: what is committed, and that it can be done again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.blank_figures import leave_figures_blank
from helpers.command_line import run_cta
from helpers.new_study import new_study

from cta_data.formats.nifti.image import write_voxels
from cta_data.study.study import Study
from cta_data.study.tables import CaseScoreRow
from cta_data.versioning.datasets import save
from cta_data.versioning.tools import use_environment_tools

pytestmark = pytest.mark.slow


def write(path: Path, *starts: int) -> None:
    """A mask with bars of four voxels."""
    mask = np.zeros((6, 8, 40), np.uint8)
    for number, start in enumerate(starts):
        mask[3, 2 * number + 1, start : start + 4] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_voxels(mask, np.eye(4), path)


def write_masks(folder: Path) -> None:
    for case in ("c0", "c1"):
        write(folder / f"references/SPACE/{case}.nii.gz", 2, 20)
        write(folder / f"predictions/A/SPACE/{case}.nii.gz", 2)
        write(folder / f"predictions/B/SPACE/{case}.nii.gz", 2, 20)


@pytest.fixture(autouse=True)
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed does not depend on what the figures show."""
    leave_figures_blank(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with masks of two models; tests must not change it."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        use_environment_tools()
        root = new_study(tmp_path_factory.mktemp("made") / "study", "internal").root
        write_masks(root / "evaluation")
        save(root, "masks")
    return root


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study", symlinks=True))


@pytest.fixture
def annexed(study: Path) -> Path:
    """The same with masks in git-annex, as a user may have it."""
    shutil.rmtree(study / "evaluation")
    save(study, "no masks")
    write_masks(study / "evaluation")
    rule = "*.nii.gz annex.largefiles=anything\n"
    (study / "evaluation" / ".gitattributes").write_text(rule, "utf-8")
    save(study, "annexed masks")
    assert (study / "evaluation/references/SPACE/c0.nii.gz").is_symlink()
    return study


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def commits(root: Path) -> list[str]:
    return git(root, "log", "--format=%s").splitlines()


def test_one_commit_with_a_record_and_none_where_nothing_changed(study: Path) -> None:
    """The study is clean after the command, and a second one commits nothing."""
    before = len(commits(study))
    assert run_cta("evaluate", study=study).code == 0
    assert len(commits(study)) == before + 1
    assert commits(study)[0] == (
        "[DATALAD RUNCMD] cta-data evaluate: article: 4 cases, 0 not scored"
    )
    assert git(study, "status", "--porcelain") == ""
    assert run_cta("evaluate", study=study).code == 0
    assert len(commits(study)) == before + 1


def test_scores_are_tables_of_the_study(study: Path) -> None:
    """One row a case and convention, one a lesion, with the values of the evaluation's own files;
    what can no longer be scored leaves them.
    """
    assert run_cta("evaluate", study=study).code == 0
    assert run_cta("evaluate", "--convention", "tables", study=study).code == 0
    assert git(study, "status", "--porcelain") == ""
    opened = Study(study)
    found = opened.query("select convention, model, sum(tp), sum(fn) from scores group by all")
    assert sorted(found.itertuples(index=False, name=None)) == [
        ("article", "A", 2, 2), ("article", "B", 4, 0),
        ("tables", "A", 2, 2), ("tables", "B", 4, 0),
    ]  # fmt: skip
    own = pd.read_parquet(study / "evaluation/article/scores.parquet")
    ours = opened.scores().query("convention == 'article'").sort_values(["model", "case"])
    for name in ("case", "tp", "f1", "lesionwise_dice", "voxel_dice"):
        assert list(own.sort_values(["model", "case"])[name]) == list(ours[name])
    lesions = opened.query("select model, status, count(*) from score_lesions"
                           " where convention = 'article' group by all")  # fmt: skip
    assert set(lesions.itertuples(index=False, name=None)) == {
        ("A", "detected", 2), ("A", "missed", 2), ("B", "detected", 4),
    }  # fmt: skip
    shutil.rmtree(study / "evaluation/predictions/A")
    assert run_cta("evaluate", study=study).code == 0
    rows = Study(study).tables.rows(CaseScoreRow)
    assert {(row.convention, row.model) for row in rows} == {
        ("article", "B"), ("tables", "A"), ("tables", "B"),
    }  # fmt: skip
    assert {row.session for row in rows} == {None}


def test_the_replay_of_the_record_writes_the_same_and_leaves_the_commit(study: Path) -> None:
    """After the results are gone, the recorded command makes the same files, uncommitted."""
    run_cta("evaluate", study=study)
    message = git(study, "log", "-1", "--format=%B")
    assert '"cmd": "cta-data evaluate --convention article --replay"' in message
    shutil.rmtree(study / "evaluation/article")
    tables = Study(study).tables
    tables.replace(CaseScoreRow, ("convention",), {("article",)}, [])
    tables.flush()
    before = len(commits(study))
    done = run_cta("evaluate", "--convention", "article", "--replay", study=study)
    assert done.code == 0
    assert git(study, "status", "--porcelain") == "" and len(commits(study)) == before


def test_a_missing_case_is_part_of_the_record(study: Path) -> None:
    """Exit code 3 is what a rerun expects, and a file that is no longer made is committed away."""
    run_cta("evaluate", study=study)
    shutil.rmtree(study / "evaluation/predictions/B")
    (study / "evaluation/predictions/A/SPACE/c1.nii.gz").unlink()
    save(study, "fewer")
    assert run_cta("evaluate", study=study).code == 3
    assert '"exit": 3' in git(study, "log", "-1", "--format=%B")
    assert "evaluation/article/found_instances.csv" in git(
        study, "show", "--name-only", "--diff-filter=D", "--format="
    )
    assert git(study, "status", "--porcelain") == ""


def test_masks_of_elsewhere_are_committed_without_a_record(study: Path, tmp_path: Path) -> None:
    """Nothing could repeat that, and no path of this machine comes into the study."""
    write_masks(tmp_path / "masks")
    places = [w for n in ("references", "predictions") for w in (f"--{n}", tmp_path / "masks" / n)]
    assert run_cta("evaluate", *places, study=study).code == 0
    message = git(study, "log", "-1", "--format=%B")
    assert "RUNCMD" not in message and str(tmp_path) not in message
    assert git(study, "status", "--porcelain") == ""
    inside = [
        w for n in ("references", "predictions") for w in (f"--{n}", study / "evaluation" / n)
    ]
    (study / "evaluation/predictions/A/SPACE/c1.nii.gz").unlink()
    save(study, "fewer")
    assert run_cta("evaluate", *inside, study=study).code == 3
    message = git(study, "log", "-1", "--format=%B")
    assert "--references evaluation/references" in message and str(tmp_path) not in message


@pytest.mark.parametrize("words", [(), ("--out", "elsewhere")], ids=["study", "out"])
def test_masks_whose_content_is_elsewhere_are_fetched(
    annexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """In a fresh clone no mask is here: all are fetched, and scored as in the study."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "clone", "-q", str(annexed), "clone")
    clone = tmp_path / "clone"
    mask = clone / "evaluation/predictions/A/SPACE/c0.nii.gz"
    assert mask.is_symlink() and not mask.exists()
    outcome = run_cta("evaluate", *words, study=clone)
    assert outcome.code == 0 and "fetched the content of 6 files" in outcome.text
    assert "4 cases in 2 sets scored, 0 not" in outcome.text


def test_references_that_are_links_into_the_study_are_fetched(
    annexed: Path, tmp_path: Path
) -> None:
    """A training set's references point at the masks themselves, whose content may be elsewhere."""
    kept, references = annexed / "evaluation/masks", annexed / "evaluation/references/SPACE"
    references.rename(kept)
    references.mkdir()
    for mask in sorted(kept.iterdir()):
        (references / mask.name).symlink_to(Path("../../masks", mask.name))
    save(annexed, "links")
    git(tmp_path, "clone", "-q", str(annexed), "clone")
    outcome = run_cta("evaluate", study=tmp_path / "clone")
    assert outcome.code == 0 and "4 cases in 2 sets scored, 0 not" in outcome.text


def test_a_mask_that_cannot_be_fetched_costs_its_cases(annexed: Path) -> None:
    """It is told with what to do, its two cases are named, the others are scored: exit code 3."""
    lost = "evaluation/references/SPACE/c0.nii.gz"
    write(annexed / lost, 2, 30)  # no other file has this content
    save(annexed, "another mask")
    git(annexed, "annex", "drop", "--force", lost)
    outcome = run_cta("evaluate", study=annexed)
    assert outcome.code == 3 and f"not fetched: {lost}: " in outcome.text
    assert "git annex whereis" in outcome.text
    assert outcome.text.count("c0.nii.gz: the content of the file is not available here") == 2
    assert "2 cases in 2 sets scored, 2 not" in outcome.text


def test_where_there_is_nothing_nothing_is_committed(study: Path) -> None:
    """Exit code 2, and the study is as it was."""
    shutil.rmtree(study / "evaluation/predictions")
    (study / "evaluation/predictions").mkdir()
    save(study, "none")
    before = commits(study)
    assert run_cta("evaluate", study=study).code == 2
    assert commits(study) == before and not (study / "evaluation/article").exists()
