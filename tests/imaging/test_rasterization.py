from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.rasterized import rasterize_roi
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.reference_image import read_reference_image
from cta_data.imaging.rasterization.contours import Contour, ImageIdentity, Roi, StructureSet
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set

DICE_NEEDED = {
    "sphere": 0.98,
    "cube": 0.99,
    "cylinder": 0.97,
    "ellipsoid": 0.97,
    "torus": 0.93,
    "hollow_sphere": 0.92,
    "straw": 0.92,
}


def image_of(size: tuple[int, int, int], spacing: tuple[float, ...] = (1, 1, 1)) -> sitk.Image:
    image = sitk.Image(list(size), sitk.sitkUInt8)
    image.SetSpacing(spacing)
    return image


def circle(centre: tuple[float, float], radius: float, z: float) -> Contour:
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    x, y = centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn)
    return Contour(np.stack([x, y, np.full_like(x, z)], axis=1))


def stack(heights: list[float], radius: float = 5.3) -> Roi:
    return Roi(1, "GTV", contours=tuple(circle((12.2, 11.7), radius, z) for z in heights))


def filled_slices(roi: Roi, image: sitk.Image) -> list[int]:
    mask = sitk.GetArrayFromImage(rasterize_roi(roi, image).mask(image))
    return np.flatnonzero(mask.any(axis=(1, 2))).tolist()


@pytest.mark.parametrize("subject", ["STS_002", "STS_003"])
@pytest.mark.parametrize("modality", ["CT", "MR_T1"])
def test_clinical_structure_sets_give_the_published_masks(
    shared_data: Path, subject: str, modality: str
) -> None:
    """No voxel differs from the published mask, though no contour's SOP UID names a slice."""
    root = shared_data / f"rt_ibsi_val_{subject}"
    folder = root / "dicom" / subject / modality
    image, identity = read_reference_image(folder / "image")
    structure_set = read_structure_set(next((folder / "mask").iterdir()))
    (roi,) = rasterize_structure_set(structure_set, image, identity)
    published = sitk.ReadImage(str(root / "nifti" / subject / f"{modality}_mask.nii.gz"))
    ours = sitk.DICOMOrient(roi.mask(image), "LPS")
    theirs = sitk.DICOMOrient(published, "LPS")
    assert roi.reference.kind == "series"
    assert int(sitk.GetArrayFromImage(theirs).sum()) > 10_000
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))


@pytest.mark.parametrize("name", sorted(DICE_NEEDED))
def test_analytic_shapes_pass_the_conformance_thresholds(shared_data: Path, name: str) -> None:
    """Dice and volume of seven analytic shapes, two of them hollow, pass the set's thresholds."""
    root = shared_data / "rt_rtmask_conformance"
    truth = sitk.ReadImage(str(root / "groundtruth" / f"{name}.nii.gz"))
    structure_set = read_structure_set(root / "rtstruct" / "primitives_planar.dcm")
    (roi,) = rasterize_structure_set(structure_set, truth, None, f"^{name}$")
    expected = sitk.GetArrayViewFromImage(truth) > 0
    ours = sitk.GetArrayFromImage(roi.mask(truth)) > 0
    dice = 2 * (ours & expected).sum() / (ours.sum() + expected.sum())
    limit = 0.05 if name in ("hollow_sphere", "straw") else 0.03
    assert dice >= DICE_NEEDED[name]
    assert abs(ours.sum() / expected.sum() - 1) <= limit


@pytest.mark.parametrize("name", ["invalid_reference_rt", "non_existent_reference_rt"])
def test_a_structure_set_for_other_slices_is_refused(shared_data: Path, name: str) -> None:
    """Contours drawn on slices that the series lacks are refused, not silently left out."""
    folder = shared_data / "rt_rtutils_mock" / "tests" / "mock_data"
    structure_set = read_structure_set(folder / f"{name}.dcm")
    image, identity = read_reference_image(folder)
    with pytest.raises(
        DataRefused, check=has_reason("contoured_slices_missing", n_missing=1, n_drawn_on=3)
    ):
        rasterize_structure_set(structure_set, image, identity)
    unchecked = rasterize_structure_set(structure_set, image, None, check_reference=False)
    assert all(roi.fraction_inside < 1 for roi in unchecked)


def test_a_valid_structure_set_and_the_phantom_fill_what_was_drawn(shared_data: Path) -> None:
    """Where references hold, every ROI is filled with its drawn volume within 3 %."""
    for folder, name in (
        (shared_data / "rt_rtutils_mock" / "tests" / "mock_data", "rt.dcm"),
        (shared_data / "rt_rtutils_sample_phantom", "rt.dcm"),
    ):
        image, identity = read_reference_image(folder)
        for roi in rasterize_structure_set(read_structure_set(folder / name), image, identity):
            assert roi.status == "ok" and roi.reference.kind == "sop_instance"
            assert roi.volume_mm3 == pytest.approx(roi.volume_drawn_mm3, rel=0.03)


def test_an_oblique_series_keeps_its_own_slices(shared_data: Path) -> None:
    """On a real oblique CT, contours along its slices fill exactly the pixels they enclose."""
    image, _ = read_reference_image(shared_data / "rt_rtutils_mock" / "tests" / "oriented_data")
    corners = [(3.5, 9.5), (20.5, 9.5), (20.5, 30.5), (3.5, 30.5)]
    at = image.GetSize().index(3)
    across = [axis for axis in range(3) if axis != at]
    points = []
    for pair in corners:
        index = [1.0, 1.0, 1.0]
        index[across[0]], index[across[1]] = pair
        points.append(image.TransformContinuousIndexToPhysicalPoint(index))
    roi = rasterize_roi(Roi(1, "GTV", contours=(Contour(np.array(points)),)), image)
    assert roi.n_voxels == 17 * 21
    assert roi.start[at] == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["RAS", "SPL", "ARI", "LIP"]))
def test_a_mask_does_not_depend_on_the_order_of_voxels(seed: int, orientation: str) -> None:
    """Permuting and flipping the image's axes gives the same voxels in space."""
    random = np.random.default_rng(seed)
    image = image_of((14, 12, 9), (0.9, 1.1, 1.3))
    points = np.round(random.uniform(0, 10, (7, 2)) * 2) / 2  # many through voxel centres
    roi = Roi(1, "a", contours=(Contour(np.c_[points, np.full(7, 1.3 * 4)]),))
    expected = sitk.GetArrayFromImage(rasterize_roi(roi, image).mask(image))
    turned = sitk.DICOMOrient(image, orientation)
    back = sitk.DICOMOrient(rasterize_roi(roi, turned).mask(turned), "LPS")
    assert np.array_equal(sitk.GetArrayFromImage(back), expected)


def test_planes_coarser_than_slices_fill_every_slice_between() -> None:
    """Contours every 3 mm on 1 mm slices fill all slices, and half a spacing beyond the ends."""
    image = image_of((25, 25, 20))
    roi = stack([4.0, 7.0, 10.0])
    assert filled_slices(roi, image) == list(range(3, 12))
    done = rasterize_roi(roi, image)
    assert done.volume_mm3 == pytest.approx(done.volume_drawn_mm3, rel=0.03)


def test_between_planes_the_shape_is_between_the_shapes() -> None:
    """Shape-based interpolation between circles of radius 3 and 6 gives one of radius 4.5."""
    image = image_of((25, 25, 12))
    roi = Roi(1, "a", contours=(circle((12.3, 11.6), 3, 4.0), circle((12.3, 11.6), 6, 6.0)))
    mask = sitk.GetArrayFromImage(rasterize_roi(roi, image).mask(image))
    assert mask[5].sum() == pytest.approx(np.pi * 4.5**2, rel=0.07)


def test_a_missing_plane_stays_empty_and_is_said() -> None:
    """One slice left out of a contour on every slice is not invented; a note names the gap."""
    image = image_of((25, 25, 20))
    roi = stack([4.0, 5.0, 6.0, 8.0, 9.0])
    assert filled_slices(roi, image) == [4, 5, 6, 8, 9]
    assert "no contours on 1 slices" in rasterize_roi(roi, image).notes[0]


def test_planes_between_slices_go_to_one_slice_each() -> None:
    """Planes half way between slices, and twice as many planes as slices, fill each slice once."""
    image = image_of((25, 25, 20))
    assert filled_slices(stack([4.5, 5.5, 6.5]), image) == [5, 6, 7]
    assert filled_slices(stack([4.5, 5.0, 5.5, 6.0]), image) == [5, 6]


def test_a_contour_stored_twice_does_not_cancel_itself() -> None:
    """A repeated contour is used once, also when it starts elsewhere and runs the other way."""
    image = image_of((25, 25, 20))
    once = circle((12, 12), 5, 4.0)
    again = Contour(np.roll(once.points_lps_mm[::-1], 7, axis=0))
    roi = Roi(1, "a", contours=(once, again))
    expected = rasterize_roi(Roi(1, "a", contours=(once,)), image)
    assert rasterize_roi(roi, image).n_voxels == expected.n_voxels > 60
    assert "stored twice" in rasterize_roi(roi, image).notes[0]


def test_tilted_contours_keep_their_volume() -> None:
    """Contours at 10 degrees to the slices are filled with their volume, and the angle is said."""
    turn = np.radians(10)
    turned = [[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]
    contours = tuple(
        Contour(contour.points_lps_mm @ np.array(turned)) for contour in stack([9, 10, 11]).contours
    )
    done = rasterize_roi(Roi(1, "a", contours=contours), image_of((25,) * 3))
    assert done.volume_drawn_mm3 == pytest.approx(3 * np.pi * 5.3**2, rel=0.002)
    assert done.n_voxels == round(done.volume_drawn_mm3)
    assert "10.00°" in done.notes[0]


def test_what_is_outside_the_image_is_reported() -> None:
    """An ROI beyond the image, one half in it, and one without contours."""
    image = image_of((25, 25, 20))
    outside = Roi(1, "a", contours=(circle((100, 12), 5, 4.0),))
    assert rasterize_roi(outside, image).status == "outside"
    above = rasterize_roi(stack([40.0, 41.0]), image)
    assert above.status == "outside" and not above.mask(image)[12, 11, 19]
    half = rasterize_roi(Roi(1, "a", contours=(circle((-0.5, 12), 5, 4.0),)), image)
    assert half.status == "ok" and half.fraction_inside == pytest.approx(0.5, abs=0.05)
    assert rasterize_roi(Roi(1, "a"), image).status == "no_contours"
    line = Contour(np.array([[0.0, 0, 4], [1, 1, 4], [2, 2, 4]]))
    with pytest.raises(DataRefused, check=has_reason("roi_contours_unreadable")):
        rasterize_roi(Roi(1, "a", contours=(line,)), image)


@pytest.mark.parametrize("area", [0.001, 0.008, 0.2])
def test_a_contour_between_voxel_centres_gets_one_voxel(area: float) -> None:
    """The smallest contour inside the image is the voxel that it lies in, not nothing."""
    radius = float(np.sqrt(area / np.pi))
    tiny = Roi(1, "a", contours=(circle((12.3, 11.6), radius, 4.0),))
    done = rasterize_roi(tiny, image_of((25, 25, 20)))
    assert (done.status, done.n_voxels, done.start) == ("ok", 1, (12, 12, 4))
    assert done.volume_drawn_mm3 == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize("finer", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("first", [0.0, 0.7, 1.5])
def test_contours_3_mm_apart_keep_a_small_sphere(finer: float, first: float) -> None:
    """On finer slices a sphere of 2.5 mm keeps what was drawn of it, one plane or two."""
    image = image_of((40, 40, int(30 / finer)), (0.5, 0.5, finer))
    heights = [z for z in np.arange(first, 30, 3.0) if abs(z - 13.5) < 2.5]
    contours = tuple(
        circle((10.2, 9.8), float(np.sqrt(2.5**2 - (z - 13.5) ** 2)), float(z)) for z in heights
    )
    larger = tuple(circle((10, 10), 4.0, float(z)) for z in np.arange(first, 30, 3.0))
    set_of_two = StructureSet((Roi(1, "met", contours=contours), Roi(2, "brain", contours=larger)))
    done, _ = rasterize_structure_set(set_of_two, image, None, check_reference=False)
    drawn = 3.0 * sum(np.pi * (2.5**2 - (z - 13.5) ** 2) for z in heights)
    assert done.volume_drawn_mm3 == pytest.approx(drawn, rel=0.01)
    assert done.volume_mm3 == pytest.approx(drawn, abs=0.25 * finer)
    assert any("filled between" in note for note in done.notes) or len(heights) == 1


def test_references_are_checked_in_their_order() -> None:
    """Series, then frame of reference connect; neither is refused, and no message holds a UID."""
    roi = Roi(1, "a", None, "1.2.77", (circle((12, 12), 5, 4.0),))
    image = image_of((25, 25, 20))
    known = StructureSet(
        (roi,), frame_of_reference_uids=("1.2.77",), referenced_series_uids=("1.5",)
    )
    same_series = ImageIdentity("1.5", "1.2.99", frozenset({"1.1"}))
    same_frame = ImageIdentity("1.6", "1.2.77", frozenset({"1.1"}))
    stranger = ImageIdentity("1.6", "1.2.99", frozenset({"1.1"}))
    (first,) = rasterize_structure_set(known, image, same_series)
    (second,) = rasterize_structure_set(known, image, same_frame)
    assert (first.reference.kind, second.reference.kind) == ("series", "frame_of_reference")
    with pytest.raises(DataRefused, check=has_reason("structure_set_of_another_image")) as refused:
        rasterize_structure_set(known, image, stranger)
    assert not any(uid in str(refused.value) for uid in ("1.2.77", "1.2.99", "1.5", "1.6"))


def test_without_uids_planes_must_lie_on_slices() -> None:
    """On an image without UIDs, planes off the slices are refused unless told not to look."""
    image = image_of((25, 25, 20))
    off = StructureSet((stack([4.3, 5.3, 6.3]),))
    with pytest.raises(DataRefused, check=has_reason("contour_planes_off_slices")):
        rasterize_structure_set(off, image, None)
    assert rasterize_structure_set(off, image, None, check_reference=False)[0].status == "ok"
    assert rasterize_structure_set(StructureSet((stack([4.0]),)), image, None)[0].status == "ok"


def test_a_pattern_that_matches_nothing_lists_the_rois() -> None:
    """A pattern without a match is refused with the names that there are."""
    with pytest.raises(DataRefused, check=has_reason("roi_not_matched", names="'GTV'")):
        rasterize_structure_set(StructureSet((stack([4.0]),)), image_of((9, 9, 9)), None, "PTV")
    with pytest.raises(ConfigurationError, check=has_reason("pattern_invalid")):
        rasterize_structure_set(StructureSet((stack([4.0]),)), image_of((9, 9, 9)), None, "(")
