from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.rasterized import rasterize_roi
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.drawn_lesions import lesions_from_contours
from cta_data.imaging.rasterization.contours import Contour, Roi

MM = (1.0, 1.0, 1.0)


def square(low: tuple[float, float], high: tuple[float, float], kind: str = "CLOSED_PLANAR"):  # type: ignore[no-untyped-def]
    (x0, y0), (x1, y1) = low, high
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return Contour(np.array([(x, y, 4.0) for x, y in corners]), kind)


def areas(*contours: Contour) -> tuple[int, float]:
    """Voxels of 1 mm on a mask, and the volume of the lesions as drawn."""
    roi = Roi(1, "GTV", contours=contours)
    image = sitk.Image([40, 40, 9], sitk.sitkUInt8)
    drawn = lesions_from_contours([roi], spacing_mm=MM)
    return rasterize_roi(roi, image).n_voxels, sum(one.volume_mm3 for one in drawn.lesions)


FIRST = ((2.5, 2.5), (12.5, 12.5))
ACROSS = ((8.5, 2.5), (18.5, 12.5))
WITHIN = ((4.5, 4.5), (8.5, 8.5))
INNERMOST = ((5.5, 5.5), (7.5, 7.5))


@pytest.mark.parametrize(
    ("kind", "boxes", "area"),
    [
        ("CLOSED_PLANAR", [FIRST, ACROSS], 160),
        ("CLOSEDPLANAR_XOR", [FIRST, ACROSS], 120),
        ("INTERPOLATED_PLANAR", [FIRST, ACROSS], 160),
        ("CLOSED_PLANAR", [FIRST, WITHIN], 84),
        ("CLOSEDPLANAR_XOR", [FIRST, WITHIN], 84),
        ("CLOSED_PLANAR", [FIRST, WITHIN, INNERMOST], 88),
        ("CLOSED_PLANAR", [FIRST, ACROSS, WITHIN], 144),
        ("CLOSED_PLANAR", [FIRST, ((12.5, 2.5), (22.5, 12.5))], 200),
        ("CLOSED_PLANAR", [FIRST, ((2.5, 4.5), (8.5, 8.5))], 76),
    ],
    ids=["union", "xor", "interpolated", "hole", "hole by xor", "island", "hole in a union",
         "side by side", "hole at the border"],
)  # fmt: skip
def test_contours_of_a_plane_go_together_by_their_type(
    kind: str, boxes: list[tuple[tuple[float, float], tuple[float, float]]], area: int
) -> None:
    """Partial overlap is a union, containment a hole; CLOSEDPLANAR_XOR is what it says."""
    voxels, volume = areas(*(square(*box, kind) for box in boxes))
    assert voxels == area
    assert volume == pytest.approx(area, rel=0.005)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_contours_does_not_matter(order: list[int], backwards: bool) -> None:
    """Nor does the direction that they run in."""
    contours = [square(*box) for box in (FIRST, ACROSS, WITHIN, INNERMOST)]
    shuffled = [contours[i] for i in order]
    if backwards:
        shuffled = [Contour(one.points_lps_mm[::-1]) for one in shuffled]
    assert areas(*shuffled)[0] == 148


def blob(seed: int, radius: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    r = radius * (1 + 0.2 * np.sin(3 * turn + random.uniform(0, 6)))
    return np.stack([15 + r * np.cos(turn), 15 + r * np.sin(turn), np.full(50, 4.0)], axis=1)


@pytest.mark.parametrize("decimals", [1, 2, 4])
@pytest.mark.parametrize("radius", [0.4, 2.0, 9.0])
@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_stored_twice_counts_once(decimals: int, radius: float, kind: str) -> None:
    """Also when the second was rounded, starts elsewhere and runs the other way; and it is said."""
    points = blob(3, radius)
    again = np.roll(np.round(points, decimals)[::-1], 7, axis=0)
    once = lesions_from_contours([Roi(1, "a", contours=(Contour(points, kind),))], spacing_mm=MM)
    twice = Roi(1, "a", contours=(Contour(points, kind), Contour(again, kind)))
    found = lesions_from_contours([twice], spacing_mm=MM)
    assert [one.volume_mm3 for one in found.lesions] == pytest.approx(
        [one.volume_mm3 for one in once.lesions]
    )
    assert "1 contours stored twice" in found.notes[0]


def test_a_plane_stored_twice_with_rounding_is_one_plane() -> None:
    """Rounding along the normal moves a contour, and makes no second plane of it."""
    contours = []
    for z in (4.04, 5.04, 6.04):
        for height in (z, round(z, 1)):
            points = blob(1, 5.0)
            points[:, 2] = height
            contours.append(Contour(points))
    found = lesions_from_contours([Roi(1, "a", contours=tuple(contours))], spacing_mm=MM)
    (lesion,) = found.lesions
    assert lesion.volume_mm3 == pytest.approx(3 * np.pi * 5**2 * 1.02, rel=0.01)


def test_contours_of_two_rules_in_one_place_are_refused() -> None:
    """CLOSED_PLANAR and CLOSEDPLANAR_XOR over each other say two things; apart they do not."""
    mixed = square(*FIRST), square(*WITHIN, "CLOSEDPLANAR_XOR")
    with pytest.raises(DataRefused, check=has_reason("roi_contours_unreadable")):
        areas(*mixed)
    assert areas(square(*FIRST), square((20.5, 20.5), (24.5, 24.5), "CLOSEDPLANAR_XOR"))[0] == 116


def test_interpolated_contours_are_filled_as_they_stand() -> None:
    """Drawn on every third slice and interpolated between: the volume of all, and a note."""
    contours = []
    for z in range(2, 9):
        points = blob(5, 4.0)
        points[:, 2] = z
        contours.append(Contour(points, "CLOSED_PLANAR" if z % 3 == 2 else "INTERPOLATED_PLANAR"))
    plain = Roi(1, "a", contours=tuple(Contour(one.points_lps_mm) for one in contours))
    image = sitk.Image([40, 40, 12], sitk.sitkUInt8)
    mixed = rasterize_roi(Roi(1, "a", contours=tuple(contours)), image)
    assert mixed.n_voxels == rasterize_roi(plain, image).n_voxels > 300
    assert "4 contours interpolated" in mixed.notes[0]
