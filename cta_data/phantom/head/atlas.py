"""Everything around the brain that is not a layer of it: face, neck, eyes, air, spinal canal.

Shapes are in the table `atlas`, in MNI millimetres (RAS) as atlases print them; they are evaluated
at the template coordinates of a patient's canvas, so that they are warped along with the brain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from cta_data.phantom.tables import table

Volume = npt.NDArray[np.float32]
Coordinates = tuple[Volume, Volume, Volume]


def ellipsoid(at: Coordinates, centre_ras: Sequence[float], radii: Sequence[float]) -> Volume:
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


def _each(at: Coordinates, structure: str) -> Iterator[tuple[Volume, float]]:
    """Signed distances to the ellipsoids of a structure, with what their seam is rounded over."""
    for part in table("atlas", structure):
        x, y, z = part["centre"]
        for side in (-1.0, 1.0) if part.get("both") else (1.0,):
            yield ellipsoid(at, (side * x, y, z), part["radii"]), part.get("blend", 0.0)


def distance_to(at: Coordinates, structure: str) -> Volume:
    """Signed distance to a structure of the table `atlas`."""
    return reduce(np.minimum, (distance for distance, _ in _each(at, structure)))


def head_distance(at: Coordinates, cranium: Volume) -> Volume:
    """Signed distance to the skin: the cranium joined with temples, face, nose, jaw and neck."""
    head = cranium
    for part, blend in _each(at, "skin"):
        head = smooth_union(head, part, blend)
    for hollow, blend in _each(at, "hollows"):
        head = -smooth_union(-head, hollow, blend)
    return head


def air_distance(at: Coordinates, texture: Volume) -> Volume:
    """Signed distance to the air of nose, throat, sinuses and mastoid cells."""
    cells = distance_to(at, "mastoid") + texture * np.float32(4.0)
    return np.minimum(distance_to(at, "air"), cells)


def facial_bone_distance(at: Coordinates) -> Volume:
    """Signed distance to the bones of the face: cheeks, jaws, walls of orbits and sinuses."""
    wall = np.abs(distance_to(at, "orbit") - np.float32(1.5)) - np.float32(1.5)
    sinus = np.abs(air_distance(at, np.zeros((), np.float32)) - np.float32(1.0)) - np.float32(1.2)
    return np.minimum(distance_to(at, "bone"), np.minimum(wall, sinus))


def canal_distances(at: Coordinates) -> tuple[Volume, Volume, Volume]:
    """Signed distances to the spinal cord, to its canal and to the vertebrae around it."""
    cord = _cylinder(at, -46.0, 6.0, -60.0)
    canal = _cylinder(at, -46.0, 12.0, -56.0)
    vertebra = np.minimum(_cylinder(at, -46.0, 17.0, -74.0), distance_to(at, "vertebra"))
    return cord, canal, vertebra
