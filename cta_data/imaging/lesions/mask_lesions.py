"""Lesions from masks: lesion voxels, separation of lesions, other values.

A mask's values mean what its cohort says they mean and nothing else: a value that is not known
stops the subject, since oedema or a resection cavity would else be counted as a metastasis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cc3d
import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Arrangement, Grid, Placed
from cta_data.imaging.lesions.components import connected_parts
from cta_data.imaging.lesions.label_values import whole_numbers
from cta_data.reasons import Reason

MOST_LESIONS = 65_535
Box = tuple[slice, slice, slice]
"""Slices along z, y and x."""
MOST_NAMED = 5


@dataclass(frozen=True)
class MaskMeaning:
    """What the values of a cohort's masks are.

    Attributes
    ----------
    lesion_values
        Values that are lesion.
    other_values
        Values that are something else, and what.
    threshold
        Values above it are lesion, whatever they are; None takes values literally.
    instances
        ``components`` (26-connected), ``values`` (a lesion each) or ``files`` (a lesion each).
    """

    lesion_values: tuple[int, ...]
    other_values: Mapping[int, str] = field(default_factory=dict)
    threshold: float | None = None
    instances: str = "components"


@dataclass(frozen=True)
class Region:
    """One value of one mask (or one whole mask), and whether it is lesion.

    ``number`` counts from 1 over all masks; ``reason`` says why it is none.
    """

    number: int
    name: str
    n_voxels: int
    lesion: bool
    reason: Reason | None


@dataclass(frozen=True)
class MaskLesion:
    """One lesion: ``id`` is its value in the labels, ``region`` the number of its region."""

    id: int
    region: int
    name: str
    component: int
    n_voxels: int
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MaskLesions:
    """Labels (z, y, x; value = lesion id) on the masks' grid, lesions and regions."""

    labels: NDArray[np.integer]
    lesions: tuple[MaskLesion, ...]
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()

    @property
    def impossible(self) -> Reason | None:
        """Why the labels cannot be lesions of a brain; None where they can."""
        return Reason("mask_without_background") if self.labels.all() else None


@dataclass(frozen=True, eq=False)
class _Part:
    """The voxels of one lesion, in its box (z, y, x) of the whole array."""

    region: int
    name: str
    component: int
    box: Box
    voxels: NDArray[np.bool_]
    n_voxels: int
    several: bool = False


def lesions_of_masks(
    masks: Sequence[tuple[str, NDArray[np.generic]]],
    meaning: MaskMeaning,
    placed: Placed,
) -> MaskLesions:
    """Take the lesions out of a session's masks.

    Parameters
    ----------
    masks
        Name and voxels (z, y, x) of each, in the order that numbers their regions; all on one grid.
    meaning
        See `MaskMeaning`.
    placed
        The grid that all of them lie on.

    Returns
    -------
    MaskLesions
        Lesions are numbered by region, and within a region from the feet upwards, whatever the
        order of the voxels. A voxel that several lesions claim goes to the smallest of them, so
        that none is swallowed.

    Raises
    ------
    DataRefused
        If a mask holds a value that is neither lesion, nor known, nor background, or fractions
        that no threshold decides about.
    """
    grid = Grid.of(placed)
    order = grid.towards_ras()
    regions: list[Region] = []
    parts: list[_Part] = []
    for name, mask in masks:
        above = _above(mask, meaning, name) if meaning.threshold is not None else mask
        voxels = require_whole_numbers(above, name)
        found, own = _parts_of_mask(name, voxels, meaning, len(regions), order)
        regions += found
        parts += own
    if len(parts) > MOST_LESIONS:
        raise DataRefused("mask_lesions_too_many", n_parts=len(parts), most_lesions=MOST_LESIONS)
    labels = np.zeros(grid.size[::-1], np.uint8 if len(parts) < 256 else np.uint16)
    # The smallest is painted last, over those that it lies in; of equals the first keeps its own.
    for number, part in sorted(enumerate(parts, 1), key=lambda p: (-p[1].n_voxels, -p[0])):
        labels[part.box][part.voxels] = number
    kept = {n: int((labels[part.box] == n).sum()) for n, part in enumerate(parts, 1)}
    notes = _overlap_notes(parts, kept)
    lesions = [_lesion(number, part, kept[number]) for number, part in enumerate(parts, 1)]
    return MaskLesions(labels, tuple(lesions), tuple(regions), notes)


def require_whole_numbers(voxels: NDArray[np.generic], name: str = "") -> NDArray[np.integer]:
    """Return the voxels (z, y, x) of a mask as whole numbers.

    Raises
    ------
    DataRefused
        If it is no scalar volume, or holds fractions or values that are not finite.
    """
    if voxels.ndim != 3:
        raise DataRefused("mask_not_a_label_image", where=name or "mask", shape=str(voxels.shape))
    return whole_numbers(voxels, name or "mask")


def _above(mask: NDArray[np.generic], meaning: MaskMeaning, name: str) -> NDArray[np.integer]:
    """Voxels above the threshold as the first lesion value, whatever they are."""
    values = np.asarray(mask)
    if not np.isfinite(values).all():
        raise DataRefused("mask_not_finite", where=name or "mask")
    above: NDArray[np.integer] = np.zeros(values.shape, np.int64)
    above[values > meaning.threshold] = meaning.lesion_values[0]
    return above


def _parts_of_mask(
    name: str, voxels: NDArray[np.integer], meaning: MaskMeaning, before: int, order: Arrangement
) -> tuple[list[Region], list[_Part]]:
    """Regions and lesions of one mask; `before` regions are numbered already."""
    # Masks are nearly empty: all but the first look at them goes to the box of what is there.
    box, values = _content(voxels)
    crop = voxels[box]
    found, counts = np.unique(values, return_counts=True)
    present = dict(zip(found.tolist(), counts.tolist(), strict=True))
    _refuse_unknown(name, present, meaning)
    lesion_values = [value for value in present if value in meaning.lesion_values]
    if meaning.instances == "files":
        count = sum(present[value] for value in lesion_values)
        reason = None if count else Reason("mask_region_empty")
        region = Region(before + 1, name, count, count > 0, reason)
        parts = [_whole(region, _any_of(crop, lesion_values), count, box)] if count else []
        return [region], parts
    regions = [
        _region(before + n, name, value, present[value], meaning)
        for n, value in enumerate(sorted(present), start=1)
    ]
    if not lesion_values:
        return regions, []
    if meaning.instances == "values":
        named = dict(zip(sorted(present), regions, strict=True))
        return regions, [
            _whole(named[value], crop == value, present[value], box)
            for value in sorted(lesion_values)
        ]
    # One lesion may be delineated with several values, such as an enhancing rim and its core.
    first = next(region for region in regions if region.lesion)
    return regions, _components(first, _any_of(crop, lesion_values), box, order)


def _content(voxels: NDArray[np.integer]) -> tuple[Box, NDArray[np.integer]]:
    """The box (z, y, x) of all voxels that are not 0, and their values."""
    where = np.flatnonzero(voxels.ravel() != 0)
    slices = (
        [(index.min(), index.max()) for index in np.unravel_index(where, voxels.shape)]
        if (len(where))
        else [(0, -1)] * 3
    )
    z, y, x = (slice(int(low), int(high) + 1) for low, high in slices)
    return (z, y, x), voxels.ravel()[where]


def _any_of(voxels: NDArray[np.integer], values: Sequence[int]) -> NDArray[np.bool_]:
    chosen = np.zeros(voxels.shape, bool)
    for value in values:
        chosen |= voxels == value
    return chosen


def _region(number: int, name: str, value: int, count: int, meaning: MaskMeaning) -> Region:
    lesion = value in meaning.lesion_values
    alone = lesion and len(meaning.lesion_values) == 1
    named = name if name and alone else f"{name or 'label'} {value}"
    reason = None if lesion else Reason("label_not_lesion", meaning=meaning.other_values[value])
    return Region(number, named, count, lesion, reason)


def _refuse_unknown(name: str, present: Mapping[int, int], meaning: MaskMeaning) -> None:
    known = {0, *meaning.lesion_values, *meaning.other_values}
    unknown = {value: n for value, n in present.items() if value not in known}
    if not unknown:
        return
    named = list(unknown.items())[:MOST_NAMED]
    told = ", ".join(f"{v} ({n} voxel{'s' if n > 1 else ''})" for v, n in named)
    more = f" and {len(unknown) - MOST_NAMED} more values" if len(unknown) > MOST_NAMED else ""
    lesion = ", ".join(map(str, meaning.lesion_values))
    others = "".join(f", {value} is {what}" for value, what in meaning.other_values.items())
    grey = len(unknown) > MOST_NAMED
    raise DataRefused(
        "mask_holds_grey_values" if grey else "mask_label_unknown",
        where=name or "mask",
        found=told,
        more=more,
        lesion=lesion,
        others=others,
    )


def _whole(region: Region, where: NDArray[np.bool_], count: int, outer: Box) -> _Part:
    """All of a region as one lesion, whatever its parts."""
    inner, _ = _content(where.astype(np.uint8))
    voxels = where[inner].copy()
    several = connected_parts(voxels)[1] > 1
    return _Part(region.number, region.name, 1, _within(outer, inner), voxels, count, several)


def _components(
    region: Region, where: NDArray[np.bool_], outer: Box, order: Arrangement
) -> list[_Part]:
    """The 26-connected components, from inferior up (then from posterior, then from left)."""
    labels, _ = connected_parts(order.apply(where))
    stats = cc3d.statistics(labels)
    inside = labels[labels != 0]  # in raster order
    values, places = np.unique(inside, return_index=True)
    first = dict(zip(values.tolist(), places.tolist(), strict=True))
    size = (where.shape[2], where.shape[1], where.shape[0])
    parts: list[_Part] = []
    for component, value in enumerate(sorted(first, key=lambda v: first[v]), start=1):
        z, y, x = stats["bounding_boxes"][value]
        found = labels[z, y, x] == value
        voxels, start = order.undo(found, (int(x.start), int(y.start), int(z.start)), size)
        inner = [slice(a, a + n) for a, n in zip(start[::-1], voxels.shape, strict=True)]
        count = int(stats["voxel_counts"][value])
        box = _within(outer, inner)
        parts.append(_Part(region.number, region.name, component, box, voxels, count))
    return parts


def _within(outer: Box, inner: Sequence[slice]) -> Box:
    """A box inside another, from the origin of the whole array."""
    z, y, x = (
        slice(int(o.start + s.start), int(o.start + s.stop))
        for o, s in zip(outer, inner, strict=True)
    )
    return z, y, x


def _overlap_notes(parts: Sequence[_Part], kept: Mapping[int, int]) -> tuple[str, ...]:
    return tuple(
        f"{part.name}: {part.n_voxels - kept[number]} of its {part.n_voxels} voxels belong to "
        "another lesion as well and went to the smaller one"
        for number, part in enumerate(parts, start=1)
        if kept[number] != part.n_voxels
    )


def _lesion(number: int, part: _Part, kept: int) -> MaskLesion:
    flags: tuple[str, ...] = ("several_components",) if part.several else ()
    flags += ("overlaps_another",) if kept != part.n_voxels else ()
    return MaskLesion(number, part.region, part.name, part.component, kept, flags)
