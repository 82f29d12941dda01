"""DICOM SEG: segments at their places, sparse frames, overlaps, fractions, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.segmentation_objects import make_segmentation, make_series
from pydicom.dataset import Dataset

from cta_data.errors import DataRefused
from cta_data.formats.dicom.segmentation import read_segmentation
from cta_data.formats.dicom.series import convert_series


def on_series(mask: sitk.Image, series: list[Dataset]) -> np.ndarray:
    """A mask on the grid of the series' slices in the order given (slice, row, column)."""
    image = convert_series(series).image
    placed = sitk.Resample(
        mask, image, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor
    )
    oriented = sitk.DICOMOrient(placed, "LPS")
    return sitk.GetArrayFromImage(oriented)


@pytest.fixture(scope="module")
def series() -> list[Dataset]:
    return make_series(slices=8, rows=20, columns=16)


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """Two segments that overlap, with slices 0, 1 and 5 to 7 empty."""
    masks = np.zeros((8, 20, 16, 2), np.uint8)
    masks[2:5, 3:9, 4:8, 0] = 1
    masks[4, 7:12, 6:11, 1] = 1
    return masks


def test_segments_lie_where_they_were_drawn(series: list[Dataset], drawn: np.ndarray) -> None:
    """Each segment, empty frames left out of the file and overlaps kept, voxel by voxel."""
    segmentation = read_segmentation(make_segmentation(series, drawn, ["Met 1", "Met 2"]))
    assert [(s.number, s.label) for s in segmentation.segments] == [(1, "Met 1"), (2, "Met 2")]
    for number in (1, 2):
        found = on_series(segmentation.mask(number), series)
        assert np.array_equal(found, drawn[..., number - 1])


def test_it_says_what_was_segmented(series: list[Dataset], drawn: np.ndarray) -> None:
    """Series, instances and frame of reference lead to the image."""
    segmentation = read_segmentation(make_segmentation(series, drawn, ["a", "b"]))
    assert segmentation.referenced_series_uid == series[0].SeriesInstanceUID
    assert segmentation.frame_of_reference_uid == series[0].FrameOfReferenceUID
    assert segmentation.referenced_sop_uids <= {d.SOPInstanceUID for d in series}
    assert segmentation.referenced_sop_uids
    assert segmentation.segments[0].type == "Neoplasm"


def test_a_label_map_gives_its_segments_and_not_its_background(
    series: list[Dataset], drawn: np.ndarray
) -> None:
    """Values of a label map are segments like any other; the background is none of them."""
    apart = drawn.copy()
    apart[..., 1] &= 1 - apart[..., 0]
    made = make_segmentation(
        series, apart, ["Met 1", "Met 2"], kind=hd.seg.SegmentationTypeValues.LABELMAP
    )
    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    segmentation = read_segmentation(made)
    assert [(s.number, s.label) for s in segmentation.segments] == [(1, "Met 1"), (2, "Met 2")]
    for number in (1, 2):
        found = on_series(segmentation.mask(number), series)
        assert np.array_equal(found, apart[..., number - 1])


@pytest.mark.parametrize(
    "kind", [hd.seg.SegmentationTypeValues.BINARY, hd.seg.SegmentationTypeValues.LABELMAP]
)
def test_voxels_of_a_segment_that_is_not_described_are_refused(
    series: list[Dataset], drawn: np.ndarray, kind: hd.seg.SegmentationTypeValues
) -> None:
    """What a segmentation holds and does not name may be a lesion: it is not left out."""
    apart = drawn.copy()
    apart[..., 1] &= 1 - apart[..., 0]
    made = make_segmentation(series, apart, ["a", "b"], kind=kind)
    made.SegmentSequence = [item for item in made.SegmentSequence if item.SegmentNumber != 2]
    with pytest.raises(DataRefused, check=has_reason("segment_undescribed")) as refused:
        read_segmentation(made)
    assert refused.value.why == "segment 2"


@pytest.mark.parametrize("threshold", [0.25, 0.5])
def test_fractions_count_from_the_threshold(
    series: list[Dataset], drawn: np.ndarray, threshold: float
) -> None:
    """A fractional segment is a mask of the voxels at or above it; without one it is refused."""
    fractions = drawn[..., :1].astype(np.float32)
    fractions[3, 3, 4, 0] = 0.49
    made = make_segmentation(
        series, fractions, ["a"], kind=hd.seg.SegmentationTypeValues.FRACTIONAL
    )
    segmentation = read_segmentation(made)
    found = on_series(segmentation.mask(1, threshold), series)
    assert np.array_equal(found, (fractions[..., 0] >= threshold).astype(np.uint8))
    with pytest.raises(DataRefused, check=has_reason("segmentation_fractional")):
        segmentation.mask(1)


def test_what_is_none_is_refused(series: list[Dataset], drawn: np.ndarray) -> None:
    """An image is no segmentation, and a segment that is not there is not made up."""
    with pytest.raises(DataRefused, check=has_reason("not_a_segmentation")):
        read_segmentation(series[0])
    with pytest.raises(DataRefused, check=has_reason("segment_not_found", number=3)):
        read_segmentation(make_segmentation(series, drawn, ["a", "b"])).mask(3)


def test_a_segmentation_without_its_segments_is_refused(
    series: list[Dataset], drawn: np.ndarray
) -> None:
    """A damaged object gives one clear error."""
    made = make_segmentation(series, drawn, ["a", "b"])
    del made.SegmentSequence
    with pytest.raises(DataRefused, check=has_reason("segmentation_unreadable")):
        read_segmentation(made)


def measures(made: Dataset) -> Dataset:
    return made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


@pytest.mark.parametrize("spacing_told", [True, False])
@pytest.mark.parametrize("filled", [(1, 4, 7), (2,), (0, 1, 6)])
def test_slices_left_out_are_empty(
    series: list[Dataset], filled: tuple[int, ...], spacing_told: bool
) -> None:
    """Frames of every third slice are thin slices, also where only their thickness is told."""
    masks = np.zeros((8, 20, 16, 1), np.uint8)
    masks[list(filled), 3:9, 4:8] = 1
    made = make_segmentation(series, masks, ["a"])
    if not spacing_told:
        del measures(made).SpacingBetweenSlices
    mask = read_segmentation(made).mask(1)
    assert mask.GetSpacing() == pytest.approx((1.25, 1.5, 2.0))
    assert np.linalg.det(np.reshape(mask.GetDirection(), (3, 3))) == pytest.approx(1)
    assert np.array_equal(on_series(mask, series), masks[..., 0])


def moved(made: Dataset) -> None:
    place = made.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    x, y, z = place.ImagePositionPatient
    place.ImagePositionPatient = [x, y, z + 0.7]


def slanted(made: Dataset) -> None:
    for number, group in enumerate(made.PerFrameFunctionalGroupsSequence):
        place = group.PlanePositionSequence[0]
        x, y, z = place.ImagePositionPatient
        place.ImagePositionPatient = [x + number, y, z]


def tilted(made: Dataset) -> None:
    shared = made.SharedFunctionalGroupsSequence[0]
    del shared.PlaneOrientationSequence
    for number, group in enumerate(made.PerFrameFunctionalGroupsSequence):
        turned = Dataset()
        sine = round(float(np.sin(0.05 * number)), 6)
        turned.ImageOrientationPatient = [1, 0, 0, 0, round(float(np.cos(0.05 * number)), 6), sine]
        group.PlaneOrientationSequence = [turned]


def cut(made: Dataset) -> None:
    made.PixelData = made.PixelData[:20]


def without_positions(made: Dataset) -> None:
    del made.PerFrameFunctionalGroupsSequence


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (moved, "3 frames, 1.3 to 2.7 mm apart"),
        (slanted, "shifted by up to 2 mm in their planes"),
        (tilted, "tilted by up to 5.73 degrees"),
        (cut, ""),
        (without_positions, "no positions"),
    ],
)
def test_frames_that_make_no_volume_are_refused_with_what_was_measured(
    series: list[Dataset], damage: Callable[[Dataset], None], told: str
) -> None:
    """Irregular or tilted frames are never put on a grid that is not theirs."""
    masks = np.zeros((8, 20, 16, 1), np.uint8)
    masks[2:5, 3:9, 4:8] = 1
    made = make_segmentation(series, masks, ["a"])
    damage(made)
    code = "segmentation_frames_irregular" if told else "segmentation_pixels_unreadable"
    with pytest.raises(DataRefused, check=has_reason(code)) as caught:
        read_segmentation(made).mask(1)
    assert told in caught.value.why


def test_one_that_is_not_placed_or_not_indexed_is_refused(
    series: list[Dataset], drawn: np.ndarray
) -> None:
    """Without a frame of reference there is no place; a missing index is no crash."""
    made = make_segmentation(series, drawn, ["a", "b"])
    del made.DimensionIndexSequence
    with pytest.raises(DataRefused, check=has_reason("segmentation_pixels_unreadable")):
        read_segmentation(made).mask(1)
    del made.FrameOfReferenceUID
    with pytest.raises(DataRefused, check=has_reason("segmentation_frame_of_reference_missing")):
        read_segmentation(made)


def test_frames_name_what_was_segmented_where_no_list_does(
    series: list[Dataset], drawn: np.ndarray
) -> None:
    """The instances that frames were derived from lead to the image as well."""
    made = make_segmentation(series, drawn, ["a", "b"])
    del made.ReferencedSeriesSequence
    found = read_segmentation(made).referenced_sop_uids
    assert found == {series[number].SOPInstanceUID for number in (2, 3, 4)}
