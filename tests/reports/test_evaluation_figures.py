"""What an evaluation in a built study draws: the patient flow, and crops that git never sees."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta

from cta_data.engine import Report
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


def write_prediction(reference: Path, out: Path) -> None:
    """The reference without its first lesion, and with a false one in a corner."""
    image = read_image(reference)
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(image > 0, True))
    labels[labels == 1] = 0
    labels[2:4, 2:4, 2:4] = 1
    made = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    made.CopyInformation(image)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_image(made, out)


@pytest.fixture(scope="module")
def evaluated(
    built: tuple[Study, Report], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, str]:
    """A copy of the built study with masks of each test patient on MPRAGE, and a foreign one."""
    root = tmp_path_factory.mktemp("figures") / "study"
    shutil.copytree(built[0].root, root, symlinks=True)
    study = Study(root)
    for row in study.variants().to_dict("records"):
        if row["grid"] == "MPRAGE":
            case = f"{row['cohort']}_sub-{row['subject']}_ses-{row['session']}.nii.gz"
            mask = root / f"evaluation/references/MPRAGE/{case}"
            mask.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / row["mask_path"], mask)
            write_prediction(mask, root / f"evaluation/predictions/B/MPRAGE/{case}")
            for foreign in (f"references/OTHER/{case[3:]}", f"predictions/B/OTHER/{case[3:]}"):
                path = root / "evaluation" / foreign
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(mask, path)
    outcome = run_cta("evaluate", study=root)
    assert outcome.code == 0, outcome.text
    return study, (root / "evaluation/article/report.html").read_text("utf-8")


def test_crops_are_drawn_and_never_committed(evaluated: tuple[Study, str]) -> None:
    """One figure a test set on the page, its files here, and git knows nothing of them."""
    study, page = evaluated
    folder = study.root / "evaluation/article"
    for ending in ("svg", "png"):
        assert (folder / f"crops/findings_MPRAGE.{ending}").stat().st_size > 10_000
    assert '<img src="crops/findings_MPRAGE.svg"' in page
    assert "largest false positive of model B" in (folder / "findings.csv").read_text("utf-8")
    committed = subprocess.run(
        ["git", "ls-files", "evaluation"],
        cwd=study.root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "figure_flow.svg" in committed and "crops" not in committed
    svg = (folder / "crops/findings_MPRAGE.svg").read_text("utf-8")
    assert svg.count(">MPRAGE</text>") == svg.count(">SPACE</text>") >= 2


def test_a_case_that_is_none_of_the_study_is_told_on_the_page(evaluated: tuple[Study, str]) -> None:
    """Its findings stay in the table, and the page says why there is no crop."""
    study, page = evaluated
    assert "no session of the study with images has this name" in page
    assert not (study.root / "evaluation/article/crops/findings_OTHER.svg").exists()
    assert "OTHER" in (study.root / "evaluation/article/findings.csv").read_text("utf-8")


def test_the_flow_on_the_page_is_the_tables(evaluated: tuple[Study, str]) -> None:
    """The counts beside the diagram add up to the rows of `subjects`."""
    study, page = evaluated
    flow = pd.read_csv(study.root / "evaluation/article/flow.csv")
    added = flow["stage"] == "added"
    assert flow.loc[added, "sessions"].sum() == len(study.subjects())
    assert flow.loc[~added, "sessions"].sum() == len(study.subjects())
    assert '<img src="figure_flow.svg"' in page


def test_again_the_same_and_nothing_to_commit(evaluated: tuple[Study, str]) -> None:
    """A second evaluation writes the same bytes, crops too."""
    study, _ = evaluated
    folder = study.root / "evaluation/article"
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    log = ["git", "log", "-1", "--format=%H"]
    commit = subprocess.run(log, cwd=study.root, capture_output=True, check=True).stdout
    done = run_cta("evaluate", "--json", study=study.root)
    assert done.code == 0
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
    assert "article/crops/findings_MPRAGE.svg" in json.loads(done.out)["files"]
    after = subprocess.run(log, cwd=study.root, capture_output=True, check=True).stdout
    assert after == commit


def test_the_page_of_the_audit_draws_every_false_positive(evaluated: tuple[Study, str]) -> None:
    """As many sections as false rows of the scores; a picture for each case of the study."""
    study, _ = evaluated
    words = ("audit", "--test-set", "MPRAGE")
    told = json.loads(run_cta(*words, "--json", study=study.root).out)
    scores = pd.read_parquet(study.root / "evaluation/article/scores.lesions.parquet")
    false = scores[(scores["status"] == "false") & (scores["test_set"] == "MPRAGE")]
    page = (study.root / told["page"]).read_text("utf-8")
    assert page.count("<section ") == page.count("<img ") == len(false) >= 2
    assert told["not_drawn"] == []
    first = told["false_positives"][0]
    judged = ("audit", first["case"], first["predicted_lesion"], "--model", "B")
    reading = ("--test-set", "MPRAGE", "--verdict", "vessel", "--reader", "A. Reader")
    assert run_cta(*judged, *reading, study=study.root).code == 0
    run_cta(*words, study=study.root)
    page = (study.root / told["page"]).read_text("utf-8")
    assert page.count("<strong>vessel, by A. Reader") == 1
    assert page.count("<section ") == len(false)


def test_a_prediction_that_was_replaced_is_not_drawn(evaluated: tuple[Study, str]) -> None:
    """A number of the scores means nothing in another mask: the page says so, and draws nothing."""
    study, _ = evaluated
    [*_, path] = sorted((study.root / "evaluation/predictions/B/MPRAGE").iterdir())
    before = path.read_bytes()
    image = read_image(path) * 0
    image[3, 3, 3] = 1
    path.unlink()
    write_image(image, path)
    told = json.loads(run_cta("audit", "--test-set", "MPRAGE", "--json", study=study.root).out)
    path.write_bytes(before)
    reasons = [one["reason"] for one in told["not_drawn"]]
    assert reasons and all("not the one that was scored" in reason for reason in reasons)
