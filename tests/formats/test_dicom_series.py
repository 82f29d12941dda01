"""Synthetic series: what is a volume, what is refused, what is repaired."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from cta_data.errors import DataRefused
from cta_data.formats.dicom.frames import read_frames
from cta_data.formats.dicom.geometry import SeriesRepairs, measure_frames
from cta_data.formats.dicom.header import header_of
from cta_data.formats.dicom.series import convert_series, series_grid
from cta_data.imaging.geometry.grid import ras_affine

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def slice_dataset(
    pixels: NDArray[np.generic],
    position: tuple[float, float, float],
    number: int,
    orientation: tuple[float, ...] = AXIAL,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> Dataset:
    """One classic MR slice with the given stored pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.Modality = "MR"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.InstanceNumber = number
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelSpacing = list(spacing)
    dataset.SliceThickness = 9.0  # deliberately not the spacing
    dataset.ImagePositionPatient = [round(value, 6) for value in position]
    dataset.ImageOrientationPatient = list(orientation)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    return dataset


def stack(positions: list[tuple[float, float, float]], seed: int = 0) -> list[Dataset]:
    """Axial slices with random pixels at the given positions."""
    random_numbers = np.random.default_rng(seed)
    return [
        slice_dataset(random_numbers.integers(0, 900, (6, 7)).astype(np.uint16), where, number + 1)
        for number, where in enumerate(positions)
    ]


def regular(count: int = 5, step: float = 2.0) -> list[Dataset]:
    return stack([(0.0, 0.0, step * number) for number in range(count)])


@settings(max_examples=40, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 3)] * 3),
    seed=st.integers(0, 1000),
)
def test_every_pixel_stays_where_it_was(
    angles: tuple[float, ...], spacing: tuple[float, ...], seed: int
) -> None:
    """Whatever the orientation and file order, each pixel's value is found at its LPS position.

    The grid of the headers alone is that of the image.
    """
    turn = sitk.Euler3DTransform((0, 0, 0), *np.radians(angles))
    matrix = np.array(turn.GetMatrix()).reshape(3, 3)
    row, column, normal = matrix.T
    numbers = np.random.default_rng(seed)
    pixels = numbers.integers(0, 30000, (4, 5, 6)).astype(np.uint16)
    origin = numbers.uniform(-100, 100, 3)
    datasets = [
        slice_dataset(
            pixels[k],
            tuple(origin + k * spacing[2] * normal),
            k + 1,
            orientation=tuple(np.round([*row, *column], 9)),
            spacing=(spacing[0], spacing[1]),
        )
        for k in range(4)
    ]
    random.Random(seed).shuffle(datasets)
    image = convert_series(datasets).image
    for k, r, c in [(0, 0, 0), (3, 4, 5), (1, 2, 3), (2, 0, 5)]:
        point = origin + k * spacing[2] * normal + r * spacing[0] * column + c * spacing[1] * row
        continuous = np.array(image.TransformPhysicalPointToContinuousIndex(point.tolist()))
        index = np.rint(continuous).astype(int)
        assert np.abs(continuous - index).max() < 1e-3
        assert image[index.tolist()] == pixels[k, r, c]
    for dataset in datasets:
        del dataset.PixelData
    grid = series_grid(datasets)
    assert grid.size == image.GetSize()
    assert np.array_equal(ras_affine(grid), ras_affine(image))


def test_voxels_are_stored_in_closest_canonical_ras_order() -> None:
    """The first index grows towards Right, the second Anterior, the third Superior."""
    matrix = ras_affine(convert_series(regular()).image)[:3, :3]
    assert np.argmax(np.abs(matrix), axis=0).tolist() == [0, 1, 2]
    assert (np.diag(matrix) > 0).all()


def test_slice_spacing_is_the_measured_step_and_not_the_thickness() -> None:
    """SliceThickness 9 mm has no say where slices lie 2 mm apart."""
    converted = convert_series(regular(step=2.0))
    assert converted.image.GetSpacing()[2] == pytest.approx(2.0)
    assert converted.deviations == ()


def test_integer_rescale_keeps_integers_and_fractions_give_float32() -> None:
    """CT numbers (intercept -1024) are int16; a fractional slope gives float32 values."""
    datasets = regular()
    plain = sitk.GetArrayFromImage(convert_series(datasets).image)
    for dataset in datasets:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    shifted = convert_series(datasets).image
    assert shifted.GetPixelID() == sitk.sitkInt16
    assert (sitk.GetArrayFromImage(shifted) == plain.astype(int) - 1024).all()
    for dataset in datasets:
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.25, 3
    scaled = convert_series(datasets).image
    assert scaled.GetPixelID() == sitk.sitkFloat32
    assert np.allclose(sitk.GetArrayFromImage(scaled), plain * 0.25 + 3)


def test_large_unsigned_values_stay_exact() -> None:
    """Values above int16 are kept as uint16, not wrapped."""
    datasets = regular()
    pixels = np.full((6, 7), 60000, np.uint16)
    datasets[2].PixelData = pixels.tobytes()
    image = convert_series(datasets).image
    assert image.GetPixelID() == sitk.sitkUInt16
    assert sitk.GetArrayViewFromImage(image).max() == 60000


def test_the_input_is_not_changed() -> None:
    """Datasets go in and come out the same."""
    datasets = regular()
    before = [dataset.to_json() for dataset in datasets]
    convert_series(datasets)
    assert [dataset.to_json() for dataset in datasets] == before


def refused(datasets: list[Dataset], repairs: SeriesRepairs | None = None) -> str:
    """The message, which advises no setting of a card: `rasterize` reads series without one."""
    with pytest.raises(DataRefused) as caught:
        convert_series(datasets, repairs)
    assert "card" not in str(caught.value) and "repairs." not in str(caught.value)
    return str(caught.value)


def test_a_missing_slice_is_refused_and_located() -> None:
    """One slice of six left out: the message counts it and says after which."""
    datasets = regular(6)
    del datasets[3]
    message = refused(datasets)
    assert "slice steps from 2.0 to 4.0 mm, 1 of 6 missing, after slice 3" in message


def test_uneven_steps_are_refused_with_their_range() -> None:
    """Steps of 1 and 7 mm that are no multiples of one step."""
    message = refused(stack([(0, 0, z) for z in (0, 3, 6.5, 13.5, 14.5, 17.5)]))
    assert "slice steps from 1.0 to 7.0 mm" in message


def test_gantry_tilt_is_refused_with_its_angle() -> None:
    """Slices stacked 15° off their normal."""
    shift = np.tan(np.radians(15)) * 2
    message = refused(stack([(0, shift * k, 2.0 * k) for k in range(5)]))
    assert "15.0° off their normal" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[:2], "2 slices; at least 3"),
        (lambda d: [*d, *d], "several volumes"),
        (lambda d: [*d, d[0]], "have the same position"),
        (lambda d: [d[0]] * 4, "have one position"),
        (lambda d: [], "empty"),
    ],
)
def test_what_is_no_single_volume_is_refused(change: object, words: str) -> None:
    """Too few slices, several volumes, repeated slices, one position, nothing."""
    assert words in refused(change(regular()))  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"], "localizers"),
        ("ImageType", ["DERIVED", "PRIMARY", "MOSAIC"], "mosaic"),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, 1], "differ in orientation"),
        ("PixelSpacing", [1.0, 1.2], "pixel spacing"),
        ("ImagePositionPatient", None, "ImagePositionPatient is missing"),
        ("ImagePositionPatient", ["nan", 0, 4], "not a number"),
        ("SamplesPerPixel", 3, "colour"),
        ("PhotometricInterpretation", "PALETTE COLOR", "only grey"),
        ("NumberOfFrames", 12, "multi-frame"),
        ("PixelData", b"\0\0", "cannot be decoded"),
    ],
)
def test_one_wrong_slice_refuses_the_series(keyword: str, value: object, words: str) -> None:
    """Each header that cannot belong to a grey volume is refused by its own words."""
    datasets = regular()
    setattr(datasets[1], keyword, value)
    assert words in refused(datasets)


def test_datasets_without_transfer_syntax_are_refused() -> None:
    """Pixels whose encoding nobody states are not guessed."""
    datasets = regular()
    del datasets[1].file_meta
    assert "cannot be decoded" in refused(datasets)


def test_whole_slopes_do_not_overflow() -> None:
    """A slope of 100000 takes the values beyond int16; they stay exact as int32."""
    datasets = regular()
    plain = sitk.GetArrayFromImage(convert_series(datasets).image).astype(np.int64)
    for dataset in datasets:
        dataset.RescaleSlope, dataset.RescaleIntercept = 100000, 0
    image = convert_series(datasets).image
    assert image.GetPixelID() == sitk.sitkInt32
    assert (sitk.GetArrayFromImage(image) == plain * 100000).all()


def test_slices_without_pixels_are_refused() -> None:
    """A header alone is no slice."""
    datasets = regular()
    del datasets[1].PixelData
    assert "no pixel data" in refused(datasets)


def test_small_deviation_becomes_a_record() -> None:
    """A slice 0.05 mm off is tolerated, and that is said."""
    converted = convert_series(stack([(0, 0, z) for z in (0, 2, 4.05, 6, 8)]))
    assert [(d.kind, d.action) for d in converted.deviations] == [("uneven_steps", "tolerated")]
    assert converted.repairs == ()


def test_tilt_in_the_header_alone_becomes_a_record() -> None:
    """GantryDetectorTilt 18° with upright positions is recorded; positions decide."""
    datasets = regular()
    for dataset in datasets:
        dataset.GantryDetectorTilt = 18
    kinds = [deviation.kind for deviation in convert_series(datasets).deviations]
    assert kinds == ["gantry_tilt_in_header_only"]


def ramp_series(positions: list[tuple[float, float, float]]) -> list[Dataset]:
    """Slices that show 10 x + 20 y + 30 z + 1000 of their LPS position."""
    rows, columns = np.mgrid[0:16, 0:16]
    return [
        slice_dataset(
            np.rint(10 * (x + columns) + 20 * (y + rows) + 30 * z + 1000).astype(np.uint16),
            (x, y, z),
            number + 1,
        )
        for number, (x, y, z) in enumerate(positions)
    ]


@pytest.mark.parametrize(
    ("positions", "repairs", "kind"),
    [
        (
            [(0, 0.4 * k, 1.5 * k) for k in range(8)],
            SeriesRepairs(resample_gantry_tilt=True),
            "gantry_tilt",
        ),
        (
            [(0, 0, z) for z in (0, 1, 2, 3, 5, 6, 7)],
            SeriesRepairs(resample_uneven_steps=True),
            "missing_slices",
        ),
        (
            [(0, 0, z) for z in (0, 1, 2.5, 4, 7, 8, 9)],
            SeriesRepairs(resample_uneven_steps=True),
            "uneven_steps",
        ),
    ],
)
def test_a_repaired_volume_shows_the_same_world(
    positions: list[tuple[float, float, float]], repairs: SeriesRepairs, kind: str
) -> None:
    """Linear resampling leaves a linear ramp as it is (but for rounding) where slices cover it."""
    datasets = ramp_series(positions)
    converted = convert_series(datasets, repairs)
    assert [deviation.kind for deviation in converted.repairs] == [kind]
    image = converted.image
    checked = 0
    for x, y, z in [(3, 8, 2), (8, 9, 5), (12, 10, 6), (5, 7, 4), (9, 6, 3.5)]:
        value = image.EvaluateAtContinuousIndex(
            image.TransformPhysicalPointToContinuousIndex((float(x), float(y), float(z)))
        )
        assert value == pytest.approx(10 * x + 20 * y + 30 * z + 1000, abs=1.1)
        checked += 1
    assert checked == 5
    axes = ras_affine(image)[:3, :3]
    axes = axes / np.linalg.norm(axes, axis=0)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-9)


def test_tilt_and_uneven_steps_are_repaired_together() -> None:
    """Both repairs at once are both recorded, and the ramp stays."""
    datasets = ramp_series([(0, 0.3 * z, z) for z in (0, 1, 2, 4, 5, 6)])
    both = SeriesRepairs(resample_gantry_tilt=True, resample_uneven_steps=True)
    converted = convert_series(datasets, both)
    assert {d.kind for d in converted.repairs} == {"gantry_tilt", "missing_slices"}
    point = converted.image.TransformPhysicalPointToContinuousIndex((7.0, 8.0, 3.0))
    assert converted.image.EvaluateAtContinuousIndex(point) == pytest.approx(1320, abs=1.1)


def test_a_repair_allows_nothing_else() -> None:
    """Allowing tilt does not allow a missing slice, nor a gap wider than the limit."""
    datasets = regular(6)
    del datasets[3]
    assert "missing" in refused(datasets, SeriesRepairs(resample_gantry_tilt=True))
    narrow = SeriesRepairs(resample_uneven_steps=True, maximum_gap_mm=3)
    assert "too wide" in refused(datasets, narrow)


def test_identical_slices_are_dropped_only_where_allowed_and_identical() -> None:
    """The repeated slice goes, and is recorded; one with other pixels is still refused."""
    datasets = regular()
    allowed = SeriesRepairs(drop_identical_slices=True)
    converted = convert_series([*datasets, datasets[2]], allowed)
    assert [d.kind for d in converted.repairs] == ["identical_slices"]
    assert converted.image.GetSize()[2] == 5
    other = copy.deepcopy(datasets[2])
    other.PixelData = bytes(len(datasets[2].PixelData))
    assert "have the same position" in refused([*datasets, other], allowed)


def enhanced(order: list[int]) -> tuple[Dataset, NDArray[np.uint16]]:
    """An enhanced multi-frame object with its frames in the given order, and its pixels by z."""
    pixels = np.random.default_rng(1).integers(0, 900, (4, 6, 7)).astype(np.uint16)
    dataset = slice_dataset(pixels[0], (0, 0, 0), 1)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = 4
    dataset.PixelData = pixels[order].tobytes()
    shared, measures, plane, timing = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.0, 1.0], 5.0
    plane.ImageOrientationPatient = list(AXIAL)
    timing.RepetitionTime, timing.FlipAngle = 2000.0, 9.0
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [plane]
    shared.MRTimingAndRelatedParametersSequence = [timing]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for z in order:
        frame, position, echo, value = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 2.0 * z]
        echo.EffectiveEchoTime = 2.44
        value.RescaleSlope, value.RescaleIntercept = z + 1, 0
        frame.PlanePositionSequence = [position]
        frame.MREchoSequence = [echo]
        frame.PixelValueTransformationSequence = [value]
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    return dataset, pixels


def test_frames_are_placed_by_position_and_scaled_each_by_its_own() -> None:
    """Frames in any order give one volume; each frame's own slope is applied."""
    straight, pixels = enhanced([0, 1, 2, 3])
    shuffled, _ = enhanced([2, 0, 3, 1])
    one = sitk.GetArrayFromImage(convert_series([straight]).image)
    other = sitk.GetArrayFromImage(convert_series([shuffled]).image)
    assert (one == other).all()
    expected = pixels * np.arange(1, 5)[:, None, None]
    assert (one == expected[:, ::-1, ::-1]).all()  # LPS to RAS flips both axes of the plane


def test_frames_and_descriptions_must_agree_in_number() -> None:
    """An object that lost a frame's description is refused."""
    dataset, _ = enhanced([0, 1, 2, 3])
    dataset.NumberOfFrames = 5
    assert "5 frames, 4 descriptions" in refused([dataset])


def test_header_lifts_functional_groups_and_leaves_private_and_binary_out() -> None:
    """Rules find RepetitionTime and EchoTime of an enhanced object under the classic keyword."""
    dataset, _ = enhanced([0, 1, 2, 3])
    dataset.add_new(0x00291010, "LO", "private text")
    header = header_of(dataset)
    assert header["RepetitionTime"] == "2000.0"
    assert header["EchoTime"] == "2.44"
    assert header["PixelSpacing"] == "1\\1" or header["PixelSpacing"] == "1.0\\1.0"
    assert header["ImageType"] == "ORIGINAL\\PRIMARY\\M"
    assert "PixelData" not in header
    assert "private text" not in str(header)


def test_measures_do_not_depend_on_the_order_of_files() -> None:
    """Shuffled slices measure the same."""
    datasets = stack([(0, 0.1 * k, 2.0 * k) for k in range(6)])
    forward, backward = (measure_frames(read_frames(each)) for each in (datasets, datasets[::-1]))
    assert np.allclose(forward.positions, backward.positions)
    assert forward.step == backward.step == pytest.approx(2.0)
    assert forward.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.05)))
