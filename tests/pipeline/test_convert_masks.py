"""Masks of a session: which of several files counts is never guessed."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study

from cta_data.study.study import Study

pytestmark = pytest.mark.slow

CARD = """
[cohort]
name = "own"
title = "A hospital's own"
licence = "none"
access = "restricted"
how_to_get = "It is on this disk."

[geometry]
skull_stripped = true

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/t1\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/seg(_(?P<roi>[a-z]+))?\\.nii(\\.gz)?$'
role = "mask"

[masks]
lesion_values = [1]

[[clinical]]
file = '\\.csv$'
name = "list"
publish = ["^remark$", "^dose$"]
[clinical.keys]
subject = '^patient$'

[groups.NAQ]
drawn_on = "MPRAGE"
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two patients, of whom one has two versions of a mask and the other two named masks."""
    work = tmp_path_factory.mktemp("masks")
    voxels = np.zeros((12, 12, 12), np.int16)
    voxels[2:10, 2:10, 2:10] = 100
    masks = np.zeros((2, *voxels.shape), np.uint8)
    masks[0, 3:5, 3:5, 3:5] = 1
    masks[1, 7:9, 7:9, 7:9] = 1
    for patient, names in (
        ("Muster_Anna", ("seg_left.nii.gz", "seg_right.nii.gz")),
        ("Probe_Karl", ("seg.nii", "seg.nii.gz")),
    ):
        folder = work / "raw" / patient
        folder.mkdir(parents=True)
        # No two patients have the same image.
        nib.save(nib.Nifti1Image(voxels * len(patient), np.eye(4)), folder / "t1.nii.gz")
        for name, mask in zip(names, masks, strict=True):
            nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / name)
    text = "patient,remark,dose\nMuster_Anna,Anna MUSTER was here,1800\nProbe_Karl,none,2000\n"
    (work / "raw/list.csv").write_text(text, "utf-8")
    (work / "own.toml").write_text(CARD, "utf-8")
    new_study(work / "study", own="own")
    place = ("--study", str(work / "study"))
    source = (str(work / "raw"), "--card", str(work / "own.toml"))
    assert run_cta("add", "own", *source, *place).code == 0
    assert run_cta("convert", *place).code == 3
    return Study(work / "study")


def test_two_versions_of_one_mask_are_not_added_up(study: Study) -> None:
    """Files without a name may be the same lesions twice, corrected once: the session stops."""
    units = study.query("select status, reason from units where step = 'convert' order by status")
    assert units["status"].tolist() == ["impossible", "ok"]
    assert "2 masks, 2 of them without a name" in units["reason"][0]
    regions = study.query("select source_roi, n_voxels from annotations order by source_roi")
    # The cohort is restricted: names of masks stay in sourcedata.
    assert regions.values.tolist() == [["mask 1", 8], ["mask 2", 8]]


def test_a_patient_s_name_is_cut_from_the_tables_that_leave_sourcedata(study: Study) -> None:
    """Free text about a patient may hold the name that the folder has; numbers stay."""
    folder = study.root / "datasets/own/phenotype"
    table = (folder / "list.tsv").read_text("utf-8").splitlines()
    assert table[0].split("\t")[1:] == ["remark", "dose"]
    assert table[1].split("\t")[1:] == ["*** was here", "1800"]
    assert "muster" not in (folder / "list.json").read_text("utf-8").lower()
