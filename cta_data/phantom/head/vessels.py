"""Blood vessels: dural sinuses, large arteries, and a tree of veins that creeps over the cortex."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cta_data.phantom.head.anatomy import Anatomy
from cta_data.phantom.head.template import COARSE_MM, load_template
from cta_data.phantom.tables import table

Points = npt.NDArray[np.float64]
Tube = tuple[Points, Points]
"""A polyline (n, 3) in LPS mm and its radius at each point."""


def paint_vessels(rng: np.random.Generator, anatomy: Anatomy) -> None:
    """Grow a patient's vessels and add them to `anatomy.vessels` as fractions."""
    tubes = [*_sinuses(anatomy), *_arteries(rng, anatomy)]
    tubes += _cortical_veins(rng, anatomy, tubes[0][0])
    for points, radii in tubes:
        _paint_tube(anatomy, points, radii)


def _patient_points(anatomy: Anatomy, ras: Points) -> Points:
    """Points of the template (RAS) in the patient (LPS), smoothed to a denser polyline."""
    steps = np.arange(len(ras))
    dense = np.linspace(0, len(ras) - 1, 4 * len(ras))
    smooth = np.stack([np.interp(dense, steps, ras[:, a]) for a in range(3)], axis=1)
    smooth[1:-1] = (smooth[:-2] + smooth[1:-1] + smooth[2:]) / 3.0
    return anatomy.warp.from_template(smooth * np.array([-1.0, -1.0, 1.0]))


def _hull_along(start: Points, directions: Points, level: float) -> Points:
    """Where rays (RAS, mm) leave the template's brain hull by `level` mm."""
    template = load_template()
    steps = np.arange(10.0, 130.0, 0.5)
    rays = start + directions[:, None, :] * steps[None, :, None]
    lps = rays * np.array([-1.0, -1.0, 1.0])
    index = ((lps - template.coarse_origin) / COARSE_MM)[..., ::-1]
    distance = ndimage.map_coordinates(
        template.brain_distance, np.moveaxis(index, -1, 0), order=1, mode="nearest"
    )
    last_inside = distance.shape[1] - 1 - np.argmax((distance < level)[:, ::-1], axis=1)
    return rays[np.arange(len(rays)), last_inside]


def _sinuses(anatomy: Anatomy) -> list[Tube]:
    """Superior sagittal, transverse and straight sinus, and the internal cerebral veins."""
    angle = np.deg2rad(np.linspace(12.0, 190.0, 60))
    rays = np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    sagittal = _hull_along(np.array([0.0, -20.0, 5.0]), rays, 0.8)
    tubes: list[Tube] = [
        (_patient_points(anatomy, sagittal), np.linspace(1.6, 4.0, 4 * len(sagittal)))
    ]
    torcula = sagittal[-1]
    for side in (-1.0, 1.0):
        angle = np.deg2rad(np.linspace(268.0, 330.0, 16))
        rays = np.stack([side * np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
        start = np.array([0.0, -35.0, torcula[2]])
        transverse = _hull_along(start, rays, 1.0)
        transverse[:, 2] -= np.linspace(0.0, 12.0, len(transverse))
        end = transverse[-1]
        sigmoid = end + np.array([[-side * 8, 8, -14], [-side * 20, 14, -30]])
        course = np.concatenate([torcula[None], transverse, sigmoid])
        tubes.append((_patient_points(anatomy, course), np.full(4 * len(course), 3.4)))
        vein = np.array(table("vessels", "internal_cerebral_vein")) * np.array([side, 1, 1])
        tubes.append((_patient_points(anatomy, vein), np.full(4 * len(vein), 1.0)))
    straight = np.concatenate(
        [torcula[None], np.array(table("vessels", "straight_sinus"), dtype=np.float64)]
    )
    tubes.append((_patient_points(anatomy, straight), np.full(4 * len(straight), 2.2)))
    return tubes


def _arteries(rng: np.random.Generator, anatomy: Anatomy) -> list[Tube]:
    """The arteries of the base of the brain and their first branches."""
    basilar = np.array(table("vessels", "basilar_artery"), dtype=np.float64)
    tubes: list[Tube] = [(_patient_points(anatomy, basilar), np.full(4 * len(basilar), 1.7))]
    for side in (-1.0, 1.0):
        for artery in table("vessels", "arteries"):
            course, thick, thin = artery["course"], artery["thick"], artery["thin"]
            wobble = rng.normal(0.0, 1.0, (len(course), 3))
            wobble[0] = 0.0
            points = (np.array(course) + wobble) * np.array([side, 1, 1])
            tubes.append(
                (_patient_points(anatomy, points), np.linspace(thick, thin, 4 * len(points)))
            )
    return tubes


def _cortical_veins(rng: np.random.Generator, anatomy: Anatomy, sinus: Points) -> list[Tube]:
    """Veins that leave the sagittal sinus and run down the hull of the brain, branching as they go.

    All walkers advance together: a step along the heading, then back onto the surface.
    """
    count, steps, step_mm = 34, 46, 1.8
    chosen = rng.choice(np.arange(len(sinus) // 10, len(sinus) * 9 // 10), count)
    position = sinus[chosen] + rng.normal(0.0, 0.5, (count, 3))
    heading = np.zeros((count, 3))
    heading[:, 0] = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    heading[:, 1] = rng.normal(0.0, 0.5, count)
    gradient = np.gradient(anatomy.coarse_brain, 2.0 * anatomy.canvas.spacing)
    starts = rng.integers(6, 20, count)
    # The second half of the walkers starts as branches of the first half.
    parent, branch = np.arange(count // 2), np.arange(count // 2, count)
    path = np.empty((steps, count, 3))
    for i in range(steps):
        for a, b in zip(parent, branch, strict=True):
            if i <= starts[a]:
                position[b] = position[a]
                heading[b] = heading[a] + rng.normal(0.0, 0.6, 3)
        index = anatomy.canvas.index(position, coarse=True)
        level = ndimage.map_coordinates(anatomy.coarse_brain, index, order=1, mode="nearest")
        normal = np.stack(
            [ndimage.map_coordinates(g, index, order=1, mode="nearest") for g in gradient[::-1]],
            axis=1,
        )
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        position = position - normal * (0.6 * (level - 0.3))[:, None]
        path[i] = position
        heading += rng.normal(0.0, 0.22, heading.shape)
        heading -= normal * np.sum(heading * normal, axis=1, keepdims=True)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9
        position = position + step_mm * heading
    tubes: list[Tube] = []
    for w in range(count):
        begin = 0 if w < count // 2 else int(starts[w - count // 2])
        thick = rng.uniform(1.1, 1.7) if begin == 0 else rng.uniform(0.8, 1.1)
        tubes.append((path[begin:, w], np.linspace(thick, 0.5, steps - begin)))
    return tubes


def _paint_tube(anatomy: Anatomy, points: Points, radii: Points) -> None:
    """Add one tube: the share of each voxel within the capsules between successive points."""
    canvas = anatomy.canvas
    shape = np.array(canvas.shape[::-1])
    for a, b, radius in zip(points[:-1], points[1:], radii[:-1], strict=True):
        reach = radius + canvas.spacing
        low = np.floor((np.minimum(a, b) - reach - canvas.origin) / canvas.spacing).astype(int)
        high = np.ceil((np.maximum(a, b) + reach - canvas.origin) / canvas.spacing).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, shape)
        if np.any(high <= low):
            continue
        x, y, z = (
            canvas.origin[i] + canvas.spacing * np.arange(low[i], high[i]) - a[i] for i in range(3)
        )
        ab = b - a
        along = x[None, None, :] * ab[0] + y[None, :, None] * ab[1] + z[:, None, None] * ab[2]
        along = np.clip(along / max(float(ab @ ab), 1e-9), 0.0, 1.0)
        squared = (
            (x[None, None, :] - along * ab[0]) ** 2
            + (y[None, :, None] - along * ab[1]) ** 2
            + (z[:, None, None] - along * ab[2]) ** 2
        )
        share = np.clip(0.5 - (np.sqrt(squared) - radius) / canvas.spacing, 0.0, 1.0)
        box = anatomy.vessels[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
        np.maximum(box, share, out=box, casting="same_kind")
