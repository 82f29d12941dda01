from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.rasterized import rasterize_roi
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.drawn_lesions import lesions_from_contours
from cta_data.imaging.lesions.label_transfer import TransferResult, transfer_lesions
from cta_data.imaging.rasterization.contour_faults import fault_of
from cta_data.imaging.rasterization.contours import Contour, Roi

IDENTITY = sitk.AffineTransform(3)
MM = (1.0, 1.0, 1.0)


def image_of(
    size: tuple[int, int, int] = (70, 70, 60),
    spacing: tuple[float, float, float] = (0.9, 0.9, 1.0),
    origin: tuple[float, float, float] = (-31.0, -31.0, -30.0),
) -> sitk.Image:
    image = sitk.Image(list(size), sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def sphere(
    number: int, centre: tuple[float, float, float], radius: float, step: float = 1.0
) -> Roi:
    """A sphere as a reader would draw it: circles on planes at multiples of ``step``."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    contours = []
    for z in np.arange(-60, 60) * step:
        if abs(z - centre[2]) < radius:
            r = np.sqrt(radius**2 - (z - centre[2]) ** 2)
            x, y = centre[0] + r * np.cos(turn), centre[1] + r * np.sin(turn)
            contours.append(Contour(np.stack([x, y, np.full_like(x, z)], axis=1)))
    return Roi(number, f"GTV {number}", contours=tuple(contours))


def random_transform(seed: int, stretch: float = 0.0) -> sitk.AffineTransform:
    random = np.random.default_rng(seed)
    rotation = sitk.Euler3DTransform()
    rotation.SetRotation(*random.uniform(-0.5, 0.5, 3))
    linear = np.array(rotation.GetMatrix()).reshape(3, 3)
    linear = linear @ (np.eye(3) + random.uniform(-stretch, stretch, (3, 3)))
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(linear.ravel().tolist())
    transform.SetTranslation(random.uniform(-4, 4, 3).tolist())
    return transform


def transferred(rois: list[Roi], transform: sitk.Transform, target: sitk.Image) -> TransferResult:
    drawn = lesions_from_contours(rois, spacing_mm=MM)
    return transfer_lesions(drawn.lesions, transform, target)


def box_roi(image: sitk.Image, low: tuple[int, int, int], high: tuple[int, int, int]) -> Roi:
    """A box along voxel edges, from voxel ``low`` to ``high`` inclusive."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    contours = []
    for z in range(z0, z1 + 1):
        corners = [(x0 - 0.5, y0 - 0.5), (x1 + 0.5, y0 - 0.5)]
        corners += [(x1 + 0.5, y1 + 0.5), (x0 - 0.5, y1 + 0.5)]
        points = [image.TransformContinuousIndexToPhysicalPoint((*p, float(z))) for p in corners]
        contours.append(Contour(np.array(points)))
    return Roi(1, "box", contours=tuple(contours))


voxel = st.tuples(st.integers(5, 20), st.integers(5, 20), st.integers(5, 20))


@settings(max_examples=20, deadline=None)
@given(voxel, st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)))
def test_identity_on_the_same_planes_changes_nothing(
    low: tuple[int, int, int], extent: tuple[int, int, int]
) -> None:
    """Contours along voxel edges give exactly the voxels inside them, as rasterising does."""
    image = image_of((32, 32, 32))
    high = (low[0] + extent[0], low[1] + extent[1], low[2] + extent[2])
    roi = box_roi(image, low, high)
    result = transferred([roi], IDENTITY, image)
    expected = sitk.GetArrayFromImage(rasterize_roi(roi, image).mask(image))
    assert np.array_equal(sitk.GetArrayFromImage(result.labels), expected)
    (row,) = result.per_lesion
    assert row.volume_ratio == pytest.approx(1, abs=1e-3)
    assert row.centroid_shift_mm < 0.02 and row.flags == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.0, 7.0))
def test_volume_and_place_are_kept_under_any_affine_map(seed: int, radius: float) -> None:
    """Every sphere arrives in one piece with its volume, scaled by the map, where it belongs."""
    random = np.random.default_rng(seed)
    centre = tuple(random.uniform(-6, 6, 3).tolist())
    transform, target = random_transform(seed, stretch=0.03), image_of()
    (row,) = transferred([sphere(1, centre, radius)], transform, target).per_lesion
    determinant = np.linalg.det(np.array(transform.GetMatrix()).reshape(3, 3))
    assert row.lost_reason is None and row.n_voxels >= 1
    assert row.volume_scale == pytest.approx(1 / determinant)
    voxel = np.prod(target.GetSpacing())
    error = abs(row.volume_mm3 - row.volume_drawn_mm3 / determinant)
    assert error <= voxel / 2 + 1e-6 or row.n_voxels == 1
    if row.n_voxels >= 10:
        assert row.centroid_shift_mm < 0.4
        assert "several_components" not in row.flags


@settings(max_examples=10, deadline=None)
@given(st.permutations([1, 2, 3, 4]), st.integers(0, 1000))
def test_ids_and_labels_do_not_depend_on_order_or_grid(order: list[int], seed: int) -> None:
    """ROIs in any order give one label image, and a lesion keeps its id on every grid."""
    places = {1: (-12.0, -9, 3), 2: (9.0, 8, -11), 3: (10.0, -10, 10), 4: (-9.0, 10, 1)}
    rois = {n: sphere(n, places[n], 1.5 + n / 2) for n in places}
    transform, target = random_transform(seed), image_of()
    reference = transferred(list(rois.values()), transform, target)
    shuffled = transferred([rois[n] for n in order], transform, target)
    assert shuffled.per_lesion == reference.per_lesion
    first = sitk.GetArrayFromImage(reference.labels)
    assert np.array_equal(sitk.GetArrayFromImage(shuffled.labels), first)
    coarse = transferred(list(rois.values()), transform, image_of((40, 40, 30), (1.6, 1.6, 2.0)))
    assert [r.source_roi for r in coarse.per_lesion] == [1, 2, 3, 4]
    assert [r.id for r in coarse.per_lesion] == [r.id for r in reference.per_lesion]


def test_dice_with_the_analytic_sphere() -> None:
    """On a rotated grid of other spacing a 6 mm sphere overlaps its analytic truth by 0.95."""
    transform, target = random_transform(3), image_of()
    centre = (2.3, -1.7, 0.4)
    result = transferred([sphere(1, centre, 6.0)], transform, target)
    z, y, x = np.indices(target.GetSize()[::-1])
    points = np.stack([x, y, z], axis=-1) * target.GetSpacing() + target.GetOrigin()
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    mapped = points @ matrix.T + np.array(transform.GetTranslation())
    truth = np.linalg.norm(mapped - centre, axis=-1) < 6.0
    ours = sitk.GetArrayFromImage(result.labels) == 1
    assert 2 * (ours & truth).sum() / (ours.sum() + truth.sum()) > 0.95


def test_a_lesion_below_one_voxel_keeps_one() -> None:
    """A lesion of a tenth of a voxel, and one on a coarse grid, keep one voxel and a flag."""
    for roi, target in (
        (sphere(1, (0.2, 0.3, 0.1), 0.3), image_of()),
        (sphere(1, (3.0, 3.0, 0.2), 1.5), image_of((12, 12, 12), (5.0, 5.0, 5.0))),
    ):
        (row,) = transferred([roi], random_transform(1), target).per_lesion
        assert row.n_voxels == 1 and "below_one_voxel" in row.flags
        assert row.lost_reason is None and row.volume_ratio > 1


def test_touching_lesions_stay_two() -> None:
    """Two boxes that share a face keep their own volumes and share no voxel."""
    image = image_of()
    left = box_roi(image, (29, 30, 25), (33, 34, 29))
    right = box_roi(image, (34, 30, 25), (38, 34, 29))
    rois = [Roi(1, "a", contours=left.contours), Roi(2, "b", contours=right.contours)]
    result = transferred(rois, random_transform(5), image_of())
    first, second = result.per_lesion
    assert first.flags == second.flags == ()
    assert first.volume_ratio == pytest.approx(1, abs=0.01)
    assert second.volume_ratio == pytest.approx(1, abs=0.01)
    assert max(first.centroid_shift_mm, second.centroid_shift_mm) < 0.15


def test_nested_lesions_both_arrive_and_say_that_they_overlap() -> None:
    """A lesion drawn inside another one is not lost, and both are flagged."""
    rois = [sphere(1, (0, 0, 0), 6.0), sphere(2, (0, 0, 0), 2.0)]
    first, second = transferred(rois, IDENTITY, image_of()).per_lesion
    assert "overlaps_lesion_2" in first.flags and "overlaps_lesion_1" in second.flags
    assert first.n_voxels >= 1 and second.n_voxels >= 1


def test_what_lies_outside_is_reported_as_lost() -> None:
    """A lesion beyond the field of view is lost with a reason, a cut one keeps its part."""
    target = image_of((40, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    rois = [sphere(1, (-40, 5, 5), 3), sphere(2, (-0.5, 20, 20), 6), sphere(3, (20, 20, 20), 3)]
    lost, cut, whole = transferred(rois, IDENTITY, target).per_lesion
    assert lost.n_voxels == 0 and "fraction inside 0.00" in str(lost.lost_reason)
    assert "partly_outside" in cut.flags and cut.fraction_inside == pytest.approx(0.5, abs=0.03)
    assert cut.volume_mm3 == pytest.approx(cut.volume_drawn_mm3 / 2, rel=0.05)
    assert whole.flags == () and whole.fraction_inside == 1


def test_disconnected_parts_are_lesions_and_near_parts_are_one() -> None:
    """Two spheres in one ROI are two lesions, ordered from below; a bridged pair is one."""
    apart = Roi(
        7, "both", contours=sphere(1, (8, 0, 9), 3).contours + sphere(1, (-8, 0, -9), 3).contours
    )
    drawn = lesions_from_contours([apart], spacing_mm=MM).lesions
    assert [(d.id, d.source_roi, d.component) for d in drawn] == [(1, 7, 1), (2, 7, 2)]
    assert drawn[0].centroid_lps_mm == pytest.approx([-8, 0, -9], abs=0.05)
    same_plane = sphere(1, (4, 0, 0), 3).contours + sphere(1, (-4, 0, 0), 3).contours
    assert (
        len(lesions_from_contours([Roi(1, "a", contours=same_plane)], spacing_mm=MM).lesions) == 2
    )
    near = sphere(1, (3.1, 0, 0), 3).contours + sphere(1, (-3.1, 0, 0), 3).contours
    assert len(lesions_from_contours([Roi(1, "a", contours=near)], spacing_mm=MM).lesions) == 1


def test_volume_as_drawn_is_area_times_spacing() -> None:
    """Holes are subtracted, edge planes count whole, and a single plane takes the slice spacing."""
    outer = sphere(1, (0, 0, 0), 6.0, step=2.0)
    drawn = lesions_from_contours([outer], spacing_mm=MM).lesions
    areas = [36 - z**2 for z in range(-4, 5, 2)]
    polygon = 60 / (2 * np.pi) * np.sin(2 * np.pi / 60)
    assert drawn[0].volume_mm3 == pytest.approx(2.0 * np.pi * sum(areas) * polygon, rel=1e-3)
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = [np.stack([r * np.cos(turn), r * np.sin(turn), 0 * turn], axis=1) for r in (5.0, 3.0)]
    single = Roi(1, "ring", contours=tuple(Contour(points) for points in ring))
    (lesion,) = lesions_from_contours([single], spacing_mm=(3.0, 3.0, 3.0)).lesions
    assert lesion.volume_mm3 == pytest.approx(3 * np.pi * 16, rel=1e-3)


def test_rois_without_a_lesion_are_listed() -> None:
    """An ROI without contours, or with a marker of two vertices alone, is listed with a reason."""
    marker = Contour(np.array([[0.0, 0, 0], [1, 1, 0]]))
    drawn = lesions_from_contours([Roi(1, "none"), sphere(3, (0, 0, 0), 3)], spacing_mm=MM)
    assert [(roi.name, reason) for roi, reason in drawn.without_lesion] == [
        ("none", "no closed contour")
    ]
    assert [lesion.source_roi for lesion in drawn.lesions] == [3]
    flat = lesions_from_contours([Roi(2, "marker", contours=(marker,))], spacing_mm=MM)
    assert flat.lesions == () and flat.without_lesion[0][0].name == "marker"


EIGHT = [(-3.0, -3.0), (3.0, 3.0), (3.0, -3.0), (-3.0, 3.0)]
LINE = [(-3.0, 0.0), (0.0, 0.0), (3.0, 0.0)]


def flat_roi(outline: list[tuple[float, float]]) -> Roi:
    """The same outline on three planes."""
    contours = [Contour(np.array([(x, y, z) for x, y in outline])) for z in (-1.0, 0.0, 1.0)]
    return Roi(1, "GTV", contours=tuple(contours))


@pytest.mark.parametrize("outline", [EIGHT, LINE])
def test_closed_contours_without_an_area_are_a_fault(outline: list[tuple[float, float]]) -> None:
    """A figure of eight whose turns cancel, and vertices on a line, are refused."""
    with pytest.raises(DataRefused, check=has_reason("roi_contours_unreadable")):
        lesions_from_contours([flat_roi(outline)], spacing_mm=MM)


def test_a_line_among_contours_is_a_fault() -> None:
    """One of three contours that encloses nothing refuses the region: a slice would be lost."""
    square = [(-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0)]
    contours = list(flat_roi(square).contours)
    assert fault_of(contours) == ""
    contours[1] = flat_roi(LINE).contours[1]
    assert "contour 2 encloses no area" in fault_of(contours)
    # The two loops of an eight are areas, and the planes beside it tell which way it faces.
    contours[1] = flat_roi(EIGHT).contours[1]
    assert fault_of(contours) == ""


def test_contours_that_cut_each_other_out_are_a_fault() -> None:
    """Three CLOSEDPLANAR_XOR contours of which one is the sum of the others leave nothing."""
    left = np.array([(-4.0, -3, 0), (0, -3, 0), (0, 3, 0), (-4, 3, 0)])
    shift = np.array([4.0, 0, 0])
    right, both = left + shift, left * (2, 1, 1) + shift
    roi = Roi(1, "GTV", contours=tuple(Contour(p, "CLOSEDPLANAR_XOR") for p in (left, right, both)))
    with pytest.raises(DataRefused, check=has_reason("roi_contours_unreadable")):
        lesions_from_contours([roi], spacing_mm=MM)


@pytest.mark.parametrize(
    ("seed", "bent", "radius"),
    [*product(range(4), [False], [0.01, 0.05, 0.3]), (0, True, 0.05), (1, True, 0.01)],
)
def test_the_smallest_contour_is_the_voxel_that_it_lies_in(
    seed: int, bent: bool, radius: float
) -> None:
    """Wherever it falls between sample points, whatever the transform: one voxel, not none."""
    transform, target = random_transform(seed), image_of(spacing=(0.9, 0.9, 1.0))
    centre = np.random.default_rng(seed).uniform(-12, 12, 3)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    tiny = Roi(1, "tiny", contours=(Contour(centre + radius * ring),))
    used = field_of(transform) if bent else transform
    result = transferred([tiny], used, target)
    (row,) = result.per_lesion
    (place,) = np.argwhere(sitk.GetArrayViewFromImage(result.labels) == 1)[:, ::-1].tolist()
    point = transform.GetInverse().TransformPoint(centre.tolist())
    exact = np.array(target.TransformPhysicalPointToContinuousIndex(point))
    assert (row.n_voxels, row.lost_reason) == (1, None)
    assert np.abs(exact - place).max() <= 0.6


def test_a_tiny_contour_outside_is_still_outside() -> None:
    """What lies beyond the field of view is not brought into it."""
    tiny = sphere(1, (200.0, 0.0, 0.0), 0.05)
    (row,) = transferred([tiny], IDENTITY, image_of()).per_lesion
    assert row.n_voxels == 0 and "field of view" in str(row.lost_reason)


def test_two_planes_of_one_body_are_one_lesion_and_two_far_apart_are_two() -> None:
    """Drawn on every fifth slice, two wide discs one above the other are filled between."""
    wide = [c for c in sphere(1, (0, 0, 2.5), 6.0, step=5.0).contours]
    (lesion,) = lesions_from_contours([Roi(1, "a", contours=tuple(wide))], spacing_mm=MM).lesions
    assert lesion.volume_mm3 == pytest.approx(2 * 5 * np.pi * (36 - 6.25), rel=0.01)
    small = sphere(1, (0, 0, 0), 1.0).contours + sphere(1, (0, 0, 9), 1.0).contours
    found = lesions_from_contours([Roi(1, "a", contours=small)], spacing_mm=MM)
    assert len(found.lesions) == 2 and found.lesions[0].volume_mm3 < 4


def test_lesions_of_one_plane_each_are_not_made_thicker_by_their_distance() -> None:
    """Three small lesions of one region, far apart, are three lesions of one slice each."""
    places = [(0.0, 0.0, 0.0), (5.0, 0.0, 20.0), (0.0, 5.0, 50.0)]
    contours = tuple(c for place in places for c in sphere(1, place, 1.0).contours)
    found = lesions_from_contours([Roi(1, "a", contours=contours)], spacing_mm=MM)
    assert [one.volume_mm3 for one in found.lesions] == pytest.approx([np.pi] * 3, rel=0.01)


def field_of(transform: sitk.Transform) -> sitk.DisplacementFieldTransform:
    """A field that samples a transform every 5 mm."""
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, [24] * 3, [-57.0] * 3, [5.0] * 3
    )
    return sitk.DisplacementFieldTransform(field)


def test_a_deformation_field_moves_lesions_as_its_affine_twin_does() -> None:
    """A field that samples a rotation gives the rotation's labels, within a few voxels."""
    transform, target = random_transform(11), image_of()
    bent = field_of(transform)
    rois = [sphere(1, (5, 4, 3), 5.0), sphere(2, (-7, -6, -5), 1.5)]
    straight = transferred(rois, transform, target)
    curved = transferred(rois, bent, target)
    for a, b in zip(straight.per_lesion, curved.per_lesion, strict=True):
        assert b.volume_ratio == pytest.approx(1, abs=0.1)
        assert abs(a.n_voxels - b.n_voxels) <= 2 and b.centroid_shift_mm < 0.3
    differing = sitk.GetArrayFromImage(straight.labels) != sitk.GetArrayFromImage(curved.labels)
    assert differing.sum() <= 0.03 * (sitk.GetArrayFromImage(straight.labels) > 0).sum()


def test_a_mirroring_transform_is_refused() -> None:
    """A transform of negative determinant is refused with the determinant."""
    mirror = sitk.AffineTransform(3)
    mirror.SetMatrix([-1.0, 0, 0, 0, 1, 0, 0, 0, 1])
    with pytest.raises(DataRefused, check=has_reason("transform_not_invertible")):
        transferred([sphere(1, (0, 0, 0), 3)], mirror, image_of())


def test_there_and_back_on_oblique_sagittal_planes() -> None:
    """Contours drawn on oblique sagittal planes keep their volume on an axial grid."""
    roi = sphere(1, (0, 0, 0), 5.0)
    turn = np.array(random_transform(8).GetMatrix()).reshape(3, 3) @ np.eye(3)[[2, 0, 1]]
    turned = Roi(1, "a", contours=tuple(Contour(c.points_lps_mm @ turn.T) for c in roi.contours))
    (row,) = transferred([turned], IDENTITY, image_of()).per_lesion
    assert row.volume_ratio == pytest.approx(1, abs=0.01)
    assert row.centroid_shift_mm < 0.15
