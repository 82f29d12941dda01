"""`cta-data evaluate`: folders of predictions to scores, tables, figures and a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import run_cta

from cta_data.formats.nifti import write_voxels

FOLDERS = ("references", "predictions")


def write(path: Path, *starts: int) -> None:
    """A mask with bars of four voxels."""
    mask = np.zeros((6, 8, 40), np.uint8)
    for number, start in enumerate(starts):
        mask[3, 2 * number + 1, start : start + 4] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_voxels(mask, np.eye(4), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models on two test sets of three cases."""
    for test_set in ("SPACE", "SUSM"):
        for case in range(3):
            name = f"{test_set}/c{case}.nii.gz"
            write(tmp_path / "references" / name, 2, 20, 30)
            write(tmp_path / "predictions" / "A" / name, 2)
            write(tmp_path / "predictions" / "B" / name, 2, 20 + case)
    return tmp_path


def evaluated(folder: Path, *words: object) -> tuple[int, dict, str]:
    places = [w for name in FOLDERS for w in (f"--{name}", folder / name)]
    outcome = run_cta("evaluate", *places, "--out", folder / "out", "--json", *words)
    return outcome.code, json.loads(outcome.out or "{}"), outcome.text


def test_everything_is_written_and_cases_are_conserved(folder: Path) -> None:
    """Scores of every case, tables 2, 3, 4 and S1, counts, figures and the page; again the same."""
    code, told, _ = evaluated(folder)
    assert code == 0 and told["missing"] == []
    assert sum(told["sets"].values()) == 12
    names = {Path(name).name for name in told["files"]}
    wanted = {"scores.parquet", "scores.lesions.parquet", "report.html", "found_instances.csv"}
    wanted |= {f"table_{n}.{end}" for n in ("2", "3", "4", "s1") for end in ("html", "csv", "tex")}
    wanted |= {
        f"figure_{n}.{end}" for n in ("scores", "found", "sensitivity") for end in ("svg", "png")
    }
    assert wanted <= names
    cases = pd.read_parquet(folder / "out/article/scores.parquet")
    assert len(cases) == 12 and set(cases["model"]) == {"A", "B"}
    assert (cases["tp"] + cases["fn"] == cases["n_reference"]).all()
    page = (folder / "out/article/report.html").read_text("utf-8")
    assert "convention “article”" in page and "Table 2" in page
    before = {name: (folder / "out" / name).read_bytes() for name in told["files"]}
    evaluated(folder)
    assert before == {name: (folder / "out" / name).read_bytes() for name in told["files"]}


def test_what_is_missing_is_told_and_stands_on_the_page(folder: Path) -> None:
    """A case without prediction, a damaged one, and a test set without references: exit code 3."""
    (folder / "predictions/A/SPACE/c1.nii.gz").unlink()
    (folder / "predictions/B/SUSM/c0.nii.gz").write_bytes(b"\x1f\x8bnothing")
    write(folder / "predictions/B/NEW/c0.nii.gz", 2)
    code, told, text = evaluated(folder)
    assert code == 3 and len(told["missing"]) == 3
    for part in ("model A on SPACE: c1: there is no prediction", "truncated or damaged", "on NEW"):
        assert part in text
        assert part in (folder / "out/article/report.html").read_text("utf-8")
    assert sum(told["sets"].values()) == 10


def test_both_conventions_lie_side_by_side(folder: Path) -> None:
    """Each has a folder of its own, and every table names its own."""
    assert evaluated(folder)[0] == 0
    assert evaluated(folder, "--convention", "tables")[0] == 0
    for name in ("article", "tables"):
        assert f"convention “{name}”" in (folder / f"out/{name}/table_2.html").read_text("utf-8")


def test_mistakes_and_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    """Exit code 1 for what is not there, 2 where there is no prediction."""
    words = ("--references", folder / "references", "--out", tmp_path / "o")
    absent = run_cta("evaluate", *words, "--predictions", tmp_path / "absent")
    assert absent.code == 1 and "there is no such folder" in absent.text
    wrong = evaluated(folder, "--convention", "own")
    assert wrong[0] == 1 and "no convention 'own'" in wrong[2]
    (tmp_path / "empty").mkdir()
    nothing = run_cta("evaluate", *words, "--predictions", tmp_path / "empty")
    assert nothing.code == 2 and "nothing to score" in nothing.text
