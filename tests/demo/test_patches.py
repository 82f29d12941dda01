"""The experiment with patches: two seeds of a small network on tiny phantoms."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.read_page import check_page

from cta_data.cli.patch_options import OF_PAPER, OF_PATCHES
from cta_data.engine import Report
from cta_data.study.study import Study

COMMAND = ("experiment", "patches", "--device", "cpu", "--architecture", "resnet18",
           "--input", "MPRAGE-phases", "--input", "SPACE", "--seeds", 2, "--epochs", 1)  # fmt: skip
RUNS = "evaluation/patches/runs"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("patches", "--setting", "A"), "--setting is no option of the experiment 'patches'"),
        (("paper", "--edge", "64"), "--edge is no option of the experiment 'paper'"),
        (("patches", "--architecture", "lenet"), "'lenet' is not an architecture"),
        (("patches", "--input", "SPACE", "--input", "SPACE"), "'SPACE' is not an input"),
        (("patches", "--edge", "40"), "40 voxels"),
    ],
)
def test_what_cannot_be_done_is_told(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    """Exit code 1, before anything is done."""
    new_study(tmp_path / "study", "internal")
    outcome = run_cta("experiment", *words, "--device", "cpu", study=tmp_path / "study")
    assert outcome.code == 1 and told in outcome.text
    assert not set(OF_PAPER) & set(OF_PATCHES)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.thorough
def test_patches_are_placed_learnt_from_and_shown(
    built: tuple[Study, Report], tmp_path: Path
) -> None:
    """Two inputs are compared; a second run does nothing; a run that is gone is made the same."""
    pytest.importorskip("nnunetv2", reason="needs the extra `train`")
    root = tmp_path / "study"
    shutil.copytree(built[0].root, root, symlinks=True)
    before = _commits(root)
    outcome = run_cta(*COMMAND, study=root)
    assert outcome.code == 0, outcome.text
    assert len(_commits(root)) == len(before) + 1
    check_page((root / "evaluation/patches/index.html").read_text("utf-8"))
    runs = pd.read_csv(root / "evaluation/patches/runs.csv")
    assert len(runs) == 4 and set(runs["input"]) == {"MPRAGE-phases", "SPACE"}
    card = json.loads((root / "evaluation/patches/card.json").read_text())
    assert card["patches"]["train"]["sessions"] == 2 and card["patches"]["test"]["sessions"] == 1
    splits = Study(root).table("splits")
    trains = set(splits.loc[splits["partition"] == "train", "subject"])
    kept = {path.name: path.read_bytes() for path in (root / RUNS).iterdir()}
    for content in map(json.loads, kept.values()):
        assert not {name.split("sub-")[1].split("_")[0] for name in content["test"]} & trains
    assert run_cta(*COMMAND, study=root).code == 0
    assert len(_commits(root)) == len(before) + 1
    gone = next(iter(kept))
    (root / RUNS / gone).unlink()
    assert run_cta(*COMMAND, study=root).code == 0
    assert {path.name: path.read_bytes() for path in (root / RUNS).iterdir()} == kept
    record = _commits(root)[0]
    assert "experiment patches" in record and "--replay" in record


def _commits(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "log", "--format=%B%x00"], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]
