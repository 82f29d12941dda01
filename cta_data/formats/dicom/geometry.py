"""Does a DICOM series form one regular volume?

Measured from the slices' positions; SliceThickness is not slice spacing and is never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.formats.dicom.frames import Frame
from cta_data.formats.lengths import require_plausible_lengths

MINIMUM_SLICES = 3
SAME_ORIENTATION_DEGREES = 0.1
SAME_POSITION_MM = 1e-3
SAME_SPACING_MM = 1e-4
ORTHOGONAL_COSINE = 1e-3
ROUNDED_COSINE = 5e-5  # other readers of NIfTI call a volume skewed from 1e-4 on
WORTH_A_RECORD_MM = 0.01
WORTH_A_RECORD_DEGREES = 0.5


@dataclass(frozen=True)
class SeriesRepairs:
    """What a cohort's card allows to be repaired; without it the series is refused.

    Attributes
    ----------
    resample_gantry_tilt
        Shift every slice within its plane, so that the volume is orthogonal.
    resample_uneven_steps
        Interpolate uneven or missing slices linearly onto a regular step.
    drop_identical_slices
        Keep one of several slices at one position where their pixels are the same.
    tolerance_mm
        How far a slice may lie from its regular place before it counts as a deviation.
    maximum_gap_mm
        A step longer than this is never interpolated.
    """

    resample_gantry_tilt: bool = False
    resample_uneven_steps: bool = False
    drop_identical_slices: bool = False
    tolerance_mm: float = 0.1
    maximum_gap_mm: float = 10.0


@dataclass(frozen=True)
class Deviation:
    """A departure from a regular volume, what was measured, and what was done about it."""

    kind: str
    measured: str
    action: Literal["tolerated", "repaired", "replaced"]
    method: str = ""

    def as_record(self) -> dict[str, str]:
        """The deviation as a row or a sidecar's entry, keys in CamelCase as BIDS has them."""
        record = {"Kind": self.kind, "Measured": self.measured, "Action": self.action}
        return record | ({"Method": self.method} if self.method else {})


@dataclass(frozen=True, eq=False)
class SeriesGeometry:
    """What was measured of a series. Lengths in mm, LPS; slices sorted along the normal.

    Attributes
    ----------
    order
        Indices of the frames as given, sorted along the normal.
    positions
        (n, 3) centres of the first pixels, sorted.
    cosines
        3 × 3: unit vectors along a row, along a column, and the normal, at right angles.
    delivered_cosines
        The same as the header gives them (rounded), and the unit vector from first to last slice.
    spacing
        Distance between rows, between columns.
    distances
        (n,) along the normal, from the first slice.
    offsets
        (n, 2) within the plane, along a row and along a column, from the first slice.
    """

    order: tuple[int, ...]
    positions: NDArray[np.float64]
    cosines: NDArray[np.float64]
    delivered_cosines: NDArray[np.float64]
    spacing: tuple[float, ...]
    matrices: tuple[tuple[int, int], ...]
    spacings: tuple[tuple[float, ...], ...]
    distances: NDArray[np.float64]
    offsets: NDArray[np.float64]
    orientation_spread_degrees: float
    axes_cosine: float
    localizers: int
    header_tilt_degrees: float | None

    @property
    def slices(self) -> int:
        """Number of slices."""
        return len(self.order)

    @property
    def steps(self) -> NDArray[np.float64]:
        """(n - 1,) distances between neighbours along the normal, mm."""
        return np.diff(self.distances)

    @property
    def step(self) -> float:
        """Median step, mm: the slice spacing, whatever SliceThickness says."""
        return float(np.median(self.steps)) if self.slices > 1 else 0.0

    @property
    def grid_cosines(self) -> NDArray[np.float64]:
        """Axes of the volume: as delivered where they are at right angles but for rounding."""
        delivered = self.delivered_cosines
        skew = np.abs(delivered @ delivered.T - np.eye(3)).max()
        return delivered if skew < ROUNDED_COSINE else self.cosines

    @property
    def lateral_shift(self) -> float:
        """How far the last slice is shifted within its plane against the first, mm."""
        return float(np.linalg.norm(self.offsets[-1]))

    @property
    def tilt_degrees(self) -> float:
        """Angle between the line from first to last slice and the normal."""
        return float(np.degrees(np.arctan2(self.lateral_shift, self.distances[-1])))

    @property
    def step_residual(self) -> float:
        """Largest distance, along the normal, of a slice from its place on a regular grid, mm."""
        regular = np.linspace(0.0, self.distances[-1], self.slices)
        return float(np.abs(self.distances - regular).max())

    @property
    def lateral_residual(self) -> float:
        """Largest distance, within the plane, of a slice from the line first to last, mm."""
        share = self.distances / self.distances[-1] if self.distances[-1] else self.distances
        line = share[:, None] * self.offsets[-1]
        return float(np.linalg.norm(self.offsets - line, axis=1).max())

    def missing(self, tolerance: float) -> list[tuple[int, int]] | None:
        """Gaps as (slice before, how many are missing), or None where steps are uneven otherwise.

        Slices are counted from 1 along the normal.
        """
        multiples = np.maximum(np.rint(self.steps / self.step), 1)
        if np.abs(self.steps - multiples * self.step).max() > tolerance:
            return None
        return [(int(i) + 1, int(multiples[i]) - 1) for i in np.flatnonzero(multiples > 1)]


def measure_frames(frames: Sequence[Frame]) -> SeriesGeometry:
    """Measure a series from its frames; nothing is checked here."""
    positions = np.array([frame.position for frame in frames])
    orientations = np.array([frame.orientation for frame in frames])
    row, column = orientations[0, :3], orientations[0, 3:]
    axes_cosine = max(abs(row @ column), abs(np.linalg.norm(row) - 1), abs(column @ column - 1))
    cosines = _right_angled(row, column)
    along = positions @ cosines.T
    order = np.lexsort((along[:, 0], along[:, 1], np.round(along[:, 2], 6)))
    along = along[order] - along[order[0]]
    tilts = [f.header_tilt_degrees for f in frames if f.header_tilt_degrees is not None]
    return SeriesGeometry(
        order=tuple(int(i) for i in order),
        positions=positions[order],
        cosines=cosines,
        delivered_cosines=np.array([row, column, _direction(positions[order], cosines[2])]),
        spacing=frames[order[0]].spacing,
        matrices=tuple(sorted({(f.rows, f.columns) for f in frames})),
        spacings=tuple(sorted({f.spacing for f in frames})),
        distances=along[:, 2],
        offsets=along[:, :2],
        orientation_spread_degrees=_spread_degrees(orientations),
        axes_cosine=float(axes_cosine),
        localizers=sum(f.is_localizer for f in frames),
        header_tilt_degrees=max(tilts, key=abs) if tilts else None,
    )


def _direction(positions: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    line = positions[-1] - positions[0]
    length = float(np.linalg.norm(line))
    return line / length if length > SAME_POSITION_MM else normal


def _right_angled(row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if length < ORTHOGONAL_COSINE:
        raise DataRefused("image_orientation_invalid", row=str(row), column=str(column))
    row, normal = row / np.linalg.norm(row), normal / length
    return np.array([row, np.cross(normal, row), normal])


def _spread_degrees(orientations: NDArray[np.float64]) -> float:
    """Largest angle between a row or column direction and that of the first slice."""
    largest = 0.0
    for axis in (orientations[:, :3], orientations[:, 3:]):
        sine = np.linalg.norm(np.cross(axis, axis[0]), axis=1)
        largest = max(largest, float(np.degrees(np.arctan2(sine, axis @ axis[0])).max()))
    return largest


def check_geometry(geometry: SeriesGeometry, repairs: SeriesRepairs) -> list[Deviation]:
    """Judge a measured series: the deviations to record, none for a regular volume.

    A deviation whose action is `repaired` still has to be repaired by the caller
    (`dicom_repair.resample_slices`).

    Raises
    ------
    DataRefused
        With what was measured, for everything that `repairs` does not allow.
    """
    _require_one_volume(geometry)
    _require_distinct_positions(geometry)
    found = [_judge_steps(geometry, repairs), _judge_tilt(geometry, repairs)]
    tilt = geometry.header_tilt_degrees
    if (
        tilt is not None
        and abs(tilt) > WORTH_A_RECORD_DEGREES
        and geometry.lateral_shift <= repairs.tolerance_mm
    ):
        found.append(
            Deviation(
                "gantry_tilt_in_header_only",
                f"GantryDetectorTilt {tilt:g}°, positions tilted {geometry.tilt_degrees:.2f}°",
                "tolerated",
            )
        )
    return [deviation for deviation in found if deviation is not None]


def _require_one_volume(geometry: SeriesGeometry) -> None:
    if geometry.localizers:
        raise DataRefused(
            "series_of_localizers", localizers=geometry.localizers, slices=geometry.slices
        )
    if geometry.slices < MINIMUM_SLICES:
        raise DataRefused("slices_too_few", slices=geometry.slices, minimum_slices=MINIMUM_SLICES)
    if geometry.orientation_spread_degrees > SAME_ORIENTATION_DEGREES:
        raise DataRefused(
            "slice_orientations_differ",
            orientation_spread_degrees=geometry.orientation_spread_degrees,
        )
    if len(geometry.matrices) > 1:
        sizes = ", ".join(f"{rows} × {columns}" for rows, columns in geometry.matrices)
        raise DataRefused("slice_sizes_differ", sizes=str(sizes))
    spread = np.ptp(np.array(geometry.spacings), axis=0).max()
    if spread > SAME_SPACING_MM:
        sizes = ", ".join(f"{row:g} × {column:g} mm" for row, column in geometry.spacings)
        raise DataRefused("pixel_spacings_differ", sizes=str(sizes))
    if min(geometry.spacing) <= 0:
        raise DataRefused("pixel_spacing_not_positive", spacing=str(geometry.spacing))
    spacing = [*geometry.spacing, *([geometry.step] if geometry.step > SAME_POSITION_MM else [])]
    require_plausible_lengths(spacing, geometry.positions[0].tolist())
    if geometry.axes_cosine > ORTHOGONAL_COSINE:
        raise DataRefused("image_axes_not_orthonormal", axes_cosine=geometry.axes_cosine)


def _require_distinct_positions(geometry: SeriesGeometry) -> None:
    repeated = int((geometry.steps < SAME_POSITION_MM).sum())
    if not repeated:
        return
    places = geometry.slices - repeated
    if places == 1:
        raise DataRefused("slices_at_one_position", slices=geometry.slices)
    several = geometry.slices % places == 0
    raise DataRefused(
        "series_of_several_volumes" if several else "slice_positions_repeated",
        slices=geometry.slices,
        places=places,
    )


def _judge_steps(geometry: SeriesGeometry, repairs: SeriesRepairs) -> Deviation | None:
    if geometry.step_residual <= repairs.tolerance_mm + 1e-6:
        if geometry.step_residual <= WORTH_A_RECORD_MM:
            return None
        measured = f"slices up to {geometry.step_residual:.3f} mm from a regular step"
        return Deviation("uneven_steps", measured, "tolerated")
    steps = geometry.steps
    why = f"slice steps from {steps.min():.1f} to {steps.max():.1f} mm"
    gaps = geometry.missing(repairs.tolerance_mm)
    if gaps:
        count = sum(number for _, number in gaps)
        after = ", ".join(str(before) for before, _ in gaps[:5]) + (", …" if gaps[5:] else "")
        why += f", {count} of {geometry.slices + count} missing, after slice {after}"
    kind = "missing_slices" if gaps else "uneven_steps"
    if not repairs.resample_uneven_steps:
        raise DataRefused("slices_missing" if gaps else "slices_uneven", why=why)
    if steps.max() > repairs.maximum_gap_mm:
        raise DataRefused("slice_gap_too_wide", why=why, maximum_gap_mm=repairs.maximum_gap_mm)
    return Deviation(kind, why, "repaired", "linear interpolation between neighbouring slices")


def _judge_tilt(geometry: SeriesGeometry, repairs: SeriesRepairs) -> Deviation | None:
    shift = max(geometry.lateral_shift, geometry.lateral_residual)
    if shift <= WORTH_A_RECORD_MM:
        return None
    straight = geometry.lateral_residual <= repairs.tolerance_mm + 1e-6
    why = f"slices are shifted sideways by up to {shift:.2f} mm"
    if straight:
        why = f"slices are stacked {geometry.tilt_degrees:.1f}° off their normal, {why}"
    kind = "gantry_tilt" if straight else "sideways_shifts"
    if shift <= repairs.tolerance_mm + 1e-6:
        return Deviation(kind, why, "tolerated")
    if not repairs.resample_gantry_tilt:
        raise DataRefused("gantry_tilted" if straight else "slices_sheared", why=why)
    return Deviation(kind, why, "repaired", "linear interpolation within each slice's plane")
