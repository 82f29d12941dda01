"""Masks with a value that nobody explained: what the user is told, and how the command ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from PIL import Image
from scipy.ndimage import gaussian_filter

from cta_data.phantom import write_cohort
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def empty(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study without a cohort, to copy."""
    root = tmp_path_factory.mktemp("wrong") / "study"
    assert run_cta("init", root, "--empty").code == 0
    return root


@pytest.fixture
def study(empty: Path, tmp_path: Path) -> Path:
    """A study of one's own."""
    return Path(shutil.copytree(empty, tmp_path / "study", symlinks=True))


def reasons(study: Path) -> dict[str, str]:
    """Why sessions are excluded, by subject label."""
    rows = Study(study).subjects().itertuples()
    return {row.subject: row.exclusion_reason for row in rows if str(row.partition) == "excluded"}


def test_ynhh_with_a_resection_cavity(study: Path, tmp_path: Path) -> None:
    """Label 4 stops its case with its number of voxels; the other case is converted. Exit 3."""
    written = write_cohort(tmp_path, "ynhh", patients=2, seed=1, voxel_mm=3.0)
    wrong = written.cases[1].label
    assert wrong
    codes = nib.load(wrong)
    voxels = np.asanyarray(codes.dataobj).copy()
    voxels[10:12, 20, 20] = 4
    nib.save(nib.Nifti1Image(voxels, codes.affine, codes.header), wrong)
    assert run_cta("add", "ynhh", written.raw, study=study).code == 0
    outcome = run_cta("convert", "ynhh", study=study)
    assert outcome.code == 3
    assert "mask: the mask holds a label of unknown meaning (4" in outcome.text
    assert "masks.lesion_values" in outcome.text and "masks.other_values" in outcome.text
    assert "2 units: 1 ok, 0 failed, 1 impossible, 0 not needed" in outcome.text
    assert set(reasons(study)) == {"00089"}
    assert "label of unknown meaning (4" in reasons(study)["00089"]
    assert not list((study / "datasets/ynhh/derivatives/cta").rglob("sub-00089*"))


def test_ukhd_without_its_code(study: Path, tmp_path: Path) -> None:
    """Nothing is taken in, and the message holds the lines to add and the card's path. Exit 1."""
    written = write_cohort(tmp_path, "ukhd", patients=1, seed=1, voxel_mm=3.0)
    outcome = run_cta("add", "ukhd", written.raw, study=study)
    assert outcome.code == 1
    assert "datasets/ukhd/card.toml" in outcome.text
    assert "does not say which label value is metastasis, and there is no default" in outcome.text
    assert "[masks] lesion_values = [1]" in outcome.text
    assert not list((study / "datasets/ukhd/sourcedata").glob("sub-*"))
    # What it says is what helps: the lines are in the card, behind a hash each.
    card = study / "datasets/ukhd/card.toml"
    lines = card.read_text("utf-8").replace("# lesion_values = [1]", "lesion_values = [2]")
    card.write_text(lines.replace("# other_values = { 2 ", "other_values = { 1 "), "utf-8")
    assert run_cta("add", "ukhd", written.raw, study=study).code == 0
    assert run_cta("convert", "ukhd", study=study).code == 0


def test_susm_with_grey_masks(study: Path, tmp_path: Path) -> None:
    """A mask that was scaled is refused, not cut somewhere in silence. Exit 3."""
    written = write_cohort(tmp_path, "susm", form="png", patients=2, seed=1, voxel_mm=4.0)
    mask = written.cases[0].label
    assert mask
    for path in mask.glob("*.png"):
        drawn = np.array(Image.open(path).convert("L"), dtype=float)
        Image.fromarray(np.round(gaussian_filter(drawn, 1.0)).astype(np.uint8)).save(path)
    assert run_cta("add", "susm", written.raw, study=study).code == 0
    outcome = run_cta("convert", "susm", study=study)
    assert outcome.code == 3
    assert "mask: the mask holds grey values" in outcome.text
    assert "more values; lesion is 1, 255" in outcome.text
    assert "set masks.threshold in the card" in outcome.text
    assert "2 units: 1 ok, 0 failed, 1 impossible, 0 not needed" in outcome.text
    assert "grey values" in reasons(study)["susm005"]
    # What it says is what helps.
    card = study / "datasets/susm/card.toml"
    lines = card.read_text("utf-8").replace("[masks]\n", "[masks]\nthreshold = 10\n")
    card.write_text(lines, "utf-8")
    assert run_cta("convert", "susm", study=study).code == 0
    assert "grey values" not in reasons(study).get("susm005", "")
