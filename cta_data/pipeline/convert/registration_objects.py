"""What Spatial Registration objects say of a session's frames of reference, held to one answer.

Several objects may speak of one pair of frames, directly or by way of a third. Where they place a
head differently, none is used until a person decides: labels would be off by that distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom.spatial_registration import read_spatial_registration
from cta_data.formats.dicom.time import Moment, in_order, is_later
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.geometry.inverse import inverse_of
from cta_data.pipeline.convert.annotation_choice import made_at
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSeries, RawSession
from cta_data.study import layout

SAME_MM = 0.1
"""Two objects say the same of a pair of frames up to here: a tenth of a voxel."""
AROUND_MM = 2.0
"""Pairs that were registered each for itself close their circle up to here."""
MADE = ("ContentDate", "ContentTime")
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Statement:
    """What one object says: points of frame `fixed` to points of frame `moving` (LPS, mm)."""

    fixed: int
    moving: int
    transform: sitk.Transform
    made: Moment | None

    @property
    def pair(self) -> frozenset[int]:
        """The two frames, whatever the direction."""
        return frozenset({self.fixed, self.moving})


def convert_registrations(
    unit: UnitId, session: RawSession, images: ConvertedImages, policy: str, workspace: Workspace
) -> None:
    """Write what Spatial Registration objects say of the session's frames of reference.

    A file named from-frame2_to-frame1 maps points of frame 1 to points of frame 2 (LPS, mm). Of a
    pair, the direction that begins at the lower number is written; of a deformation the one that
    the object holds.

    Parameters
    ----------
    policy
        `geometry.registration_objects` of the card: what objects that contradict each other mean.

    Raises
    ------
    DataRefused
        A registration object is damaged, or objects contradict themselves or each other.
    """
    if policy == "ignore":
        return
    by_pair: dict[frozenset[int], list[Statement]] = {}
    for statement in _statements(session.of_kind("REG"), images):
        by_pair.setdefault(statement.pair, []).append(statement)
    points = {image.frame: _points(image) for image in reversed(images.placed)}
    names = _names(images.placed)
    agreed = [_agreed(told, points, names, policy, images.notes) for told in by_pair.values()]
    _require_circles_to_close(agreed, points, names)
    for one in agreed:
        path = layout.stated_transform(unit.session, one.fixed, one.moving)
        sitk.WriteTransform(one.transform, str(workspace.write(path)))


def _statements(series: Iterable[RawSeries], images: ConvertedImages) -> Iterable[Statement]:
    frames = images.frame_uids()
    for raw in (RawSeries(s.kind, s.identifier, [d], s.header) for s in series for d in s.datasets):
        registration = read_spatial_registration(raw.datasets[0])
        images.notes += [f"registration object: {note}" for note in registration.notes]
        for pair in combinations(sorted(frames), 2):
            for fixed, moving in (pair, pair[::-1]):
                if registration.connects(frames[fixed], frames[moving]):
                    transform = registration.transform(frames[fixed], frames[moving])
                    yield Statement(fixed, moving, transform, made_at(raw.datasets[0], MADE))
                    break


def _agreed(
    told: Sequence[Statement],
    points: Mapping[int, Points],
    names: Mapping[int, str],
    policy: str,
    notes: list[str],
) -> Statement:
    """Return what all objects say of one pair, or the latest of them where the card allows it.

    Raises
    ------
    DataRefused
        They place the head differently, and the card or their dates do not tell which counts.
    """
    first = told[0]
    apart = max((_apart_mm(first, other, points) for other in told[1:]), default=0.0)
    if apart <= SAME_MM:
        return first
    told_of = f"{len(told)} objects that bring {names[first.moving]} to {names[first.fixed]}"
    found = f"{told_of} are up to {apart:.1f} mm apart within the head: {_in_numbers(told, points)}"
    if policy == "latest":
        ordered = sorted(told, key=lambda one: in_order(one.made))
        newest = ordered[-1]
        if all(is_later(newest.made, other.made) for other in ordered[:-1]):
            notes.append(f"the latest of {found}")
            return newest
        found += f"; {' and '.join(MADE)} do not tell which is the latest"
    raise DataRefused("registration_objects_contradict", why=found)


def _require_circles_to_close(
    agreed: Sequence[Statement], points: Mapping[int, Points], names: Mapping[int, str]
) -> None:
    """Carry points of one frame to all others, and hold every statement against where they are.

    Raises
    ------
    DataRefused
        A frame is reached by two ways that differ.
    """
    placed: dict[int, Points] = {}
    # Begin where most statements begin: a deformation is not inverted then.
    begins = Counter(one.fixed for one in agreed)
    for start in sorted({f for one in agreed for f in one.pair}, key=lambda f: (-begins[f], f)):
        if start in placed:
            continue
        placed[start] = points[start]
        waiting = [start]
        while waiting:
            frame = waiting.pop(0)
            for one in agreed:
                other = next(iter(one.pair - {frame}))
                if frame in one.pair and other not in placed:
                    placed[other] = _carried(one, placed[frame], frame)
                    waiting.append(other)
    for one in agreed:
        off = _mapped(one.transform, placed[one.fixed]) - placed[one.moving]
        apart = float(np.linalg.norm(off, axis=1).max())
        if apart > AROUND_MM:
            raise DataRefused(
                "registration_loop_not_closed",
                moving=names[one.moving],
                fixed=names[one.fixed],
                apart_mm=apart,
            )


def _apart_mm(first: Statement, other: Statement, points: Mapping[int, Points]) -> float:
    """The largest distance between where two objects place points of the head."""
    start = points[first.fixed]
    there = _mapped(first.transform, start)
    if other.fixed == first.fixed:
        off = _mapped(other.transform, start) - there
    else:
        off = _mapped(other.transform, there) - start
    return float(np.linalg.norm(off, axis=1).max())


def _in_numbers(told: Sequence[Statement], points: Mapping[int, Points]) -> str:
    """Say where each object takes the middle of the first image."""
    first = told[0]
    middle = points[first.fixed].mean(axis=0, keepdims=True)
    shifts = [_carried(one, middle, first.fixed)[0] - middle[0] for one in told]
    return "; ".join(
        f"object {number} moves its middle by ({', '.join(f'{v:.1f}' for v in shift)}) mm"
        for number, shift in enumerate(shifts, start=1)
    )


def _carried(one: Statement, points: Points, frame: int) -> Points:
    """Points of `frame`, one of the statement's, in the other frame."""
    transform = one.transform if frame == one.fixed else inverse_of(one.transform)
    return _mapped(transform, points)


def _mapped(transform: sitk.Transform, points: Points) -> Points:
    return np.array([transform.TransformPoint(point) for point in points.tolist()])


def _points(image: PlacedImage) -> Points:
    """27 points (LPS, mm) within the head: at a quarter, half and three quarters of each axis."""
    grid = Grid.of(image.grid)
    shares = np.stack(np.meshgrid(*[[0.25, 0.5, 0.75]] * 3, indexing="ij"), axis=-1)
    steps = shares.reshape(-1, 3) * (np.array(grid.size) - 1) * grid.spacing
    return grid.origin + steps @ grid.direction.T


def _names(images: Sequence[PlacedImage]) -> dict[int, str]:
    """The images of each frame of reference, in words; with their phases where those tell apart."""
    frames: dict[str, set[int]] = {}
    for image in images:
        frames.setdefault(image.technique, set()).add(image.frame)
    named: dict[int, set[str]] = {}
    for image in images:
        name = image.technique if len(frames[image.technique]) == 1 else image.name
        named.setdefault(image.frame, set()).add(name)
    return {frame: " and ".join(sorted(words)) for frame, words in named.items()}
