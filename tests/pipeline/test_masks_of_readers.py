"""Masks of several readers, on several techniques: each reader's are an annotation of their own."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.readers_card import CARD

from cta_data.formats.nifti.image import read_image
from cta_data.study.study import Study

pytestmark = pytest.mark.slow

SHAPE = (16, 16, 16)
LESIONS = {"naq": [(4, 4, 4)], "haq_R1": [(4, 4, 4), (10, 10, 10)], "haq_R2": [(10, 10, 10)]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One patient, measured: one reader on both techniques, a second one on SPACE alone."""
    work = tmp_path_factory.mktemp("readers")
    folder = work / "raw" / "p1" / "1"
    folder.mkdir(parents=True)
    image = np.zeros(SHAPE, np.int16)
    image[2:14, 2:14, 2:14] = np.random.default_rng(1).integers(100, 200, (12, 12, 12))
    for number, name in enumerate(("t1", "space"), start=1):
        nib.save(nib.Nifti1Image(image * number, np.eye(4)), folder / f"{name}.nii.gz")
    for name, corners in LESIONS.items():
        mask = np.zeros(SHAPE, np.uint8)
        for x, y, z in corners:
            mask[x : x + 2, y : y + 2, z : z + 2] = 1
        nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / f"{name}.nii.gz")
    (work / "own.toml").write_text(CARD, "utf-8")
    new_study(work / "study", own="own")
    place = ("--study", str(work / "study"))
    source = (str(work / "raw"), "--card", str(work / "own.toml"))
    assert run_cta("add", "own", *source, *place).code == 0
    for step in ("convert", "register", "transfer", "strip", "measure"):
        outcome = run_cta(step, *place)
        assert outcome.code == 0, outcome.text
    return Study(work / "study")


def test_every_reader_has_an_annotation_on_each_technique(study: Study) -> None:
    """Readers are told apart by the card's rule or by the path; quality follows the technique."""
    rows = study.query(
        "select annotation, reader, quality, drawn_on, n_lesions, status from annotations "
        "order by annotation"
    )
    assert rows.values.tolist() == [
        ["HAQR1", "R1", "HAQ", "SPACE", 2, "current"],
        ["HAQR2", "R2", "HAQ", "SPACE", 1, "current"],
        ["NAQR1", "R1", "NAQ", "MPRAGE", 1, "current"],
    ]
    assert [list(one) for one in study.subjects()["qualities"]] == [["NAQ", "HAQ"]]


def test_every_annotation_is_on_every_grid_with_its_own_lesions(study: Study) -> None:
    """Numbers start anew in each annotation, and no lesion of one is in the labels of another."""
    lesions = study.query(
        "select annotation, grid, count(*) as n, sum(n_voxels) as voxels from lesions group by all"
    )
    found = {(row.annotation, row.grid): (row.n, row.voxels) for row in lesions.itertuples()}
    wanted = {"HAQR1": (2, 16), "HAQR2": (1, 8), "NAQR1": (1, 8)}
    assert found == {
        (name, grid): counts for name, counts in wanted.items() for grid in ("MPRAGE", "SPACE")
    }
    for row in study.table("variants").itertuples():
        voxels = sum(read_image(study.root / row.labels_path)[:] > 0)
        assert voxels == wanted[row.annotation][1]


def test_regions_say_which_annotation_they_are_part_of(study: Study) -> None:
    """Each region once, under the annotation of its mask."""
    rois = study.query("select annotation, count(*) as n from rois where selected group by all")
    assert dict(zip(rois["annotation"], rois["n"], strict=True)) == {
        "HAQR1": 1,
        "HAQR2": 1,
        "NAQR1": 1,
    }


def test_values_of_one_mask_may_be_those_of_several_readers(tmp_path: Path) -> None:
    """1 is R1 alone, 2 is R2 alone, 3 both: two annotations, a voxel of both in each of them."""
    folder = tmp_path / "raw" / "p1" / "1"
    folder.mkdir(parents=True)
    image = np.random.default_rng(2).integers(100, 200, SHAPE).astype(np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[4, 4, 4:8] = (1, 3, 3, 2)
    mask[10, 10, 10] = 2
    for name, voxels in (("t1", image), ("space", image), ("naq", mask)):
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / f"{name}.nii.gz")
    card = CARD.replace("lesion_values = [1]", "reader_values = { R1 = [1, 3], R2 = [2, 3] }")
    card = card.replace('reader = "R1"\n', "")
    (tmp_path / "own.toml").write_text(card, "utf-8")
    new_study(tmp_path / "study", own="own")
    place = ("--study", str(tmp_path / "study"))
    source = (str(tmp_path / "raw"), "--card", str(tmp_path / "own.toml"))
    assert run_cta("add", "own", *source, *place).code == 0
    converted = run_cta("convert", *place)
    assert converted.code == 0, converted.text
    study = Study(tmp_path / "study")
    found = {}
    for row in study.table("annotations").itertuples():
        labels = np.asanyarray(nib.load(study.root / row.path).dataobj)
        found[row.reader] = (row.annotation, row.n_lesions, np.argwhere(labels).tolist())
    assert found == {
        "R1": ("NAQR1", 1, [[4, 4, 4], [4, 4, 5], [4, 4, 6]]),
        "R2": ("NAQR2", 2, [[4, 4, 5], [4, 4, 6], [4, 4, 7], [10, 10, 10]]),
    }
