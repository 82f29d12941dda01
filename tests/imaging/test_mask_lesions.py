"""Lesions out of masks: meanings of values, instances, overlaps, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.label_transfer import as_drawn
from cta_data.imaging.lesions.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_transfer import lesions_from_labels

YNHH = MaskMeaning((1, 3), {2: "oedema"})
ONE = MaskMeaning((1,))


def image(voxels: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(voxels)
    made.SetSpacing((0.9, 1.0, 1.5))
    made.SetOrigin((3.0, -7.0, 11.0))
    return made


def grid_of(voxels: np.ndarray, orientation: str = "RAS") -> sitk.Image:
    """The grid of voxels (z, y, x) whose axes x, y, z lead to `orientation`."""
    made = image(np.zeros(voxels.shape, np.uint8))
    made.SetDirection(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(orientation))
    return made


def labels_of(result: object) -> np.ndarray:
    return result.labels  # type: ignore[attr-defined]


def test_core_and_rim_are_one_lesion_and_oedema_is_none() -> None:
    """Values 1 and 3 that touch are one metastasis; 2 is told as what it is and never counted."""
    voxels = np.zeros((6, 6, 6), np.int16)
    voxels[1:4, 1:4, 1:4] = 3
    voxels[2, 2, 2] = 1
    voxels[4, 1:4, 1:4] = 2
    made = lesions_of_masks([("", voxels)], YNHH, grid_of(voxels))
    assert [lesion.n_voxels for lesion in made.lesions] == [27]
    assert np.array_equal(labels_of(made) > 0, np.isin(voxels, [1, 3]))
    told = {
        region.name: (region.n_voxels, region.lesion, str(region.reason or ""))
        for region in made.regions
    }
    assert told == {
        "label 1": (1, True, ""),
        "label 2": (9, False, "oedema, not a lesion"),
        "label 3": (26, True, ""),
    }


def test_oedema_alone_gives_no_lesion() -> None:
    """A case of value 2 alone has regions and no lesion."""
    voxels = np.full((3, 3, 3), 2, np.uint8)
    made = lesions_of_masks([("", voxels)], YNHH, grid_of(voxels))
    assert made.lesions == () and not labels_of(made).any()


def test_an_unknown_label_is_refused_with_its_size() -> None:
    """The message names the value, its voxels and what is known, and says what to do."""
    voxels = np.zeros((4, 4, 4), np.uint8)
    voxels[0, 0, :3] = 4
    with pytest.raises(DataRefused, check=has_reason("mask_label_unknown")) as refused:
        lesions_of_masks([("seg", voxels)], YNHH, grid_of(voxels))
    told = str(refused.value)
    assert "4 (3 voxels)" in told and "lesion is 1, 3, 2 is oedema" in told
    assert "masks.other_values" in told


def test_grey_values_are_refused_unless_a_threshold_is_given() -> None:
    """Grey masks are no labels; with a threshold what is above it is lesion."""
    voxels = np.zeros((4, 4, 4), np.uint8)
    voxels[1, 1] = [0, 60, 130, 255]
    voxels[2, 2] = [10, 20, 30, 40]
    with pytest.raises(DataRefused, check=has_reason("mask_holds_grey_values")):
        lesions_of_masks([("seg", voxels)], MaskMeaning((1, 255)), grid_of(voxels))
    meaning = MaskMeaning((1, 255), threshold=127)
    made = lesions_of_masks([("seg", voxels)], meaning, grid_of(voxels))
    assert np.array_equal(labels_of(made) > 0, voxels > 127)


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_fractions_are_refused(bad: float) -> None:
    """A probability map is no mask."""
    voxels = np.zeros((3, 3, 3), np.float32)
    voxels[1, 1, 1] = bad
    with pytest.raises(
        DataRefused,
        check=has_reason(
            "mask_values_fractional" if np.isfinite(bad) else "mask_voxels_not_finite"
        ),
    ):
        lesions_of_masks([("seg", voxels)], ONE, grid_of(voxels))


def test_whole_numbers_in_floating_point_are_labels() -> None:
    """Many tools write labels as float; the values decide, not the type."""
    voxels = np.zeros((3, 3, 3), np.float64)
    voxels[1, 1, 1] = 3.0
    assert len(lesions_of_masks([("", voxels)], YNHH, grid_of(voxels)).lesions) == 1


def test_a_file_a_lesion_keeps_parts_together_and_the_smaller_gets_what_both_claim() -> None:
    """One id a file whatever its parts; a small lesion inside a large one does not vanish."""
    large, small = np.zeros((2, 8, 8, 8), np.uint8)
    large[0:5, 0:5, 0:5] = 1
    large[7, 7, 7] = 1
    small[2, 2, 2] = 1
    named = [("large", large), ("small", small), ("empty", small * 0)]
    made = lesions_of_masks(named, MaskMeaning((1,), instances="files"), grid_of(large))
    assert [(one.name, one.n_voxels, one.flags) for one in made.lesions] == [
        ("large", 125, ("several_components", "overlaps_another")),
        ("small", 1, ()),
    ]
    assert labels_of(made)[2, 2, 2] == 2
    assert "1 of its 126 voxels belong to another lesion" in made.notes[0]
    codes = [region.reason and region.reason.code for region in made.regions]
    assert codes == [None, None, "mask_region_empty"]


def test_values_are_lesions_where_the_card_says_so() -> None:
    """Instance labels keep two lesions that touch apart."""
    voxels = np.zeros((3, 3, 4), np.uint8)
    voxels[1, 1] = [1, 1, 2, 2]
    meaning = MaskMeaning((1, 2), instances="values")
    made = lesions_of_masks([("", voxels)], meaning, grid_of(voxels))
    assert np.array_equal(labels_of(made), voxels)


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, (5, 6, 7), elements=st.sampled_from([0, 0, 0, 1])))
def test_components_are_those_of_an_independent_labelling(voxels: np.ndarray) -> None:
    """26-connected components, none lost or joined, numbered in the order of their first voxel."""
    made = lesions_of_masks([("", voxels)], ONE, grid_of(voxels))
    expected, count = ndimage.label(voxels, np.ones((3, 3, 3)))
    assert len(made.lesions) == count
    assert np.array_equal(labels_of(made), expected)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, (5, 6, 7), elements=st.sampled_from([0, 0, 0, 1])),
    st.permutations(("LR", "PA", "IS")),
    st.tuples(*[st.integers(0, 1)] * 3),
)
def test_the_order_of_voxels_decides_nothing(
    voxels: np.ndarray, axes: list[str], ends: tuple[int, ...]
) -> None:
    """A mask stored in any of 48 orientations: every lesion keeps its number."""
    stored_as = "".join(axis[end] for axis, end in zip(axes, ends, strict=True))
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(stored_as))
    stored = np.asarray(apply_orientation(voxels.T, turn)).T
    made = lesions_of_masks([("", stored)], ONE, grid_of(stored, stored_as))
    back = ornt_transform(axcodes2ornt(stored_as), axcodes2ornt("RAS"))
    labels = np.asarray(apply_orientation(labels_of(made).T, back)).T
    expected = lesions_of_masks([("", voxels)], ONE, grid_of(voxels))
    assert np.array_equal(labels, labels_of(expected))
    assert made.lesions == expected.lesions


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (4, 5, 6), elements=st.sampled_from([0, 0, 1, 2])))
def test_on_its_own_grid_a_mask_is_itself(voxels: np.ndarray) -> None:
    """The variant on the grid of drawing has the mask's voxels, and the volume that they have."""
    meaning = MaskMeaning((1,), {2: "other"})
    made = lesions_of_masks([("", voxels)], meaning, grid_of(voxels))
    names = {one.id: (one.region, one.name, one.component) for one in made.lesions}
    labels = image(made.labels)
    drawn = lesions_from_labels(labels, names)
    variant = as_drawn(drawn, labels, {})
    assert np.array_equal(sitk.GetArrayFromImage(variant.labels) > 0, voxels == 1)
    assert sum(row.n_voxels for row in variant.per_lesion) == int((voxels == 1).sum())
    for row in variant.per_lesion:
        assert row.volume_mm3 == pytest.approx(row.n_voxels * 0.9 * 1.0 * 1.5)


def test_a_threshold_decides_about_fractions() -> None:
    """A map of probabilities is a mask where the card says above what; a gap in it is refused."""
    voxels = np.array([[[0.0, 0.4, 0.5, 0.6, 1.0]]], np.float32)
    half = MaskMeaning((7,), threshold=0.5)
    made = lesions_of_masks([("", voxels)], half, grid_of(voxels))
    assert labels_of(made).tolist() == [[[0, 0, 0, 1, 1]]]
    voxels[0, 0, 0] = np.nan
    with pytest.raises(DataRefused, check=has_reason("mask_not_finite")):
        lesions_of_masks([("", voxels)], half, grid_of(voxels))
