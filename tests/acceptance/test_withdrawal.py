"""Withdrawn consent: what is removed here and in siblings, what is left, and how that goes too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import Cta
from helpers.repository_search import content_of, files_with, objects_with, repositories
from helpers.stand_in_network import stand_in

from cta_data.pipeline.withdrawal import command
from cta_data.pipeline.withdrawal.checks import check_withdrawals
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow, UnitRow, WithdrawalRow
from cta_data.versioning.datasets import save
from cta_data.versioning.key_uses import read_history

pytestmark = pytest.mark.slow
SUBJECT = "trial2"
NAMES = {f"sub-{SUBJECT}", f'"{SUBJECT}"'}
BIDS, DERIVED, RAW = "datasets/trial", "datasets/trial/derivatives/cta", "datasets/trial/sourcedata"
LOST = "11111111-2222-3333-4444-555555555555"
"""A repository that nobody can reach, and that git-annex believes to hold content."""


@dataclass(frozen=True)
class Place:
    """A study with siblings: `git` of its BIDS dataset, `directory` of its derivatives."""

    root: Path
    git: Path
    directory: Path
    raw: Path
    keys: frozenset[str]
    """Of the subject alone, in any commit."""
    shared: frozenset[str]
    """Of the subject and of others."""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def keys_of(root: Path) -> tuple[set[str], set[str]]:
    """Return the subject's keys and those of others, from the history of all datasets."""
    mine, others = set(), set()
    for dataset in repositories(root):
        for key, paths in read_history(dataset).uses.items():
            (mine if any(SUBJECT in path for path in paths) else set()).add(key)
            (others if any(SUBJECT not in path for path in paths) else set()).add(key)
    return mine, others


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """What stands in for the network."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch.setattr)
        yield


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A study with siblings, unfinished work, pages, and content that only history refers to."""
    top = tmp_path_factory.mktemp("withdrawal")
    root = Path(shutil.copytree(finished, top / "study", symlinks=True))
    superseded = root / DERIVED / f"sub-{SUBJECT}" / "ses-1" / f"sub-{SUBJECT}_old.nii.gz"
    superseded.write_bytes(b"an earlier version")
    save(root, "earlier", [superseded])
    superseded.unlink()
    save(root, "later", [superseded.parent])
    picture = root / "evaluation/pictures" / f"trial_sub-{SUBJECT}_ses-1_lesion-1.png"
    picture.parent.mkdir()
    picture.write_bytes(b"picture")
    (picture.parent / ".gitignore").write_text("*\n")
    prepared = root / f".cta/nnunet/prepared/1/Dataset501_CTAA/trial_sub-{SUBJECT}_ses-1.b2nd"
    pool = root / ".cta/nnunet/cases"
    for folder in (prepared.parent, pool):
        folder.mkdir(parents=True)
    for name in ("mine", "other"):
        (pool / f"{name}.b2nd").write_bytes(name.encode())
    os.link(pool / "mine.b2nd", prepared)
    subprocess.run(
        ["datalad", "create-sibling", "-s", "copy", str(top / "git")],
        cwd=root / BIDS, capture_output=True, check=True,
    )  # fmt: skip
    subprocess.run(
        ["datalad", "push", "--to", "copy"], cwd=root / BIDS, capture_output=True, check=True
    )
    (top / "directory").mkdir()
    words = ("type=directory", f"directory={top / 'directory'}", "encryption=none")
    git(root / DERIVED, "annex", "initremote", "disk", *words)
    git(root / DERIVED, "annex", "copy", "--all", "--to", "disk")
    git(root / RAW, "remote", "add", "lost", str(top / "nowhere"))
    git(root / RAW, "config", "remote.lost.annex-uuid", LOST)
    mine, others = keys_of(root)
    raw_key = next(
        key
        for key, paths in read_history(root / RAW).uses.items()
        if key not in others and any(SUBJECT in path for path in paths)
    )
    git(root / RAW, "annex", "setpresentkey", raw_key, LOST, "1")
    raw = finished.parent / "raw"
    return Place(
        root,
        top / "git",
        top / "directory",
        raw,
        frozenset(mine - others),
        frozenset(mine & others),
    )


@pytest.fixture(scope="module")
def listed(place: Place, cta: Cta) -> dict[str, Any]:
    """What the dry run lists."""
    before = {str(p): git(p, "rev-parse", "HEAD") for p in repositories(place.root)}
    done = cta("withdraw", SUBJECT, "--json", study=place.root)
    assert done.code == 0, done.text
    assert {str(p): git(p, "rev-parse", "HEAD") for p in repositories(place.root)} == before
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def withdrawn(place: Place, listed: dict[str, Any], cta: Cta) -> dict[str, Any]:
    """What came of the withdrawal, which was killed twice on its way."""
    words = ("withdraw", SUBJECT, "--yes", "--json", "--date", "2026-03-01")
    for step in ("_commit", "_drop"):
        with pytest.MonkeyPatch.context() as patch:

            def die(*arguments: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(command, step, die)
            assert cta(*words, study=place.root).code != 0
        assert (place.root / command.JOURNAL).exists()
    done = cta(*words, study=place.root)
    assert done.code == 3, done.text  # since one place cannot be reached
    made: dict[str, Any] = json.loads(done.out)
    return made


@pytest.fixture(scope="module")
def forgotten(place: Place, withdrawn: dict[str, Any], cta: Cta) -> dict[str, Any]:
    """What came of the removal of the history."""
    git(place.root / RAW, "annex", "dead", LOST)
    done = cta("withdraw", "--forget-history", "--yes", "--json", study=place.root)
    assert done.code == 0, done.text
    made: dict[str, Any] = json.loads(done.out)
    return made


def test_a_label_of_two_cohorts_needs_the_cohort(place: Place, cta: Cta) -> None:
    """Both are named; a label that nobody has is another error."""
    folders = [place.root / f"datasets/{cohort}/sub-both" for cohort in ("north", "trial")]
    for folder in folders:
        folder.mkdir()
    done = cta("withdraw", "both", "--json", study=place.root)
    for folder in folders:
        folder.rmdir()
    error = json.loads(done.out)["error"]
    assert done.code == 1 and error["code"] == "subject_in_several_cohorts"
    assert error["values"]["cohorts"] == ["north", "trial"]
    absent = cta("withdraw", "nobody", "--json", study=place.root)
    assert json.loads(absent.out)["error"]["code"] == "subject_not_found"


def test_the_dry_run_lists_every_trace(place: Place, listed: dict[str, Any]) -> None:
    """Files of each kind, rows, keys also of earlier versions, commits and siblings."""
    assert {kind for kind, paths in listed["files"].items() if paths} == {
        *("sourcedata", "BIDS dataset", "derivatives", "validation masks of models"),
        *("results that counted the subject", "working folders"),
    }
    assert {"builds/Dataset501_CTAA/build.json", "index.html"} & {*listed["texts"]}
    assert listed["rows"]["subjects"] == 1 and listed["rows"]["images"] == 2
    content = {one["dataset"]: one for one in listed["content"]}
    assert {key for one in content.values() for key in one["keys"]} == place.keys
    assert {key for one in content.values() for key in one["shared"]} <= place.shared
    assert content[BIDS]["siblings"] == ["copy"] and content[DERIVED]["siblings"] == ["disk"]
    assert content[DERIVED]["commits"] > 0 and content["datasets/north"]["commits"] > 0


def test_nothing_is_left_here_or_in_siblings(place: Place, withdrawn: dict[str, Any]) -> None:
    """No file, no line of a text, no annexed content; only what others have as well stays."""
    assert files_with(place.root, NAMES) == []
    assert content_of(place.root.parent, set(place.keys)) == []
    assert content_of(place.root, set(place.shared)) != []
    assert [path.name for path in (place.root / ".cta/nnunet/cases").iterdir()] == ["other.b2nd"]
    assert not list((place.root / "evaluation").glob("pictures/*.png"))
    study = Study(place.root)
    assert SUBJECT not in study.subjects()["subject"].tolist()
    named = [row for row in study.tables.rows(UnitRow) if any(SUBJECT in p for p in row.inputs)]
    assert named == [] and withdrawn["left"] == []


def test_everything_is_counted(place: Place, withdrawn: dict[str, Any]) -> None:
    """Keys and bytes by place; what could not be reached is named, with the number of keys."""
    [row] = Study(place.root).tables.rows(WithdrawalRow)
    dropped = withdrawn["dropped"]
    assert dropped["here"] == {"keys": withdrawn["n_keys"], "bytes": withdrawn["n_bytes"]}
    assert (row.n_keys, row.n_bytes) == (withdrawn["n_keys"], withdrawn["n_bytes"])
    assert dropped["copy"]["keys"] == 1 and dropped["disk"]["keys"] >= 2
    assert {one["place"] for one in withdrawn["unreached"]} == {"lost"}
    assert withdrawn["n_rows"] > 10 and withdrawn["n_files"] > 10


def test_one_commit_a_dataset_that_names_nobody(place: Place, withdrawn: dict[str, Any]) -> None:
    """Though the command was killed twice; nothing is left uncommitted."""
    for dataset in (place.root, *(place.root / path for path in (BIDS, DERIVED, RAW, "models"))):
        messages = git(dataset, "log", "--format=%s", f"--grep={command.MESSAGE}").splitlines()
        assert messages == [command.MESSAGE]
    assert SUBJECT not in command.MESSAGE
    assert git(place.root, "status", "--short") == ""
    assert not (place.root / command.JOURNAL).exists()


def test_history_still_names_it(place: Place, withdrawn: dict[str, Any]) -> None:
    """As the command says: in git objects, also of datasets that had no file of the subject."""
    assert withdrawn["history"]["is_left"]
    named = objects_with(place.root, {f"sub-{SUBJECT}"})
    assert {".", BIDS, DERIVED, RAW, "datasets/north"} <= {*named}


def test_builds_and_models_are_marked(place: Place, withdrawn: dict[str, Any], cta: Cta) -> None:
    """The build is stale and says why; the fold that saw the patient says so where it is used."""
    assert withdrawn["builds"] == ["A"] and withdrawn["models"] == ["A"]
    record = json.loads((place.root / "builds/Dataset501_CTAA/build.json").read_text("utf-8"))
    assert [mark["withdrawal"] for mark in record["withdrawn"]] == [withdrawn["withdrawal"]]
    rows = Study(place.root).tables.rows(ModelFoldRow)
    marked = [row for row in rows if row.withdrawals == (withdrawn["withdrawal"],)]
    assert len(marked) == 1
    card = json.loads((place.root / marked[0].card_path).read_text("utf-8"))
    assert card["withdrawn"][0]["withdrawn_on"] == "2026-03-01"
    status = json.loads(cta("status", "--json", study=place.root).out)
    assert len(status["withdrawals"]) == 2 and status["builds"][0]["status"] == "outdated"
    for words in (("report",), ("predict", "--setting", "A", "--dry-run")):
        told = cta(*words, study=place.root).text
        assert f"fold {marked[0].fold}, was trained on 1 patient who withdrew" in told, words
    page = (place.root / "evaluation/table_1.html").read_text("utf-8")
    assert "who withdrew consent" in page


def test_doctor_proves_it(place: Place, withdrawn: dict[str, Any]) -> None:
    """It names what it looked at, warns of the place out of reach, and sees content come back."""
    about = withdrawn["withdrawal"]

    def levels() -> list[str]:
        found = check_withdrawals(Study(place.root))
        return sorted(one.level for one in found if about in one.subject)

    assert levels() == ["ok", "warning"]
    back = place.root / DERIVED / ".git/annex/objects/xx/yy"
    key = next(key for key in place.keys if "nii.gz" in key and key in _keys_in_history(place))
    (back / key).mkdir(parents=True)
    (back / key / key).write_bytes(b"again")
    assert "error" in levels()
    shutil.rmtree(back)


def _keys_in_history(place: Place) -> set[str]:
    return set(read_history(place.root / DERIVED).uses)


def test_the_patient_does_not_come_back(place: Place, withdrawn: dict[str, Any], cta: Cta) -> None:
    """`add` leaves the patient out, says since when, and keeps no number."""
    done = cta("add", "trial", place.raw / "trial", study=place.root)
    assert done.code == 3 and "2026-03-01" in done.err
    assert files_with(place.root, NAMES) == []


def test_a_second_call_is_about_the_same_withdrawal(
    place: Place, withdrawn: dict[str, Any], cta: Cta
) -> None:
    """A sibling may be reachable now; nothing else is done again, and no result is removed."""
    head = git(place.root, "rev-parse", "HEAD")
    kept = sorted((place.root / "evaluation").rglob("*.csv"))
    again = json.loads(cta("withdraw", SUBJECT, "--yes", "--json", study=place.root).out)
    names = ("withdrawal", "withdrawn_on", "n_keys", "n_bytes", "builds", "models")
    assert [again[name] for name in names] == [withdrawn[name] for name in names]
    assert again["dropped"]["here"]["keys"] == 0 and again["unreached"] == withdrawn["unreached"]
    assert git(place.root, "rev-parse", "HEAD") == head
    assert kept and sorted((place.root / "evaluation").rglob("*.csv")) == kept


def test_history_is_not_removed_while_content_is_elsewhere(
    place: Place, withdrawn: dict[str, Any], cta: Cta
) -> None:
    """With the logs the knowledge would go that a place has content."""
    done = cta("withdraw", "--forget-history", "--yes", "--json", study=place.root)
    assert done.code != 0
    assert json.loads(done.out)["error"]["code"] == "withdrawn_content_elsewhere"


@pytest.mark.thorough
def test_the_last_subject_of_a_cohort(place: Place, withdrawn: dict[str, Any], cta: Cta) -> None:
    """The cohort is empty and valid: commands go on; the patient comes back on consent alone."""
    assert cta("withdraw", "north1", "--yes", study=place.root).code == 0
    assert files_with(place.root, {"sub-north1"}) == []
    for words in (("status",), ("build", "--setting", "A"), ("evaluate",)):
        done = cta(*words, study=place.root)
        assert done.code == 0, (words, done.text)
    page = (place.root / "evaluation/article/report.html").read_text("utf-8")
    assert "who withdrew consent" in page
    assert cta("convert", "north", study=place.root).code == 2
    assert not (place.root / "datasets/north/participants.tsv").exists()
    refused = cta("add", "north", place.raw / "north", study=place.root)
    assert refused.code == 3
    again = cta("add", "north", place.raw / "north", "--consent-again", study=place.root)
    assert again.code == 0, again.text
    rows = Study(place.root).tables.rows(WithdrawalRow)
    assert sorted(bool(row.consent_again_on) for row in rows) == [False, True]
    assert cta("doctor", study=place.root).code == 0


def test_after_the_history_nothing_names_it(place: Place, forgotten: dict[str, Any]) -> None:
    """No git object, reachable or not, has label or key, here and after its commands there."""
    words = {f"sub-{SUBJECT}", *place.keys}
    assert objects_with(place.root, words) == []
    for one in forgotten["datasets"]:
        for told in (line for line in one["commands"] if " copy " in line):
            subprocess.run(told, shell=True, cwd=place.root, capture_output=True, check=True)
    subprocess.run(
        forgotten["at_siblings"], shell=True, cwd=place.git, capture_output=True, check=True
    )
    assert objects_with(place.git, words) == [] and files_with(place.git, words) == []


def test_the_study_goes_on_without_its_history(
    place: Place, forgotten: dict[str, Any], cta: Cta
) -> None:
    """Nothing is modified, git-annex finds its content, and a build is made without the patient."""
    assert git(place.root, "status", "--short") == ""
    git(place.root / BIDS, "annex", "fsck", "--fast", "--quiet")
    assert cta("train", "--setting", "A", "--device", "cpu", study=place.root).code == 0
    assert json.loads(cta("status", "--json", study=place.root).out)["withdrawals"] == []
    assert cta("doctor", study=place.root).code == 0
