"""`cta-data audit`: readers' verdicts on false positives, kept in the study."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import Cta

from cta_data.formats.nifti.image import write_voxels
from cta_data.scoring.audited import DISAGREED
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


def write(path: Path, *starts: int) -> None:
    """A mask with bars of four voxels."""
    mask = np.zeros((6, 10, 40), np.uint8)
    for number, start in enumerate(starts):
        mask[3, 2 * number + 1, start : start + 4] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_voxels(mask, np.eye(4), path)


@pytest.fixture(scope="module")
def study(cta: Cta, new_study: Callable[[str], Path]) -> Path:
    """A study whose model B has two false lesions in one case, evaluated."""
    root = new_study("audit")
    write(root / "evaluation/references/SUSM/c1.nii.gz", 2)
    write(root / "evaluation/predictions/B/SUSM/c1.nii.gz", 2, 20, 30)
    assert cta("evaluate", study=root).code == 0
    return root


def test_verdicts_are_recorded_and_change_what_is_shown(cta: Cta, study: Path) -> None:
    """Listed open, judged, listed with reader; F1 with and without, and the bias by name."""
    listed = cta("audit", "--no-page", study=study)
    assert listed.code == 0 and "2 false positives, 2 open" in listed.out
    words = ("audit", "c1", "3", "--model", "B", "--test-set", "SUSM", "--reader", "A. Reader")
    done = cta(*words, "--verdict", "metastasis", "--date", "2026-03-01", study=study)
    assert done.code == 0, done.text
    told = json.loads(cta("audit", "--no-page", "--json", study=study).out)
    assert [row["verdict"] for row in told["false_positives"]] == [None, "metastasis"]
    [case] = told["cases"]
    assert (case["tp"], case["tp_audited"], case["fp_audited"]) == (1, 2, 1)
    assert "favour" in told["bias"] and "favour" in cta("audit", study=study).out
    [row] = Study(study).decisions().to_dict("records")
    assert (row["reader"], row["decided_on"]) == ("A. Reader", "2026-03-01")
    log = subprocess.run(
        ["git", "log", "-1", "--format=%s"], cwd=study, capture_output=True, text=True, check=True
    )
    assert "lesion 3: metastasis, by A. Reader" in log.stdout


def test_a_second_reader_has_a_verdict_of_their_own(cta: Cta, study: Path) -> None:
    """Both are kept; where they differ the lesion counts as before; a reader may change their own.

    A mask that is not there can be judged by nobody: exit code 3, and the table stays.
    """
    words = ("audit", "c1", "3", "--model", "B", "--test-set", "SUSM", "--date", "2026-03-02")
    assert cta(*words, "--reader", "B", "--verdict", "vessel", study=study).code == 0
    told = json.loads(cta("audit", "--no-page", "--json", study=study).out)
    [row] = [row for row in told["false_positives"] if row["predicted_lesion"] == 3]
    readings = {one["reader"]: one["verdict"] for one in row["verdicts"]}
    assert readings == {"A. Reader": "metastasis", "B": "vessel"} and row["verdict"] == DISAGREED
    assert told["cases"][0]["tp_audited"] == 1
    mask = study / "evaluation/predictions/B/SUSM/c1.nii.gz"
    mask.rename(mask.with_suffix(".away"))
    assert cta(*words, "--reader", "B", "--verdict", "metastasis", study=study).code == 3
    mask.with_suffix(".away").rename(mask)
    assert cta(*words, "--reader", "B", "--verdict", "metastasis", study=study).code == 0
    told = json.loads(cta("audit", "--no-page", "--json", study=study).out)
    assert [row["verdict"] for row in told["false_positives"]] == [None, "metastasis"]
    assert len(Study(study).decisions()) == 2


def test_the_page_lists_all_false_positives(cta: Cta, study: Path) -> None:
    """Each is a section, those that cannot be drawn with the reason; git does not see the page.

    The exit code tells that some could not be drawn.
    """
    listed = cta("audit", study=study)
    assert listed.code == 3 and "Written: " in listed.out
    page = (study / "evaluation/audit/article.html").read_text("utf-8")
    told = json.loads(cta("audit", "--json", study=study).out)
    assert page.count("<section ") == len(told["false_positives"]) == 2
    assert page.count("Not drawn: c1: no session of the study with images has this name") == 2
    assert [one["name"] for one in told["not_drawn"]] == [
        f"SUSM, model B, c1, lesion {n}" for n in (2, 3)
    ]
    status = ["git", "status", "--porcelain", "--", "evaluation/audit"]
    done = subprocess.run(status, cwd=study, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    (study / "evaluation/audit/article.html").unlink()
    assert cta("audit", "--no-page", study=study).code == 0
    assert not (study / "evaluation/audit/article.html").exists()


def test_a_verdict_falls_away_with_its_prediction(cta: Cta, study: Path) -> None:
    """Another mask under the same name was not looked at."""
    words = ("audit", "c1", "2", "--model", "B", "--test-set", "SUSM", "--reader", "A")
    given = json.loads(cta(*words, "--verdict", "vessel", "--json", study=study).out)["verdict"]
    assert (given["verdict"], given["reader"]) == ("vessel", "A")
    path = study / "evaluation/predictions/B/SUSM/c1.nii.gz"
    path.unlink()
    write(path, 2, 21, 30)
    assert cta("evaluate", study=study).code == 0
    told = json.loads(cta("audit", "--json", study=study).out)
    assert [row["verdict"] for row in told["false_positives"]] == [None, None]


def test_mistakes(cta: Cta, study: Path) -> None:
    """Exit code 1 for what is not known or not complete, 2 for a lesion that is not there."""
    words = ("audit", "c1", "9", "--model", "B", "--test-set", "SUSM", "--reader", "A")
    unknown = cta(*words, "--verdict", "vessel", "--json", study=study)
    assert (unknown.code, json.loads(unknown.out)) == (2, {"verdict": None})
    assert "no verdict 'cyst'" in cta(*words, "--verdict", "cyst", study=study).text
    assert cta("audit", "c1", "2", "--verdict", "vessel", study=study).code == 1
    assert cta(*words[:-2], "--verdict", "vessel", study=study).code == 1
    never = cta("audit", "--convention", "tables", study=study)
    assert never.code == 1 and "was not evaluated" in never.text
    for option in ("--model", "--test-set"):
        absent = cta("audit", option, "../x", study=study)
        assert absent.code == 1 and "was not evaluated" in absent.text
    unknown = cta("audit", "--convention", "../x", study=study)
    assert unknown.code == 1 and "article" in unknown.text
