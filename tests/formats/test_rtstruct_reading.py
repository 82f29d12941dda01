from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.refusals import has_reason
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage

from cta_data.errors import DataRefused
from cta_data.formats.dicom.rtstruct import RT_STRUCTURE_SET_STORAGE, read_structure_set

SQUARE = [0, 0, 5, 10, 0, 5, 10, 10, 5, 0, 10, 5]


def item(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, Sequence(value) if keyword.endswith("Sequence") else value)
    return dataset


def contour(data: list[float] | None, kind: str = "CLOSED_PLANAR") -> Dataset:
    made = item(ContourGeometricType=kind)
    if data is not None:
        made.ContourData = data
    return made


def structure_set(contours: list[Dataset], **more: object) -> Dataset:
    return item(
        SOPClassUID=RT_STRUCTURE_SET_STORAGE,
        Modality="RTSTRUCT",
        StructureSetLabel="PLAN",
        StructureSetROISequence=[item(ROINumber=3, ROIName="GTV 1")],
        ROIContourSequence=[item(ReferencedROINumber=3, ContourSequence=contours)],
        **more,
    )


def test_a_clinical_file_is_read_whole(shared_data: Path) -> None:
    """Names, types, references and vertices of a file made by a planning system."""
    folder = shared_data / "rt_ibsi_val_STS_002" / "dicom" / "STS_002" / "MR_T1" / "mask"
    read = read_structure_set(folder / "RS.dcm")
    (roi,) = read.rois
    assert (read.label, read.name) == ("RTstruct", "RTstruct_AlignedT1toPET")
    assert (roi.number, roi.name, roi.interpreted_type) == (1, "GTV_Mass_MR_T1", "GTV")
    assert read.frame_of_reference_uids == (roi.frame_of_reference_uid,)
    assert len(read.referenced_series_uids) == 1 and len(read.referenced_sop_uids) == 35
    assert len(roi.contours) == 16 and roi.contours[0].points_lps_mm.shape == (158, 3)
    assert roi.contours[0].referenced_sop_uid in read.referenced_sop_uids
    assert read.notes == ()


@pytest.mark.parametrize("share", [0.01, 0.4, 0.8, 0.97])
@pytest.mark.parametrize(
    "name",
    ["rt_rtutils_sample_phantom/rt.dcm", "rt_rtmask_conformance/rtstruct/primitives_planar.dcm"],
)
def test_a_file_that_was_cut_off_is_refused(
    shared_data: Path, tmp_path: Path, name: str, share: float
) -> None:
    """No part of a file is taken for the whole: wherever it ends, it is refused."""
    content = (shared_data / name).read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataRefused):
        read_structure_set(cut)


def test_other_objects_are_refused(shared_data: Path, tmp_path: Path) -> None:
    """An image is named as what it is; a text file and an absent file are refused too."""
    with pytest.raises(
        DataRefused, check=has_reason("not_a_structure_set", object_name="CT Image Storage")
    ):
        read_structure_set(shared_data / "rt_rtutils_mock" / "tests" / "mock_data" / "ct_1.dcm")
    with pytest.raises(
        DataRefused, check=has_reason("not_a_structure_set", object_name="CT Image Storage")
    ):
        read_structure_set(item(SOPClassUID=CTImageStorage, Modality="CT"))
    text = tmp_path / "notes.dcm"
    text.write_text("not DICOM at all")
    with pytest.raises(DataRefused, check=has_reason("not_a_dicom_file")):
        read_structure_set(text)
    with pytest.raises(DataRefused):
        read_structure_set(tmp_path / "absent.dcm")


def test_what_is_tolerated_is_noted() -> None:
    """Empty and point contours enclose no area: the region is read, and each has its note."""
    read = read_structure_set(
        structure_set([contour(SQUARE), contour(None), contour([1, 2, 3], "POINT")])
    )
    (roi,) = read.rois
    assert len(roi.contours) == 2 and len(roi.closed_contours) == 1 and not roi.unreadable
    notes = " | ".join(read.notes)
    for word in ("contour 2 is empty", "POINT", "no frame of reference"):
        assert word in notes


def with_text(raw: bytes) -> Dataset:
    made = contour(SQUARE)
    tag = Tag("ContourData")
    made[tag] = RawDataElement(tag, "DS", len(raw), raw, 0, False, True)
    return made


def announcing(points: int) -> Dataset:
    made = contour(SQUARE)
    made.NumberOfContourPoints = points
    return made


def announcing_text(raw: bytes) -> Dataset:
    made = contour(SQUARE)
    tag = Tag("NumberOfContourPoints")
    made[tag] = RawDataElement(tag, "IS", len(raw), raw, 0, False, True)
    return made


SKEWED = [0, 0, 5, 10, 0, 5, 10, 10, 6, 0, 10, 5]


@pytest.mark.parametrize(
    ("damaged", "cause"),
    [
        (with_text(b"1\\2\\3\\4"), "4 coordinates, not a multiple of three"),
        (with_text(b"a\\b\\c"), "not numbers"),
        (with_text(b"1,5\\2\\3"), "not numbers"),
        (with_text(b"1\\2\\nan"), "not finite"),
        (with_text(b"1\\2\\1e999"), "not finite"),
        (announcing(9), "announces 9 points and has 4"),
        (announcing_text(b"four"), "announces a number of points that is none"),
        (announcing(3), "announces 3 points and has 4"),
        (contour(SQUARE, "CLOSED_CURVED"), "unknown geometric type"),
        (contour(SQUARE, ""), "no geometric type"),
        (contour(SQUARE, "OPEN_PLANAR"), "is open"),
        (contour(SKEWED), "is not planar"),
    ],
)
def test_one_contour_that_cannot_be_trusted_makes_its_roi_unreadable(
    damaged: Dataset, cause: str
) -> None:
    """The cause names the contour; the others are kept, and are not taken for the whole."""
    (roi,) = read_structure_set(structure_set([contour(SQUARE), damaged])).rois
    assert roi.unreadable.startswith("contour 2 ") and cause in roi.unreadable
    assert not {"four", "1,5", "CLOSED_CURVED"} & set(roi.unreadable.split())
    assert len(roi.closed_contours) >= 1


def test_the_contour_that_is_named_is_the_one_in_the_file() -> None:
    """Contours that are left out as empty are counted."""
    items = [contour(None), contour(SQUARE), contour(SKEWED)]
    (roi,) = read_structure_set(structure_set(items)).rois
    assert roi.unreadable.startswith("contour 3 ")


def test_a_roi_number_that_is_no_number_is_refused() -> None:
    """It is bad data, told in one line, and no crash."""
    broken = structure_set([contour(SQUARE)])
    tag = Tag("ROINumber")
    item_of = broken.StructureSetROISequence[0]
    item_of[tag] = RawDataElement(tag, "IS", 4, b"four", 0, False, True)
    with pytest.raises(
        DataRefused, check=has_reason("structure_set_item_not_a_number", keyword="ROINumber")
    ) as refused:
        read_structure_set(broken)
    assert "four" not in str(refused.value)


@pytest.mark.parametrize(
    ("sequence", "keyword", "swallowed"),
    [
        (
            "RTROIObservationsSequence",
            "ReferencedROINumber",
            b"1 \x06\x30\xa6\0PN\x0c\0Frida^Moritz",
        ),
        ("StructureSetROISequence", "ROINumber", b"1 \x06\x30\x24\0UI\x08\x001.2.3.99"),
        ("ROIContourSequence", "ReferencedROINumber", b"Frida^Moritz"),
        ("StructureSetROISequence", "ReferencedFrameOfReferenceUID", b"Frida^Moritz\xff\xfe"),
    ],
)
def test_what_a_damaged_element_swallowed_is_not_repeated(
    sequence: str, keyword: str, swallowed: bytes
) -> None:
    """A length that is wrong puts a name or a UID into a number: the refusal holds neither."""
    broken = structure_set([contour(SQUARE)])
    broken.RTROIObservationsSequence = [item(ReferencedROINumber=3)]
    damaged, tag = broken[sequence][0], Tag(keyword)
    vr = "UI" if keyword.endswith("UID") else "IS"
    damaged[tag] = RawDataElement(tag, vr, len(swallowed), swallowed, 0, False, True)
    try:
        said = str(read_structure_set(broken).notes)
    except DataRefused as refused:
        said = str(refused)
    assert "Frida" not in said and "Moritz" not in said and "1.2.3" not in said


@pytest.mark.parametrize("points", [4, 5])
def test_a_closing_vertex_may_be_counted_or_not(points: int) -> None:
    """A contour that repeats its first vertex may announce it or leave it out."""
    closed = contour(SQUARE + SQUARE[:3])
    closed.NumberOfContourPoints = points
    (roi,) = read_structure_set(structure_set([closed])).rois
    assert not roi.unreadable and len(roi.contours[0].points_lps_mm) == 4


def test_missing_sequences_and_orphans_are_noted() -> None:
    """ROIs without contours, contours without ROI, and no ROI at all are read and noted."""
    without = structure_set([])
    del without.ROIContourSequence
    assert "has no contours" in " | ".join(read_structure_set(without).notes)
    orphan = structure_set([contour(SQUARE)])
    orphan.ROIContourSequence[0].ReferencedROINumber = 9
    assert "ROI number 9 left out" in " | ".join(read_structure_set(orphan).notes)
    empty = item(SOPClassUID=RT_STRUCTURE_SET_STORAGE)
    assert "describes no ROI" in " | ".join(read_structure_set(empty).notes)


def test_one_number_for_two_rois_is_refused() -> None:
    """Contours that could belong to either of two ROIs are refused."""
    twice = structure_set([contour(SQUARE)])
    twice.StructureSetROISequence.append(item(ROINumber=3, ROIName="GTV 2"))
    with pytest.raises(DataRefused, check=has_reason("roi_number_repeated")):
        read_structure_set(twice)


def test_a_repeated_last_vertex_is_dropped() -> None:
    """A contour that ends where it began has each vertex once."""
    (roi,) = read_structure_set(structure_set([contour(SQUARE + SQUARE[:3])])).rois
    assert np.array_equal(roi.contours[0].points_lps_mm, np.reshape(SQUARE, (4, 3)))
