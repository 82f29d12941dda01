"""False positives of digital patients against what their heads hold: real lesions are known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from cta_data.engine import Report
from cta_data.errors import ConfigurationError
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.phantom import WrittenPatient
from cta_data.review.audit_truth import (
    DRAWN,
    MISSED,
    NOTHING,
    UNKNOWN,
    count_truth,
    truth_in_words,
    with_truth,
)
from cta_data.scoring import ARTICLE, CONVENTIONS, find_instances
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


def lesions_of(truth: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((truth / "lesions.json").read_text("utf-8"))
    return rows


def test_a_lesion_that_the_reader_missed_is_told_from_one_that_is_none(
    built: tuple[Study, Report], trial: tuple[Path, list[WrittenPatient]], tmp_path: Path
) -> None:
    """A predicted true lesion, half of a drawn one, and a corner of the head: each as it is."""
    root = Path(shutil.copytree(built[0].root, tmp_path / "study", symlinks=True))
    study, truth = Study(root), trial[0] / "truth"
    patient = max(trial[1], key=lambda one: one.lesions - one.lesions_drawn)
    rows = lesions_of(patient.truth)
    missed = [row["id"] for row in rows if not row["seen_by_reader"]]
    drawn = max((row for row in rows if row["seen_by_reader"]), key=lambda row: row["volume_mm3"])
    assert missed, "no reader of this trial missed a lesion: choose another seed"
    table = pd.read_csv(
        root / "datasets/internal/sourcedata/subjects.tsv", sep="\t", dtype=str
    ).set_index("source_id")
    subject = str(table.loc[patient.patient_id, "subject"])
    case = f"internal_sub-{subject}_ses-1"
    variant = next(
        row
        for row in study.variants().to_dict("records")
        if (row["subject"], row["grid"]) == (subject, "SPACE")
    )
    reference = read_image(root / variant["mask_path"])
    labels = sitk.Resample(
        sitk.ReadImage(str(patient.truth / "lesions_SPACE.nii.gz")),
        reference, sitk.Transform(), sitk.sitkNearestNeighbor,
    )  # fmt: skip
    voxels = sitk.GetArrayFromImage(labels)
    mask = (voxels == missed[0]).astype(np.uint8)
    of_drawn = np.argwhere(voxels == drawn["id"])
    mask[tuple(of_drawn[:1].T)] = 1  # one voxel of it: no detection
    mask[:2, :2, :2] = 1
    path = root / f"evaluation/predictions/C/internal-NAQ/{case}.nii.gz"
    path.parent.mkdir(parents=True)
    made = sitk.GetImageFromArray(mask)
    made.CopyInformation(reference)
    write_image(made, path)
    numbers = range(1, find_instances(mask, ARTICLE).count + 1)
    listed = pd.DataFrame(
        [
            {
                "test_set": "internal-NAQ", "model": "C", "case": case, "technique": "SPACE",
                "cohort": "internal", "subject": subject, "session": "1",
                "predicted_lesion": number,
            }
            for number in numbers
        ]
    )  # fmt: skip
    told = with_truth(study, listed, truth, CONVENTIONS["article"])
    kinds = told["truth"].tolist()
    assert sorted(kinds) == sorted([MISSED, DRAWN, NOTHING])
    by_kind = told.set_index("truth")["true_lesion"]
    assert (by_kind[MISSED], by_kind[DRAWN]) == (missed[0], drawn["id"])
    assert pd.isna(by_kind[NOTHING])
    [counts] = count_truth(told).to_dict("records")
    assert counts["false_positives"] == 3
    assert (counts["missed_by_reader"], counts["drawn_by_reader"], counts["no_lesion"]) == (1, 1, 1)
    [line] = truth_in_words(count_truth(told))
    assert "of 3 false positives" in line
    unknown = with_truth(
        study, listed.assign(case="other", subject="nobody"), truth, CONVENTIONS["article"]
    )
    assert unknown["truth"].str.startswith(UNKNOWN).all()
    assert count_truth(unknown)["not_known"].tolist() == [3]
    with pytest.raises(ConfigurationError):
        with_truth(study, listed, tmp_path, CONVENTIONS["article"])
