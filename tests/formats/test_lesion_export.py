"""Lesions as structure sets and segmentations: read back, no voxel differs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.oriented_series import (
    ORIENTATIONS,
    oriented_series,
    placed,
    write_files,
    write_labels,
)
from helpers.refusals import has_reason
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.dicom.derived_objects import MadeObject, Origin, is_exported
from cta_data.formats.dicom.image_planes import PlacedSeries
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.dicom.rtstruct_writing import (
    NO_LESION,
    Holes,
    StructureSetText,
    make_structure_set,
)
from cta_data.formats.dicom.segmentation import read_segmentation
from cta_data.formats.dicom.segmentation_writing import SegmentKind, make_segmentation
from cta_data.formats.dicom.series import series_grid
from cta_data.formats.lesion_export import ExportOptions, export_mask, lesions_on_series
from cta_data.formats.reference_image import identity_of
from cta_data.imaging.rasterization.lesion_outlines import lesion_numbers
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set

SHAPE = (5, 7, 8)
LABELS = arrays(np.uint16, SHAPE, elements=st.sampled_from([0] * 6 + [1, 1, 1, 2, 3, 4]))
TEXT = StructureSetText()
PREDICTED = Origin(model="B", model_version="weights 1f")


def dataset_of(made: MadeObject) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(made.content))


def drawn() -> NDArray[np.uint16]:
    """A ring around a lesion, two lesions that touch, and lesions of one and of two voxels."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[1:4, 1:6, 1:6] = 1
    labels[1:4, 2:5, 2:5] = 0
    labels[2, 3, 3] = 2
    labels[1:4, 1:6, 6] = 3
    labels[0, 6, 0:2] = 4
    return labels


def read_back(made: MadeObject, series: PlacedSeries) -> NDArray[np.uint16]:
    """Lesion numbers on the grid of the series, from what our reader and rasteriser make of it.

    They are put on the image as it is converted, whose voxels are in another order.
    """
    read = read_structure_set(dataset_of(made))
    grid = series_grid(series.datasets)
    order = grid.along(series.grid.direction)
    labels = np.zeros(series.grid.size[::-1], np.uint16)
    for roi in rasterize_structure_set(read, grid, identity_of(series.datasets)):
        inside = order.apply(sitk.GetArrayFromImage(roi.mask(grid))) > 0
        assert not labels[inside].any()
        labels[inside] = int(roi.name.split()[1])
    return labels


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_structure_sets_give_the_voxels_back(orientation: str) -> None:
    """Whatever the direction of the slices: holes, touching lesions, lesions of one voxel."""
    series = placed(oriented_series(SHAPE, orientation))

    @settings(max_examples=6)
    @example(drawn(), "keyhole")
    @example(drawn(), "xor")
    @given(LABELS.filter(np.any), st.sampled_from(["keyhole", "xor"]))
    def hold(labels: NDArray[np.uint16], holes: Holes) -> None:
        made = make_structure_set(series, labels, Origin(), TEXT, holes)
        assert np.array_equal(read_back(made, series), labels)

    hold()


@pytest.mark.parametrize("orientation", ["axial", "oblique"])
@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_segmentations_give_the_voxels_back(orientation: str, kind: SegmentKind) -> None:
    """Each segment, read by our reader, is the lesion that it is named after."""
    series = placed(oriented_series(SHAPE, orientation))
    labels = drawn()
    read = read_segmentation(dataset_of(make_segmentation(series, labels, PREDICTED, kind=kind)))
    assert [one.label for one in read.segments] == [f"Lesion {n}" for n in (1, 2, 3, 4)]
    for segment in read.segments:
        mask = sitk.Resample(
            read.mask(segment.number),
            series.grid.image(labels),
            sitk.Transform(3, sitk.sitkIdentity),
            sitk.sitkNearestNeighbor,
        )
        lesion = int(segment.label.split()[1])
        assert np.array_equal(sitk.GetArrayFromImage(mask) > 0, labels == lesion)
        assert segment.type == "Neoplasm, Secondary"
        assert segment.algorithm == "AUTOMATIC"


def test_what_a_structure_set_says() -> None:
    """Patient, study, frame and images are the series' own; who delineated stands in each ROI."""
    datasets = oriented_series(SHAPE)
    series = placed(datasets)
    about = Origin(reader="R2", date="2021-03-04", note="second look")
    read = dataset_of(make_structure_set(series, drawn(), about, replace(TEXT, label="PLAN")))
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert read[keyword].value == datasets[0][keyword].value
    assert read.SeriesInstanceUID != datasets[0].SeriesInstanceUID
    assert (read.ApprovalStatus, read.StructureSetDate) == ("UNAPPROVED", "20210304")
    assert is_exported(read)
    assert not is_exported(datasets[0])
    by_height = {dataset.SOPInstanceUID: dataset.ImagePositionPatient[2] for dataset in datasets}
    for roi, contours, seen in zip(
        read.StructureSetROISequence,
        read.ROIContourSequence,
        read.RTROIObservationsSequence,
        strict=True,
    ):
        assert roi.ROIName == f"Lesion {roi.ROINumber}"
        assert roi.ROIGenerationAlgorithm == "MANUAL"
        assert "second look" in roi.ROIDescription
        assert seen.ROIInterpreter == "R2^"
        assert contours.ReferencedROINumber == seen.ReferencedROINumber == roi.ROINumber
        for contour in contours.ContourSequence:
            height = by_height[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            assert set(contour.ContourData[2::3]) == {height}
            assert contour.NumberOfContourPoints * 3 == len(contour.ContourData)


def test_decimal_strings_are_short_enough() -> None:
    """Planning systems refuse numbers of more than 16 bytes."""
    series = oriented_series(SHAPE, "oblique", pixel_mm=0.33333333)
    made = make_structure_set(placed(series), drawn(), Origin(), TEXT)
    for item in dataset_of(made).ROIContourSequence:
        for contour in item.ContourSequence:
            text = contour.get_item("ContourData").value
            assert max(map(len, text.strip().split(b"\\"))) <= 16


def test_exclusive_contours_only_where_there_are_holes() -> None:
    """All contours of an ROI are of one type; of an ROI without holes it is the common one."""
    made = make_structure_set(placed(oriented_series(SHAPE)), drawn(), Origin(), TEXT, "xor")
    types = [
        {contour.ContourGeometricType for contour in item.ContourSequence}
        for item in dataset_of(made).ROIContourSequence
    ]
    assert types == [{"CLOSEDPLANAR_XOR"}, *[{"CLOSED_PLANAR"}] * 3]


def test_the_same_input_gives_the_same_bytes() -> None:
    """UIDs follow from the content: they change with it, and with nothing else."""
    series, labels = placed(oriented_series(SHAPE)), drawn()
    other = labels.copy()
    other[4, 0, 0] = 9
    for make in (
        lambda voxels, origin: make_structure_set(series, voxels, origin, TEXT),
        lambda voxels, origin: make_segmentation(series, voxels, origin),
    ):
        first = make(labels, PREDICTED)
        assert make(labels, PREDICTED) == first
        assert make(other, PREDICTED).sop_instance_uid != first.sop_instance_uid
        assert make(labels, Origin()).sop_instance_uid != first.sop_instance_uid


def test_images_of_many_frames(tmp_path: Path) -> None:
    """Contours name the frame, and segments lie on the frames, in whatever order these are."""
    classic = oriented_series(SHAPE, "oblique")
    for dataset in classic:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    enhanced = hd.legacy.LegacyConvertedEnhancedMRImage(classic[::-1], "2.25.11", 5, "2.25.12", 1)
    series, labels = placed([enhanced]), drawn()
    made = make_structure_set(series, labels, Origin(), TEXT)
    assert np.array_equal(read_back(made, series), labels)
    referred = dataset_of(made).ROIContourSequence[3].ContourSequence[0].ContourImageSequence[0]
    # Of slice 0, which is the last frame where the slices are stored in reverse.
    frame = enhanced.PerFrameFunctionalGroupsSequence[referred.ReferencedFrameNumber - 1]
    position = frame.PlanePositionSequence[0].ImagePositionPatient
    assert np.allclose(position, series.planes[0].position)
    make_segmentation(series, labels, Origin())  # it is read back there


def test_names_in_other_alphabets() -> None:
    """Text that the series' character set cannot write is written in Unicode, the name kept."""
    series = oriented_series(SHAPE)
    for dataset in series:
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller^Jürg"
    plain = dataset_of(make_structure_set(placed(series), drawn(), Origin(), TEXT))
    assert (plain.SpecificCharacterSet, str(plain.PatientName)) == ("ISO_IR 100", "Müller^Jürg")
    named = make_structure_set(placed(series), drawn(), Origin(), replace(TEXT, name="Läsion №"))
    read = dataset_of(named)
    assert (read.SpecificCharacterSet, str(read.PatientName)) == ("ISO_IR 192", "Müller^Jürg")
    assert read.StructureSetROISequence[0].ROIName == "Läsion № 1"


def test_files_are_not_replaced_unasked(tmp_path: Path) -> None:
    """A file that holds just this stays; another is replaced only where that is asked for."""
    series = oriented_series(SHAPE, "sagittal")
    folder = write_files(series, tmp_path / "series")
    mask = write_labels(series, drawn(), tmp_path / "mask.nii.gz")
    out, options = tmp_path / "out.dcm", ExportOptions()
    first = export_mask(mask, folder, out, options)
    assert (first.written, first.n_lesions, first.n_voxels) == (
        True,
        4,
        np.count_nonzero(drawn()),
    )
    before = out.stat().st_mtime_ns
    assert not export_mask(mask, folder, out, options).written
    assert out.stat().st_mtime_ns == before
    other = replace(options, holes="xor")
    with pytest.raises(ConfigurationError, check=has_reason("output_exists")):
        export_mask(mask, folder, out, other)
    assert export_mask(mask, folder, out, other, overwrite=True).written
    assert sorted(tmp_path.iterdir()) == [mask, out, folder]


def test_masks_on_another_grid_are_refused_or_transferred() -> None:
    """Without being asked nothing is resampled; lesions that are transferred are all there."""
    series = placed(oriented_series((8, 16, 16)))
    labels = np.zeros((8, 16, 16), np.uint8)
    labels[2:5, 4:9, 4:9], labels[6, 12, 12] = 1, 2
    mask = series.grid.image(labels)
    mask.SetOrigin([value + 0.4 for value in mask.GetOrigin()])
    with pytest.raises(DataRefused, check=has_reason("mask_off_series_grid")):
        lesions_on_series(mask, series, ExportOptions())
    found = lesions_on_series(mask, series, ExportOptions(resample=True))
    assert set(np.unique(found.labels)) == {0, 1, 2}
    assert np.bincount(found.labels.ravel())[1:].tolist() == [75, 1]


def test_nothing_is_exported_of_an_empty_mask_unasked(tmp_path: Path) -> None:
    """An empty structure set says so by an ROI without contours; a segmentation cannot."""
    series = oriented_series(SHAPE)
    folder = write_files(series, tmp_path / "series")
    mask = write_labels(series, np.zeros(SHAPE, np.uint8), tmp_path / "mask.nii.gz")
    for options, code in (
        (ExportOptions(), "export_without_lesion"),
        (ExportOptions("seg"), "export_without_lesion"),
        (ExportOptions("seg", allow_empty=True), "segmentation_without_segment"),
    ):
        with pytest.raises(DataRefused, check=has_reason(code)):
            export_mask(mask, folder, tmp_path / "out.dcm", options)
    export_mask(mask, folder, tmp_path / "out.dcm", ExportOptions(allow_empty=True))
    read = read_structure_set(tmp_path / "out.dcm")
    assert [(roi.name, roi.contours) for roi in read.rois] == [(NO_LESION, ())]


def test_series_that_nothing_can_refer_to_are_refused(tmp_path: Path) -> None:
    """Missing slices, attributes and frames of reference, and images of two patients."""

    def exported(change: str) -> None:
        series = oriented_series(SHAPE)
        mask = write_labels(series, drawn(), tmp_path / f"{change}.nii.gz")
        if change == "slice":
            del series[2]
        elif change == "frame":
            for dataset in series:
                del dataset.FrameOfReferenceUID
        elif change == "repeated":
            series[1].SOPInstanceUID = series[0].SOPInstanceUID
        else:
            series[1].PatientID = "somebody else"
        folder = write_files(series, tmp_path / change)
        export_mask(mask, folder, tmp_path / f"{change}.dcm", ExportOptions())

    for change, code in (
        ("slice", "slices_missing"),
        ("frame", "series_attribute_missing"),
        ("repeated", "series_instances_repeated"),
        ("patient", "series_attribute_differs"),
    ):
        with pytest.raises(DataRefused, check=has_reason(code)):
            exported(change)
        assert not (tmp_path / f"{change}.dcm").exists()


@pytest.mark.parametrize("text", ["left\\right", "two\nlines"])
def test_a_text_that_would_come_back_as_another_is_refused(text: str) -> None:
    """A name with a backslash would be read as two values; no object is made."""
    series = placed(oriented_series((3, 4, 4)))
    labels = np.zeros((3, 4, 4), np.uint8)
    labels[1, 1, 1] = 1
    with pytest.raises(DataRefused, check=has_reason("export_text_unwritable", text=text)):
        make_structure_set(series, labels, Origin(), StructureSetText(name=text))
    with pytest.raises(DataRefused, check=has_reason("export_text_unwritable")):
        make_segmentation(series, labels, Origin(note=text))


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 3, 7)])
def test_parts_in_every_corner_are_numbered(shape: tuple[int, int, int]) -> None:
    """The most parts that a small volume can have: each is a lesion, and none ends the program."""
    mask = np.zeros(shape, np.uint8)
    mask[::2, ::2, ::2] = 1
    n_parts = np.count_nonzero(mask)
    assert sorted(np.unique(lesion_numbers(mask))) == list(range(n_parts + 1))
