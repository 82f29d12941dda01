from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cta_data.imaging.rasterization.polygon_fill import fill_even_odd, outlines_area

coordinate = st.integers(-40, 240).map(lambda n: n / 20 + 0.013)
polygon = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9).map(np.array)


def brute_force(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """One ray per pixel, one edge at a time."""
    inside = np.zeros(shape, bool)
    for row in range(shape[0]):
        for column in range(shape[1]):
            for vertices in polygons:
                for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
                    if (y0 > row) != (y1 > row):
                        crossing = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
                        # On an edge that goes through a pixel's centre rounding decides.
                        assume(abs(crossing - column) > 1e-9)
                        inside[row, column] ^= crossing < column
    return inside


@settings(max_examples=60, deadline=None)
@given(st.lists(polygon, min_size=1, max_size=3))
def test_fill_is_what_one_ray_per_pixel_gives(polygons: list[np.ndarray]) -> None:
    """The scan-line fill equals a ray cast from every pixel centre, self-crossings included."""
    assert np.array_equal(fill_even_odd(polygons, (11, 10)), brute_force(polygons, (11, 10)))


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]])


def test_nested_contours_are_holes_and_islands() -> None:
    """A contour in a contour is a hole, and one in the hole is an island."""
    filled = fill_even_odd([square(0.5, 9.5), square(2.5, 7.5), square(4.5, 5.5)], (10, 10))
    assert filled.sum() == 81 - 25 + 1
    assert filled[5, 5] and not filled[3, 3] and filled[1, 1]


def test_keyhole_equals_two_contours() -> None:
    """An outline that reaches its hole through a channel of no width fills the same pixels."""
    outer, inner = square(0.5, 9.5), square(2.5, 7.5)[::-1]
    keyhole = np.concatenate([outer, outer[:1], np.roll(inner, -3, axis=0), inner[3:4]])
    expected = fill_even_odd([outer, inner], (10, 10))
    assert np.array_equal(fill_even_odd([keyhole], (10, 10)), expected)


def test_squares_side_by_side_share_no_pixel() -> None:
    """Outlines through pixel centres divide the plane without overlap and without a gap."""
    left = np.array([[0.0, 0], [4, 0], [4, 8], [0, 8]])
    right = np.array([[4.0, 0], [8, 0], [8, 8], [4, 8]])
    both = fill_even_odd([left], (9, 9)).astype(int) + fill_even_odd([right], (9, 9))
    assert both.max() == 1 and both.sum() == 64


def test_area_of_a_ring_and_of_a_bow_tie() -> None:
    """Areas are those of geometry, holes subtracted, each lobe of a bow tie counted."""
    turn = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    assert outlines_area([(3 * circle,), (circle,)]) == pytest.approx(8 * np.pi, rel=1e-3)
    bow_tie = np.array([[0.0, 0], [2, 2], [2, 0], [0, 2]])
    assert outlines_area([(bow_tie,)]) == pytest.approx(2.0, rel=1e-4)
    assert outlines_area([]) == 0.0
