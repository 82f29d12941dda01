"""Contours to masks on an image's own grid.

* Where contours lie parallel to the slices and no farther apart than these, a voxel is inside when
  its centre is: in the slab around a plane, half way to its neighbours, by the rules of
  :mod:`cta_data.imaging.rasterization.contour_outlines` within the plane.
* Where planes are coarser than slices, or tilted against them, and where no voxel centre is
  inside, the region is brought to the grid as the step `transfer` does it, so that its volume is
  kept.
* Planes that are not neighbours stay apart, and the gap is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Arrangement, Grid, Placed
from cta_data.imaging.rasterization.contour_planes import DrawnPlanes, slab_limits
from cta_data.imaging.rasterization.contour_reference import DRAWN_ON_IT, ReferenceMatch
from cta_data.imaging.rasterization.contours import Roi
from cta_data.imaging.rasterization.polygon_fill import Polygon, fill_outlines

# Contours may leave their slice by this share of the slice spacing.
_FLATNESS_SHARE = 0.1
# Planes up to this many slices apart are as fine as the slices.
_AS_FINE = 1.05
_LARGEST_FILL = 20_000  # pixels along one side; more is a coordinate that cannot be meant
REFUSED = "refused"
"""Status of an ROI whose contours cannot be trusted, or not on this image."""


@dataclass(frozen=True, eq=False)
class RasterizedRoi:
    """The mask of one ROI, kept as the box that it fills.

    ``region`` is bool (z, y, x) and starts at voxel ``start`` (x, y, z) of the image.
    ``status`` is ``ok``, ``no_contours``, ``outside`` (nothing inside the image) or ``refused``
    (its contours cannot be trusted, or not on this image; the last note says why). Volumes are
    mm³; ``volume_drawn_mm3`` is contour area times the extent of the planes.
    """

    number: int
    name: str
    interpreted_type: str | None
    status: str
    region: NDArray[np.bool_]
    start: tuple[int, int, int]
    n_voxels: int
    volume_mm3: float
    volume_drawn_mm3: float
    fraction_inside: float
    reference: ReferenceMatch
    notes: tuple[str, ...]

    def mask(self, image: Placed) -> sitk.Image:
        """The mask on the whole grid of ``image``: uint8, 1 inside."""
        return Grid.of(image).image(union_of([self], image))

    @property
    def box(self) -> tuple[slice, ...]:
        """Where ``region`` lies in the image, (z, y, x)."""
        low = self.start[::-1]
        return tuple(slice(a, a + n) for a, n in zip(low, self.region.shape, strict=True))


def union_of(rois: Iterable[RasterizedRoi], image: Placed) -> NDArray[np.uint8]:
    """One mask of several ROIs on the grid of ``image``: (z, y, x), 1 inside."""
    union = np.zeros(tuple(image.GetSize())[::-1], np.uint8)
    for roi in rois:
        union[roi.box] |= roi.region
    return union


@dataclass(frozen=True, eq=False)
class _Filled:
    """A box of voxels (z, y, x), where it starts (x, y, z), and how much of the ROI is in it."""

    region: NDArray[np.bool_]
    start: tuple[int, int, int]
    fraction_inside: float
    notes: tuple[str, ...] = ()


def rasterize_planes(
    roi: Roi, drawn: DrawnPlanes | None, image: Placed, reference: ReferenceMatch | None = None
) -> RasterizedRoi:
    """Rasterise the planes of one ROI on the grid of ``image``.

    Raises
    ------
    DataRefused
        If its contours have impossible extents.
    """
    reference = reference or ReferenceMatch("unchecked")
    if drawn is None:
        return without_mask(roi, "no_contours", "it has no closed contour", reference)
    grid = Grid.of(image)
    _require_possible(roi, drawn, grid)
    filled = _fill(roi, drawn, grid)
    n_voxels = int(filled.region.sum())
    return RasterizedRoi(
        number=roi.number,
        name=roi.name,
        interpreted_type=roi.interpreted_type,
        status="ok" if n_voxels else "outside",
        region=filled.region,
        start=filled.start,
        n_voxels=n_voxels,
        volume_mm3=n_voxels * grid.voxel_volume_mm3,
        volume_drawn_mm3=drawn.volume_mm3,
        fraction_inside=filled.fraction_inside,
        reference=reference,
        notes=(*drawn.notes, *filled.notes, *_thickness(drawn, grid, reference)),
    )


def without_mask(roi: Roi, status: str, note: str, reference: ReferenceMatch) -> RasterizedRoi:
    """An ROI that no mask can be made of, and why."""
    empty = np.zeros((0, 0, 0), bool)
    return RasterizedRoi(
        roi.number, roi.name, roi.interpreted_type, status, empty, (0, 0, 0),
        0, 0.0, 0.0, 0.0, reference, (note,),
    )  # fmt: skip


def spacing_along_axes(grid: Grid) -> list[float]:
    """Spacing (mm) of the image axes that lie nearest to x, y and z."""
    return [float(grid.spacing[grid.facing(axis).axes[2]]) for axis in np.eye(3)]


def leaves_slices(drawn: DrawnPlanes, grid: Grid) -> str:
    """Say how contours are tilted against the slices that they face; empty where they are not."""
    slices = grid.arranged(grid.facing(drawn.axes[2]))
    normal = slices.slice_normal
    leaves = max(float(np.ptp(plane.points_lps_mm @ normal)) / 2 for plane in drawn.planes)
    if leaves <= _FLATNESS_SHARE * slices.spacing[2]:
        return ""
    angle = np.degrees(np.arccos(min(1.0, abs(float(drawn.axes[2] @ normal)))))
    return f"its contours are tilted against the slices (angle {angle:.2f}°)"


def _thickness(drawn: DrawnPlanes, grid: Grid, reference: ReferenceMatch) -> list[str]:
    """Note that the thickness of a single plane is unknown on an image that is not its source."""
    own = float(grid.spacing[grid.facing(drawn.axes[2]).axes[2]])
    known = len(drawn.planes) > 1 or drawn.spacing_mm != own
    if known or reference.kind in DRAWN_ON_IT:
        return []
    return [f"drawn on one plane, taken to be as thick as a slice ({own:.2f} mm)"]


def _require_possible(roi: Roi, drawn: DrawnPlanes, grid: Grid) -> None:
    vertices = np.concatenate([plane.points_lps_mm for plane in drawn.planes])
    extent = np.ptp(grid.to_index(vertices), axis=0).max()
    if extent > _LARGEST_FILL:
        raise DataRefused(
            "contour_too_large", where=f"ROI {roi.number} {roi.name!r}", extent=extent
        )


def _fill(roi: Roi, drawn: DrawnPlanes, grid: Grid) -> _Filled:
    """Fill by voxel centres where that keeps the region, else as lesions are transferred."""
    arrangement = grid.facing(drawn.axes[2])
    arranged = grid.arranged(arrangement)
    tilt = leaves_slices(drawn, grid)
    if tilt:
        return _transferred(roi, drawn, grid, tilt)
    if drawn.spacing_mm > _AS_FINE * arranged.spacing[2]:
        return _transferred(roi, drawn, grid)
    layers, notes = _layers(drawn, arranged)
    if not any(layer.any() for layer, _ in layers.values()):
        return _transferred(roi, drawn, grid, "no voxel centre is inside")
    return _cropped(layers, notes, arrangement, grid)


def _transferred(roi: Roi, drawn: DrawnPlanes, grid: Grid, *notes: str) -> _Filled:
    """Bring the region to the grid by how much of each voxel it covers; its volume is kept."""
    # Most contours lie on the slices, and need nothing of all that this loads.
    from scipy import ndimage

    from cta_data.imaging.lesions.drawn_lesions import lesions_of_planes
    from cta_data.imaging.lesions.label_transfer import transfer_lesions

    lesions = lesions_of_planes(roi, drawn)
    result = transfer_lesions(lesions, sitk.Transform(3, sitk.sitkIdentity), grid)
    labels = sitk.GetArrayViewFromImage(result.labels)
    boxes = ndimage.find_objects((labels > 0).astype(np.int8))
    inside = sum(one.fraction_inside * one.volume_drawn_mm3 for one in result.per_lesion)
    share = inside / sum(lesion.volume_mm3 for lesion in lesions)
    if not boxes:
        return _Filled(np.zeros((0, 0, 0), bool), (0, 0, 0), share, notes)
    z, y, x = boxes[0]
    return _Filled(labels[boxes[0]] > 0, (x.start, y.start, z.start), share, notes)


_Layer = tuple[NDArray[np.bool_], NDArray[np.int64]]
"""A filled box of one slice (rows, columns), and its first column and row."""


def _layers(drawn: DrawnPlanes, grid: Grid) -> tuple[dict[int, _Layer], tuple[str, ...]]:
    """The filled box of every slice that the ROI reaches, inside the image or not."""
    # The fourth decimal of a slice is beyond what a file keeps; a plane half way stays half way.
    positions = np.array(
        [round(float(grid.to_index(p.points_lps_mm)[:, 2].mean()), 4) for p in drawn.planes]
    )
    planes, joined = list(drawn.planes), drawn.joined
    if positions[0] > positions[-1]:
        positions, planes, joined = positions[::-1], planes[::-1], joined[::-1]
    spacing = drawn.spacing_mm / float(grid.spacing[2])
    bottom, top = np.round(slab_limits(positions, spacing, joined), 4)
    layers: dict[int, _Layer] = {}
    for plane, low, high in zip(planes, bottom, top, strict=True):
        # A slice half way between two planes belongs to the lower one.
        slices = range(int(np.floor(low)) + 1, int(np.floor(high)) + 1)
        if slices:
            layers |= dict.fromkeys(slices, _filled_box(plane.outlines, grid))
    return layers, _gaps(positions, joined, layers)


def _gaps(
    positions: NDArray[np.float64], joined: NDArray[np.bool_], layers: dict[int, _Layer]
) -> tuple[str, ...]:
    """The gaps between planes that are not neighbours, in slices."""
    notes = []
    for low, high in zip(positions[:-1][~joined], positions[1:][~joined], strict=True):
        between = range(int(np.ceil(low)), int(np.ceil(high)))
        empty = sum(k not in layers for k in between)
        notes.append(f"no contours on {empty} slices from {low:.2f} to {high:.2f}")
    return tuple(notes)


def _filled_box(outlines: Sequence[Sequence[NDArray[np.float64]]], grid: Grid) -> _Layer:
    """Fill the outlines of one plane (LPS, mm) on the pixels of a slice."""
    polygons: list[list[Polygon]] = [
        [grid.to_index(points)[:, :2] for points in outline] for outline in outlines
    ]
    vertices = np.concatenate([polygon for outline in polygons for polygon in outline])
    corner = np.floor(vertices.min(axis=0)).astype(np.int64)
    columns, rows = np.ceil(vertices.max(axis=0)).astype(np.int64) - corner + 1
    local = [[polygon - corner for polygon in outline] for outline in polygons]
    return fill_outlines(local, (int(rows), int(columns))), corner


def _cropped(
    layers: dict[int, _Layer], notes: tuple[str, ...], arrangement: Arrangement, whole: Grid
) -> _Filled:
    """The part of the layers that is inside the image, in the image's own order of voxels."""
    size = np.array(whole.arranged(arrangement).size)
    corners = np.array([corner for _, corner in layers.values()])
    ends = np.array([corner + layer.shape[::-1] for layer, corner in layers.values()])
    low = np.clip([*corners.min(axis=0), min(layers)], 0, size)
    high = np.maximum(np.clip([*ends.max(axis=0), max(layers) + 1], 0, size), low)
    voxels = np.zeros((high - low)[::-1], bool)
    for k, (layer, corner) in layers.items():
        if not (voxels.size and low[2] <= k < high[2]):
            continue
        first = np.maximum(corner, low[:2])
        last = np.maximum(np.minimum(corner + layer.shape[::-1], high[:2]), first)
        (x0, y0), (x1, y1) = first - corner, last - corner
        to_x, to_y = first - low[:2]
        voxels[k - low[2], to_y : to_y + y1 - y0, to_x : to_x + x1 - x0] = layer[y0:y1, x0:x1]
    total = sum(int(layer.sum()) for layer, _ in layers.values())
    region, start = arrangement.undo(voxels, (int(low[0]), int(low[1]), int(low[2])), whole.size)
    return _Filled(region, start, float(voxels.sum()) / total, notes)
