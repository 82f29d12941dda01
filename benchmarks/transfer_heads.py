"""Drawn heads for ``benchmarks/transfer.py``: analytic lesions, their contours, and the truth.

A head is a set of lesions drawn on one source grid, and a target grid that a known transform
leads to. What should arrive there is computed from the outlines by none of the code measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.rasterization.contour_planes import planes_of_rois
from cta_data.imaging.rasterization.contours import Contour, Roi
from cta_data.imaging.rasterization.rasterize import rasterize_planes, spacing_along_axes
from cta_data.phantom.export.structure_set import shape_contours
from cta_data.phantom.geometry import SAGITTAL, Rigid, box_around, points_in, random_rigid
from cta_data.phantom.head.lesions import StarShape, shape_of_volume

Array = NDArray[np.float64]

SOURCE_MM, TARGET_MM, MARGIN_MM = 1.0, 0.9, 5.0
REGION_MM = np.array([50.0, 60.0, 45.0])
SAMPLES = 6  # per axis and voxel: 0.15 mm apart
NEIGHBOURS = np.ones((3, 3, 3))
TRUTHS = ("dice", "dice_majority", "dice_shape")


@dataclass(frozen=True, eq=False)
class Head:
    """Lesions drawn on a source grid, and the target grid with the known transform to the source.

    ``polygons`` of a lesion (by number) are pairs of slice and outline, mm along the source's axes.
    """

    source: Grid
    target: Grid
    matrix: Array
    offset: Array
    shapes: dict[int, StarShape]
    polygons: dict[int, list[tuple[int, Array]]]
    rois: list[Roi]
    mask: sitk.Image

    @property
    def transform(self) -> sitk.AffineTransform:
        """ITK's resampling direction: points of the target to points of the source (LPS, mm)."""
        transform = sitk.AffineTransform(3)
        transform.SetMatrix(self.matrix.ravel().tolist())
        transform.SetTranslation(self.offset.tolist())
        return transform


def place(rng: np.random.Generator, volumes_mm3: Array) -> dict[int, StarShape]:
    """Lesions of these volumes, numbered from 1, at least 3 mm apart."""
    placed: list[tuple[StarShape, float]] = []
    for volume in np.sort(volumes_mm3)[::-1]:
        shape = shape_of_volume(np.zeros(3), float(volume), rng.normal(0.0, 0.095, 12))
        reach = shape.reach_mm()
        while True:
            centre = rng.uniform(-1.0, 1.0, 3)
            if np.linalg.norm(centre) > 1.0:
                continue
            centre = centre * REGION_MM
            apart = [np.linalg.norm(centre - s.centre) - reach - r for s, r in placed]
            if all(gap > 3.0 for gap in apart):
                break
        placed.append((StarShape(centre, shape.scale_mm, shape.harmonics), reach))
    return {number: shape for number, (shape, _) in enumerate(placed, start=1)}


def grid_around(points: Array, direction: Array, spacing: float) -> Grid:
    """The grid along ``direction`` that holds all points (LPS, mm) and a margin."""
    local = points @ direction
    low, high = local.min(axis=0) - MARGIN_MM, local.max(axis=0) + MARGIN_MM
    x, y, z = np.ceil((high - low) / spacing).astype(int).tolist()
    return Grid((x, y, z), np.full(3, spacing), direction @ low, direction)


def draw_head(rng: np.random.Generator, volumes_mm3: Array, axes: Array) -> Head:
    """Place lesions, draw them slice by slice along ``axes``, and move the target grid."""
    shapes = place(rng, volumes_mm3)
    ends = np.vstack([np.eye(3), -np.eye(3)])
    around: Array = np.array(
        [s.centre + s.reach_mm() * end for s in shapes.values() for end in ends]
    )
    source = grid_around(around, axes, SOURCE_MM)
    pose = random_rigid(rng, degrees=20.0, millimetres=15.0, about=np.zeros(3))
    matrix = pose.rotation @ (np.eye(3) + rng.uniform(-0.01, 0.01, (3, 3)))
    moved: Array = (around - pose.translation) @ np.asarray(np.linalg.inv(matrix), np.float64).T
    target = grid_around(moved, SAGITTAL, TARGET_MM)
    local = Grid(source.size, source.spacing, np.zeros(3), np.eye(3))
    to_local = Rigid(axes.T, -axes.T @ source.origin)
    polygons = {
        number: [(k, ring[:, :2]) for k, ring in shape_contours(shape, local, to_local)]
        for number, shape in shapes.items()
    }
    rois = [roi_of(number, drawn, source) for number, drawn in polygons.items()]
    mask = mask_of(rois, source)
    return Head(source, target, matrix, pose.translation, shapes, polygons, rois, mask)


def roi_of(number: int, drawn: list[tuple[int, Array]], grid: Grid) -> Roi:
    """Outlines along the grid's axes as contours in space."""
    contours = []
    for k, ring in drawn:
        points = np.column_stack([ring, np.full(len(ring), k * grid.spacing[2])])
        contours.append(Contour(points @ grid.direction.T + grid.origin))
    return Roi(number, f"lesion {number}", contours=tuple(contours))


def empty_image(grid: Grid) -> sitk.Image:
    """An image that carries a grid."""
    return grid.image(np.zeros(grid.size[::-1], np.uint8))


def mask_of(rois: list[Roi], grid: Grid) -> sitk.Image:
    """What peers are given: ROI numbers at the voxel centres inside."""
    image = empty_image(grid)
    voxels = np.zeros(grid.size[::-1], np.uint16)
    for roi in rois:
        (drawn,) = planes_of_rois([roi], spacing_along_axes(grid))
        found = rasterize_planes(roi, drawn, image)
        box = tuple(
            slice(a, a + n) for a, n in zip(found.start[::-1], found.region.shape, strict=True)
        )
        voxels[box][found.region] = roi.number
    return grid.image(voxels)


@dataclass(frozen=True, eq=False)
class Truth:
    """A lesion as it should arrive: exact volume (mm³) and centroid, and three masks in ``box``."""

    volume_drawn_mm3: float
    volume_mm3: float
    centroid: Array
    box: tuple[slice, slice, slice]
    masks: dict[str, NDArray[np.bool_]]


def truth_of(head: Head, number: int) -> Truth:
    """From the outlines themselves, by none of the code that is measured."""
    drawn, shape = head.polygons[number], head.shapes[number]
    area, middle = moments(drawn)
    centre = head.source.origin + head.source.direction @ (middle * [1.0, 1.0, SOURCE_MM])
    back = np.linalg.inv(head.matrix)
    centroid = back @ (centre - head.offset)
    box = box_around(
        head.target, back @ (shape.centre - head.offset), shape.reach_mm() * 1.05 + 2.5
    )
    assert box is not None
    points = points_in(head.target, box)
    inside = within(head, drawn, points)
    near = ndimage.binary_dilation(inside, NEIGHBOURS)
    if inside.sum() < 300:
        near[:] = True
    edge = near & ~ndimage.binary_erosion(inside, NEIGHBOURS)
    steps = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5) * TARGET_MM
    offsets = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    offsets = offsets @ head.target.direction.T
    share = inside.astype(np.float64)
    share[edge] = within(head, drawn, points[edge][:, None] + offsets).mean(axis=1)
    body = shape.distance(points @ head.matrix.T + head.offset) <= 0.0
    masks = dict(zip(TRUTHS, (inside, share > 0.5, body), strict=True))
    volume = area * SOURCE_MM
    return Truth(volume, volume / float(np.linalg.det(head.matrix)), centroid, box, masks)


def moments(drawn: list[tuple[int, Array]]) -> tuple[float, Array]:
    """Area of all outlines (holes run the other way round) and their centroid (x, y, slice)."""
    sums = np.zeros(4)
    for k, ring in drawn:
        (x, y), (u, v) = ring.T, np.roll(ring, -1, axis=0).T
        cross = x * v - u * y
        area = cross.sum() / 2
        sums += [area, ((x + u) * cross).sum() / 6, ((y + v) * cross).sum() / 6, area * k]
    return abs(float(sums[0])), sums[1:] / sums[0]


def within(head: Head, drawn: list[tuple[int, Array]], points: Array) -> NDArray[np.bool_]:
    """Whether target points lie in the slab of an outline and, even-odd, inside of it."""
    moved = points.reshape(-1, 3) @ head.matrix.T + head.offset
    local = (moved - head.source.origin) @ head.source.direction
    slab = np.floor(local[:, 2] / SOURCE_MM + 0.5).astype(int)
    inside = np.zeros(len(local), bool)
    for k, ring in drawn:
        at = np.flatnonzero(slab == k)
        if len(at):
            inside[at] ^= Outline(np.vstack([ring, ring[:1]]), closed=True).contains_points(
                local[at, :2]
            )
    return inside.reshape(points.shape[:-1])
