"""The history of a dataset says nothing of who made it where."""

from __future__ import annotations

import getpass
import socket
import subprocess
from pathlib import Path

from helpers.command_line import CARD

from cta_data.study.creation import create_study, ensure_cohort
from cta_data.versioning.datasets import DESCRIPTION, install, quiet_datalad

DATASETS = ("", "datasets/own", "datasets/own/sourcedata", "datasets/own/derivatives/cta")


def _annex_history(dataset: Path) -> str:
    """Return every version of every file that git-annex has written into its branch here."""
    log = ["git", "-C", str(dataset), "log", "-p", "git-annex"]
    return subprocess.run(log, capture_output=True, text=True, check=True).stdout


def _places(root: Path) -> tuple[str, ...]:
    return (f"{getpass.getuser()}@", f"{socket.gethostname()}:", str(root.parent), root.parent.name)


def test_a_dataset_has_a_neutral_description(tmp_path: Path) -> None:
    """Neither the user, nor the machine, nor the folder; in every dataset of a study."""
    study = create_study(tmp_path / "ward_of_dr_no" / "study", "s", ())
    card = tmp_path / "card.toml"
    rules = '[[series]]\ntechnique = "MPRAGE"\nwhere = { Modality = "^MR$" }\nphase = "late"\n'
    card.write_text(CARD.format(name="own") + rules, "utf-8")
    ensure_cohort(study, "own", card)
    for place in DATASETS:
        told = _annex_history(study.root / place)
        assert f" {DESCRIPTION} timestamp" in told
        assert not [text for text in _places(study.root) if text in told], place


def test_a_dataset_that_a_command_installs_has_one_too(tmp_path: Path) -> None:
    """Of the copy itself, in a clone whose own description its user gives."""
    study = create_study(tmp_path / "first" / "study", "s", ("susm",))
    clone = tmp_path / "second_floor" / "clone"
    api = quiet_datalad(study.root)
    api.clone(str(study.root), str(clone), description="x", result_renderer="disabled")
    install(clone, clone / "datasets/susm")
    told = _annex_history(clone / "datasets/susm")
    assert not [text for text in _places(clone) if text in told]
