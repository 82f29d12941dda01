"""Operating points: chosen on validation folds, kept in a card, and used by `predict`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from helpers.command_line import Cta
from helpers.stand_in_network import stand_in, write_command

pytestmark = pytest.mark.slow
MODEL = "models/Dataset501_CTAA/nnUNetTrainer__nnUNetPlans__3d_fullres"
CARD = f"{MODEL}/crossval_results_folds_0_1/card.json"
WORDS = ("--setting", "A", "--device", "cpu")


@pytest.fixture(scope="module")
def study(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of our own."""
    path = tmp_path_factory.mktemp("calibrated") / "study"
    shutil.copytree(finished, path, symlinks=True)
    return path


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch.setattr)


@pytest.fixture
def calibrated(cta: Cta, study: Path) -> Path:
    """The study with a card, a prediction at a point of it with maps, and their scores."""
    folder = study / "evaluation" / "predictions" / "A" / "north" / "probabilities"
    if not (study / CARD).exists() or not folder.exists():
        predict = ("predict", *WORDS, "--on", "north", "--at", "1", "--probabilities")
        for words in (("calibrate", *WORDS, "--at", "0.5,1", "--temperature"), predict):
            assert cta(*words, study=study).code == 0
        assert cta("evaluate", study=study).code == 0
    return study


def masks_of(study: Path, test_set: str) -> dict[str, np.ndarray]:
    folder = study / "evaluation" / "predictions" / "A" / test_set
    return {p.name: np.asarray(nib.load(p).dataobj) for p in sorted(folder.glob("*.nii.gz"))}


def test_points_are_chosen_on_cases_that_a_fold_has_not_seen(cta: Cta, study: Path) -> None:
    """By hand: of two lesions one scores 0.9, one 0.675; the false one of each case 0.8."""
    before = cta("predict", *WORDS, "--on", "north", "--at", "1", study=study)
    assert before.code == 3 and "calibrate" in before.text
    done = cta("calibrate", *WORDS, "--at", "0.5,1", "--temperature", study=study)
    assert done.code == 0, done.text
    card = json.loads((study / CARD).read_text("utf-8"))
    splits = json.loads((study / "builds/Dataset501_CTAA/splits_final.json").read_text("utf-8"))
    for fold, split in enumerate(splits):
        folder = study / MODEL / f"fold_{fold}" / "validation" / "probabilities"
        assert {p.name for p in folder.iterdir()} == {f"{case}.nii.gz" for case in split["val"]}
    cases = sum(len(split["val"]) for split in splits)
    half, one = card["points"]
    assert (card["cases"], card["lesions"], card["score"]) == (cases, 2 * cases, "mean")
    assert (half["threshold"], half["found"], half["false_positives"]) == (
        *(pytest.approx(0.9), cases, 0),
    )
    assert (one["threshold"], one["found"], one["false_positives"]) == (
        *(pytest.approx(0.675), 2 * cases, cases),
    )
    assert not one["is_reached"] and set(card["checkpoints"]) == {"0", "1"}
    assert card["temperature"]["error_after"] <= card["temperature"]["error_before"]
    kept = (study / CARD).read_bytes()
    again = cta("calibrate", *WORDS, "--at", "0.5,1", "--temperature", study=study)
    assert again.code == 0 and "3 not needed" in again.text, again.text
    assert (study / CARD).read_bytes() == kept


def test_a_prediction_uses_a_point(cta: Cta, study: Path) -> None:
    """At 0.5 the false one and the second lesion are dropped; the record and `evaluate` say so.
    What cannot be done leaves it as it is."""
    for level, parts in (("0.5", 1), ("1", 3)):
        words = ("--on", "north", "--at", level, "--probabilities")
        done = cta("predict", *WORDS, *words, study=study)
        assert done.code == 0, done.text
        [mask] = masks_of(study, "north").values()
        assert mask.sum() == {1: 27, 3: 55}[parts]
    folder = study / "evaluation" / "predictions" / "A" / "north"
    record = json.loads((folder / "prediction.json").read_text("utf-8"))
    assert record["options"]["operating_point"]["false_positives_per_case"] == 1
    assert set(record["probabilities"]) == set(record["masks"])
    kept = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    for code, options, told in (
        (3, ("--at", "3"), "operating_point_missing"),
        (3, ("--fold", "0", "--at", "1"), "operating_points_missing"),
        (1, ("--at", "0"), "false_positives_option_invalid"),
        (1, ("--at", "nan"), "false_positives_option_invalid"),
    ):
        wrong = cta("predict", *WORDS, "--on", "north", *options, "--json", study=study)
        assert wrong.code == code and told in wrong.text
        now = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        assert now == kept, "an earlier prediction is kept"
    shown = cta("evaluate", study=study)
    assert shown.code == 0, shown.text
    page = (study / "evaluation" / "article" / "report.html").read_text("utf-8")
    assert "operating point of 1 false positives" in page
    levels = pd.read_csv(study / "evaluation" / "article" / "froc_levels.csv")
    assert levels["tp"].tolist() == [1, 2, 2, 2, 2]


def test_a_missing_fold_stops_calibration(cta: Cta, calibrated: Path, tmp_path: Path) -> None:
    """Thresholds would be those of the other cases alone: nothing is chosen, the card stays."""
    place = tmp_path / "study"
    shutil.copytree(calibrated, place, symlinks=True)
    kept = (place / CARD).read_bytes()
    git(place / MODEL, "rm", "-rfq", "fold_1")
    git(place / MODEL, "commit", "-qm", "a fold is lost")
    git(place, "commit", "-qam", "a fold is lost")
    stopped = cta("calibrate", *WORDS, "--json", study=place)
    assert stopped.code == 3 and "folds_not_trained" in stopped.text
    assert (place / CARD).read_bytes() == kept


def test_without_a_candidate_no_threshold_is_chosen(
    cta: Cta, calibrated: Path, tmp_path: Path
) -> None:
    """The card has none, and no mask can be made at one."""
    place = tmp_path / "study"
    shutil.copytree(calibrated, place, symlinks=True)
    words = ("--candidates-from", "0.95", "--at", "1")
    done = cta("calibrate", *WORDS, *words, study=place)
    assert done.code == 0, done.text
    card = json.loads((place / CARD).read_text("utf-8"))
    assert (card["candidates"], card["points"][0]["threshold"]) == (0, None)
    wrong = cta("predict", *WORDS, "--on", "north", "--at", "1", "--json", study=place)
    assert wrong.code == 3 and "operating_point_missing" in wrong.text


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["calibrate", "predict", "evaluate"])
def test_its_records_can_be_run_again(calibrated: Path, tmp_path: Path, command: str) -> None:
    """`datalad rerun` in a clone at the commit of each command: the same tree, the same bytes."""
    clone = tmp_path / "clone"
    subprocess.run(["datalad", "clone", calibrated, clone], capture_output=True, check=True)
    commits = git(clone, "log", "--format=%H", f"--grep=RUNCMD. cta-data {command}").split()
    git(clone, "checkout", "-q", "--detach", commits[0])
    tree = git(clone, "rev-parse", "HEAD^{tree}")
    programs = write_command(tmp_path / "bin")
    done = subprocess.run(
        ["datalad", "rerun", commits[0]],
        cwd=clone,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(clone, "rev-parse", "HEAD^{tree}") == tree
    assert git(clone, "status", "--short") == ""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_maps_of_a_study_are_its_own(cta: Cta, study: Path) -> None:
    """`froc` uses them without folders; one that was changed since is not used."""
    done = cta("froc", "--json", study=study)
    content = json.loads(done.out)
    assert done.code == 0, done.text
    assert {one["test_set"] for one in content["froc_levels"]} == {"north"}
    [path] = (study / "evaluation/predictions/A/north/probabilities").iterdir()
    kept = path.read_bytes()
    path.unlink()
    path.write_bytes(kept[:-1])
    assert cta("froc", "--model", "A", study=study).code != 0
    assert cta("froc", "--model", "Z", study=study).code == 1
