"""The image that a DICOM segmentation lies on, and the technique that this tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import require_reason
from helpers.segmentation_objects import make_segmentation, make_series
from helpers.session_in_memory import UNIT, card
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from cta_data.engine import Workspace
from cta_data.formats.dicom.header import header_of
from cta_data.formats.dicom.series import convert_series
from cta_data.pipeline.convert.annotations import SessionAnnotations
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSeries, RawSession
from cta_data.pipeline.convert.segmentations import convert_segmentations


def series(name: str, shift_mm: float = 0.0) -> list[Dataset]:
    """A series in a frame of reference of its own, its coordinates shifted along x."""
    datasets = make_series(slices=6, rows=10, columns=12, patient=name)
    for dataset in datasets:
        dataset.ImagePositionPatient[0] += shift_mm
    return datasets


def placed(datasets: list[Dataset], frame: int, space: str) -> PlacedImage:
    return PlacedImage(
        technique="MPRAGE",
        frame=frame,
        frame_uid=datasets[0].FrameOfReferenceUID,
        series_uid=datasets[0].SeriesInstanceUID,
        sop_uids=frozenset(d.SOPInstanceUID for d in datasets),
        grid=convert_series(datasets).image,
        slice_spacing_mm=2.0,
        phase=space.removeprefix("MPRAGE").lower() or "late",
        space=space,
    )


def segmentation(datasets: list[Dataset]) -> Dataset:
    """One segment, `GTV 1`, of eight voxels in a row."""
    mask = np.zeros((6, 10, 12, 1), np.uint8)
    mask[2, 4, :8, 0] = 1
    return make_segmentation(datasets, mask, ["GTV 1"])


def converted(
    folder: Path, images: list[PlacedImage], objects: list[Dataset], **annotations: object
) -> tuple[SessionAnnotations, Workspace]:
    workspace = Workspace(folder, folder / "staging")
    session = RawSession([RawSeries("SEG", "s", objects, header_of(objects[0]))])
    result = convert_segmentations(
        UNIT, session, ConvertedImages(placed=images), card(**annotations), workspace
    )
    return result, workspace


@pytest.mark.parametrize("order", [1, -1])
def test_a_segmentation_lies_in_the_space_of_the_phase_that_it_names(
    tmp_path: Path, order: int
) -> None:
    """Its voxels are written on that phase's grid, whatever the other phase's coordinates."""
    early, late = series("early"), series("late", 10.0)
    images = [placed(early, 1, "MPRAGEEarly"), placed(late, 2, "MPRAGE")][::order]
    result, workspace = converted(tmp_path, images, [segmentation(early)])
    assert not result.refused and result.techniques == ["MPRAGE"]
    [path] = [p for p in workspace.outputs() if p.endswith(".nii.gz")]
    assert "space-MPRAGEEarly" in path
    written = sitk.ReadImage(str(workspace.staging / path))
    assert int(sitk.GetArrayViewFromImage(written).astype(bool).sum()) == 8
    own = min(images, key=lambda image: image.space != "MPRAGEEarly").grid
    assert np.allclose(written.GetOrigin(), own.GetOrigin())


def test_a_frame_of_reference_tells_no_technique(tmp_path: Path) -> None:
    """A segmentation of a series that is not here is refused, unless its technique is stated."""
    here, away = series("here"), series("here")
    for number, dataset in enumerate(away):
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["away"])
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"away{number}"])
    image = placed(here, 1, "MPRAGE")
    refused, workspace = converted(tmp_path, [image], [segmentation(away)])
    require_reason(refused.refused, "annotation_technique_not_stated")
    assert workspace.outputs() == []
    stated, _ = converted(
        tmp_path / "stated", [image], [segmentation(away)], drawn_on_default="MPRAGE"
    )
    assert not stated.refused and stated.techniques == ["MPRAGE"]


def test_names_are_told_of_the_annotation_that_counts(tmp_path: Path) -> None:
    """A clinical table is joined by the number that the rows of the regions have."""
    here = series("here")
    older, newer = segmentation(here), segmentation(here)
    for number, one in enumerate((older, newer), start=1):
        one.ContentDate, one.ContentTime = f"2020010{number}", "120000"
    result, _ = converted(tmp_path, [placed(here, 1, "MPRAGE")], [older, newer])
    assert not result.refused and [row.status for row in result.written] == [
        "superseded",
        "current",
    ]
    assert {(row.structure_set, row.source_roi) for row in result.rows} == set(result.names)
