"""Elements of the surface of a mask: where they are, and their areas.

An element lies where the corners of eight voxels meet and at least one of these is in the mask and
one is not. Its area is that of the surface that marching cubes (Lorensen and Cline 1987) lays
between the eight centres, half way between voxels inside and outside.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int, int]
_CORNERS: tuple[Corner, ...] = tuple((z, y, x) for z, y, x in product((0, 1), repeat=3))
"""The eight voxels around an element; the place of each is its bit in a code."""


def surface_elements(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Find the elements of the surface of a mask.

    Parameters
    ----------
    mask
        (z, y, x); outside of the array is outside of the mask.

    Returns
    -------
    places, codes
        Of each element the place (z, y, x), (n, 3): element 0 is at the first edge of voxel 0; and
        which of the eight voxels around it are in the mask, a bit each, x fastest.
    """
    code: NDArray[np.uint8] = np.pad(mask, 1).astype(np.uint8)
    code = code[..., :-1] | (code[..., 1:] * np.uint8(2))
    code = code[:, :-1] | (code[:, 1:] * np.uint8(4))
    code = code[:-1] | (code[1:] * np.uint8(16))
    # 0 becomes 255 and 255 becomes 254: one comparison finds what is neither outside nor inside.
    places = np.flatnonzero((code - np.uint8(1)) < np.uint8(254))
    return np.stack(np.unravel_index(places, code.shape), axis=1), code.reshape(-1)[places]


def element_areas(spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area (mm²) of an element of each code, (256,).

    Parameters
    ----------
    spacing_mm
        Along z, y, x.
    """
    face = np.prod(spacing_mm) / np.asarray(spacing_mm, np.float64)  # across each axis
    return np.array(
        [sum(float(np.linalg.norm(part * face)) for part in _parts(code)) for code in range(256)]
    )


@cache
def _parts(code: int) -> tuple[NDArray[np.float64], ...]:
    """Plane parts of an element as vectors of area (z, y, x) for voxels of 1 mm, without signs."""
    inside = {corner for bit, corner in enumerate(_CORNERS) if code >> bit & 1}
    if len(inside) > 4:
        inside = set(_CORNERS) - inside  # the same surface, seen from the other side
    found: list[NDArray[np.float64]] = []
    while inside:
        found += _around(_taken(inside))
    return tuple(found)


def _taken(inside: set[Corner]) -> list[Corner]:
    """Take corners that edges join out of a set."""
    group = [inside.pop()]
    for corner in group:
        near = [other for other in inside if _distance(corner, other) == 1]
        inside.difference_update(near)
        group += near
    return group


def _around(group: list[Corner]) -> list[NDArray[np.float64]]:
    """Return the parts of the surface around corners that edges join, at most four.

    A plane cuts off one corner, two, four of a face, and a corner with its three neighbours. Three
    corners are cut off by two planes, and four in a row that turns twice by three.
    """
    one = np.ones(3)
    degrees = [sum(_distance(a, b) == 1 for b in group) for a in group]
    if len(group) == 1:
        return [one / 8]
    if len(group) == 2:
        return [(one - _axis(*group)) / 2]
    if len(group) == 3:
        return [(one - _spread(group)) / 2, one * 3 / 8]
    if max(degrees) == 3:
        return [one * 3 / 4]
    if min(degrees) == 2:
        return [one - _spread(group)]
    middle = [corner for corner, degree in zip(group, degrees, strict=True) if degree == 2]
    shared = _axis(*middle)
    ends = [
        _axis(corner, middle[n])
        for n in (0, 1)
        for corner in group
        if corner not in middle and _distance(corner, middle[n]) == 1
    ]
    return [one / 2, *((shared + end) / 4 for end in ends)]


def _distance(first: Corner, second: Corner) -> int:
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))


def _axis(first: Corner, second: Corner) -> NDArray[np.float64]:
    """Return 1 along the axes in which two corners differ, else 0."""
    return np.abs(np.subtract(first, second)).astype(np.float64)


def _spread(group: list[Corner]) -> NDArray[np.float64]:
    """Return 1 along the axes in which corners of a group differ, else 0."""
    return np.asarray(np.ptp(np.array(group), axis=0), np.float64)
