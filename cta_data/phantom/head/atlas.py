"""Everything around the brain that is not a layer of it: face, neck, eyes, air, spinal canal.

Shapes are given in MNI millimetres in RAS, as atlases print them, and are evaluated at the template
coordinates of a patient's canvas, so that they are warped along with the brain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Volume = npt.NDArray[np.float32]
Coordinates = tuple[Volume, Volume, Volume]
Triple = tuple[float, float, float]


def ellipsoid(at: Coordinates, centre_ras: Triple, radii: Triple) -> Volume:
    """Approximate signed distance (mm, negative inside) to an ellipsoid."""
    centre = (-centre_ras[0], -centre_ras[1], centre_ras[2])
    first = np.zeros((), dtype=np.float32)
    second = np.zeros((), dtype=np.float32)
    for axis, middle, radius in zip(at, centre, radii, strict=True):
        scaled = (axis - np.float32(middle)) / np.float32(radius)
        first = first + scaled * scaled
        scaled = scaled / np.float32(radius)
        second = second + scaled * scaled
    length = np.sqrt(first)
    result = length * (length - np.float32(1.0)) / (np.sqrt(second) + np.float32(1e-6))
    return np.asarray(result, dtype=np.float32)


def smooth_union(a: Volume, b: Volume, blend_mm: float) -> Volume:
    """Union of two signed distances, its seam rounded over `blend_mm`."""
    h = np.clip(np.float32(1.0) - np.abs(a - b) / np.float32(blend_mm), 0.0, None)
    return np.minimum(a, b) - h * h * np.float32(blend_mm / 4.0)


def _cylinder(at: Coordinates, y_ras: float, radius: float, top: float) -> Volume:
    """Signed distance to an upright cylinder in the midline that ends at height `top`."""
    across = np.sqrt(at[0] ** 2 + (at[1] + np.float32(y_ras)) ** 2) - np.float32(radius)
    return np.maximum(across, at[2] - np.float32(top))


def head_distance(at: Coordinates, cranium: Volume) -> Volume:
    """Signed distance to the skin: the cranium joined with temples, face, nose, jaw and neck."""
    head = cranium
    for side in (-1.0, 1.0):
        head = smooth_union(head, ellipsoid(at, (side * 56, 12, -22), (25, 38, 44)), 12.0)
    head = smooth_union(head, ellipsoid(at, (0, 38, -62), (61, 58, 72)), 22.0)
    head = smooth_union(head, ellipsoid(at, (0, 95, -62), (13, 15, 22)), 12.0)
    head = smooth_union(head, ellipsoid(at, (0, -38, -110), (58, 64, 66)), 25.0)
    # Shallow hollows where the eyes lie.
    for side in (-1.0, 1.0):
        hollow = ellipsoid(at, (side * 33, 96, -36), (19, 16, 14))
        head = -smooth_union(-head, hollow, 10.0)
    return head


def air_distance(at: Coordinates, texture: Volume) -> Volume:
    """Signed distance to the air of nose, throat, sinuses and mastoid cells."""
    air = ellipsoid(at, (0, 70, -62), (9, 26, 21))
    for centre, radii in (
        ((24.0, 62.0, -66.0), (11.0, 14.0, 15.0)),
        ((-24.0, 62.0, -66.0), (11.0, 14.0, 15.0)),
        ((0.0, 36.0, -44.0), (11.0, 11.0, 10.0)),
        ((0.0, 20.0, -84.0), (12.0, 9.0, 28.0)),
        ((9.0, 82.0, -22.0), (9.0, 5.0, 9.0)),
    ):
        air = np.minimum(air, ellipsoid(at, centre, radii))
    for side in (-1.0, 1.0):
        cells = ellipsoid(at, (side * 56, -34, -46), (10, 13, 16)) + texture * np.float32(4.0)
        canal = ellipsoid(at, (side * 74, -20, -42), (18, 3.5, 3.5))
        air = np.minimum(air, np.minimum(cells, canal))
    return air


def eye_distance(at: Coordinates) -> Volume:
    """Signed distance to the two eyeballs."""
    return np.minimum(*(ellipsoid(at, (s * 32, 66, -37), (12, 12, 12)) for s in (-1.0, 1.0)))


def orbit_distance(at: Coordinates) -> Volume:
    """Signed distance to the fat of the two orbits."""
    return np.minimum(*(ellipsoid(at, (s * 30, 56, -37), (17, 27, 15)) for s in (-1.0, 1.0)))


def facial_bone_distance(at: Coordinates) -> Volume:
    """Signed distance to the bones of the face: cheeks, jaws, walls of orbits and sinuses."""
    bone = ellipsoid(at, (0, 62, -92), (34, 24, 12))
    for side in (-1.0, 1.0):
        bone = np.minimum(bone, ellipsoid(at, (side * 44, 48, -62), (11, 22, 10)))
        bone = np.minimum(bone, ellipsoid(at, (side * 48, -2, -82), (6, 12, 30)))
    wall = np.abs(orbit_distance(at) - np.float32(1.5)) - np.float32(1.5)
    sinus = np.abs(air_distance(at, np.zeros((), np.float32)) - np.float32(1.0)) - np.float32(1.2)
    return np.minimum(bone, np.minimum(wall, sinus))


def canal_distances(at: Coordinates) -> tuple[Volume, Volume, Volume]:
    """Signed distances to the spinal cord, to its canal and to the vertebrae around it."""
    cord = _cylinder(at, -46.0, 6.0, -60.0)
    canal = _cylinder(at, -46.0, 12.0, -56.0)
    body = ellipsoid(at, (0, -22, -106), (15, 12, 30))
    vertebra = np.minimum(_cylinder(at, -46.0, 17.0, -74.0), body)
    return cord, canal, vertebra


BRAINSTEM_RAS: tuple[Triple, Triple] = ((0.0, -30.0, -36.0), (14.0, 13.0, 26.0))
CHIASM_RAS: tuple[Triple, Triple] = ((0.0, 4.0, -17.0), (7.0, 4.0, 3.0))
EYE_RAS: dict[str, tuple[Triple, Triple]] = {
    "Eye_L": ((-32.0, 66.0, -37.0), (12.0, 12.0, 12.0)),
    "Eye_R": ((32.0, 66.0, -37.0), (12.0, 12.0, 12.0)),
}
