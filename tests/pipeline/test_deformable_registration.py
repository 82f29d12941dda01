"""A deformable registration object of a hospital, from the file to the lesions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.trial_study import SIZES, make_study
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeformableSpatialRegistrationStorage

from cta_data.engine import RunOptions
from cta_data.phantom import write_trial
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SHIFT_MM = np.array([1.0, 0.0, 0.0])


def make_deformable(path: Path) -> None:
    """Say of every MR frame, from the planning CT: the inverse matrix, then one millimetre more.

    That is the usual form: the CT's frame is the registered one, and the field leads from it.
    """
    ds = pydicom.dcmread(path)
    items = []
    for entry in ds.RegistrationSequence:
        [outer] = entry.MatrixRegistrationSequence
        [inner] = outer.MatrixSequence
        matrix = np.array(inner.FrameOfReferenceTransformationMatrix, float).reshape(4, 4)
        if entry.FrameOfReferenceUID == ds.FrameOfReferenceUID:
            continue
        item, post, grid = Dataset(), Dataset(), Dataset()
        item.SourceFrameOfReferenceUID = entry.FrameOfReferenceUID
        item.ReferencedImageSequence = entry.ReferencedImageSequence
        values = np.linalg.inv(matrix).ravel()
        post.FrameOfReferenceTransformationMatrix = [f"{v + 0.0:.10f}"[:16] for v in values]
        post.FrameOfReferenceTransformationMatrixType = "RIGID"
        item.PostDeformationMatrixRegistrationSequence = Sequence([post])
        # 800 mm each way, around any position of a patient on a table.
        grid.ImagePositionPatient = [-800.0, -800.0, -800.0]
        grid.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        grid.GridDimensions = [41, 41, 41]
        grid.GridResolution = [40.0, 40.0, 40.0]
        grid.VectorGridData = np.tile(SHIFT_MM, (41**3, 1)).astype("<f4").tobytes()
        item.DeformableRegistrationGridSequence = Sequence([grid])
        items.append(item)
    del ds.RegistrationSequence
    ds.SOPClassUID = DeformableSpatialRegistrationStorage
    ds.file_meta.MediaStorageSOPClassUID = DeformableSpatialRegistrationStorage
    ds.DeformableRegistrationSequence = Sequence(items)
    ds.save_as(path)


def lesion_centroids(study: Study, grid: str) -> np.ndarray:
    """Centroids (RAS, mm) of the lesions on a grid, in the order of their numbers."""
    rows = study.lesions().query(f"grid == '{grid}'").sort_values("lesion_id")
    return np.array(rows["centroid_ras_mm"].tolist())


def measured(folder: Path, raw: Path) -> Study:
    study = make_study(folder, raw)
    toml = study.root / "study.toml"
    # No lesion's place depends on a brain mask.
    without = toml.read_text("utf-8").replace('backend = "morphology"', 'backend = "none"')
    toml.write_text(without, "utf-8")
    study = Study(study.root)
    execute(study, SUBJECT_STEPS, RunOptions(command=("cta-data", "measure")))
    return Study(study.root)


def test_a_deformation_from_the_ct_carries_contours_to_the_mr(tmp_path: Path) -> None:
    """A field that moves everything by a millimetre moves the lesions by that, and is judged."""
    [patient] = write_trial(tmp_path, n_naq=0, n_haq=1, seed=4, voxel_sizes=SIZES, phases=("late",))
    assert patient.registration is not None
    rigid = measured(tmp_path / "rigid", patient.raw.parent)
    make_deformable(patient.registration)
    study = measured(tmp_path / "deformable", patient.raw.parent)
    rows = study.transforms().to_dict("records")
    by_object = [row for row in rows if row["source"] == "dicom_reg"]
    assert by_object and {row["kind"] for row in by_object} == {"displacement"}
    assert all(row["accepted"] for row in rows)
    for grid in ("MPRAGE", "SPACE"):
        moved = lesion_centroids(study, grid) - lesion_centroids(rigid, grid)
        assert len(moved) == patient.lesions_drawn
        # To the left in LPS; the heads on the CT and on MR are turned by a few degrees.
        # The smallest lesions are one voxel of 2.5 mm, which moves by a whole one or stays.
        voxels = study.lesions().query(f"grid == '{grid}'").sort_values("lesion_id")["n_voxels"]
        assert np.abs(moved - [-1.0, 0.0, 0.0]).max() < 1.3
        mean = np.average(moved, axis=0, weights=voxels)
        assert np.allclose(mean, [-1.0, 0.0, 0.0], atol=0.2)
