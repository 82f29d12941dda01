"""What became of each lesion between two sessions, from the links of both annotations.

Linked lesions are taken together: a lesion with its one partner, and with all parts that a split or
merge adds (`lesion_links`). So each lesion of either session is in exactly one change.

====================  ======================================================================
state                 lesions of the earlier and of the later session
====================  ======================================================================
``new``               none, one
``gone``              one, none
``persisting``        one, one
``split``             one, several
``merged``            several, one
``merged_and_split``  several, several
``not_delineated``    one, none; the later annotation does not repeat lesions of earlier ones
``not_compared``      one that is not within the image of the other session, or was lost
====================  ======================================================================

Where both sessions have lesions, the trend is ``grown`` or ``shrunk`` if the 95 % interval of the
change of volume excludes 0 and the change reaches the limit in percent, and ``stable`` otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from cta_data.imaging.lesions.change_limits import ChangeLimits
from cta_data.imaging.lesions.volume_uncertainty import NORMAL_95
from cta_data.scoring.lesion_links import LinkedLesions

State = Literal[
    "new",
    "gone",
    "persisting",
    "split",
    "merged",
    "merged_and_split",
    "not_delineated",
    "not_compared",
]
Trend = Literal["grown", "shrunk", "stable"]
PART_SHARE = Fraction(1, 10)
"""Least share of a part's voxels in the lesion that it is a part of, from session to session.

Less than between readers, who draw the same image: what grew or moved lies partly elsewhere."""
_COMPARED: Final = ("persisting", "split", "merged", "merged_and_split")


@dataclass(frozen=True)
class LesionVolume:
    """Volume of a lesion as delineated, and its standard deviation, mm³."""

    mm3: float
    sd_mm3: float


@dataclass(frozen=True)
class LesionChange:
    """Lesions of two sessions that belong together, and how their volume changed.

    Attributes
    ----------
    earlier, later
        Ids of the lesions; their order is that of the ids.
    trend
        None where one session has no lesion.
    by_distance
        Whether no voxel of the two is shared: linked by the distance of centroids.
    dice, centroid_distance_mm
        Of a persisting lesion; NaN of all others.
    volume_before, volume_after
        Sums over the lesions; None without one.
    """

    state: State
    trend: Trend | None
    earlier: tuple[int, ...]
    later: tuple[int, ...]
    by_distance: bool
    dice: float
    centroid_distance_mm: float
    volume_before: LesionVolume | None
    volume_after: LesionVolume | None

    @property
    def change_mm3(self) -> float:
        """Volume after minus volume before; NaN without both."""
        if self.volume_before is None or self.volume_after is None:
            return math.nan
        return self.volume_after.mm3 - self.volume_before.mm3

    @property
    def change_percent(self) -> float:
        """Change in percent of the volume before; NaN without both."""
        if self.volume_before is None or not self.volume_before.mm3:
            return math.nan
        return 100 * self.change_mm3 / self.volume_before.mm3

    @property
    def margin_mm3(self) -> float:
        """Half the width of the 95 % interval of the change; NaN without both volumes."""
        if self.volume_before is None or self.volume_after is None:
            return math.nan
        return NORMAL_95 * math.hypot(self.volume_before.sd_mm3, self.volume_after.sd_mm3)

    @property
    def exceeds_uncertainty(self) -> bool | None:
        """Whether the interval of the change excludes 0; None without both volumes."""
        change = self.change_mm3
        return None if math.isnan(change) else abs(change) > self.margin_mm3


def lesion_changes(
    links: Iterable[LinkedLesions],
    before: Mapping[int, LesionVolume],
    after: Mapping[int, LesionVolume],
    *,
    not_compared: tuple[Collection[int], Collection[int]] = ((), ()),
    repeats_all: bool = True,
    limits: ChangeLimits | None = None,
) -> tuple[LesionChange, ...]:
    """Return the changes between two sessions, in the order of their lesions, new ones last.

    Parameters
    ----------
    links
        Between the lesions of the earlier session (first) and those of the later (second).
    before, after
        Volume of every lesion of each session, by its id, also of those without a link.
    not_compared
        Ids of the lesions of each session that the other does not show.
    repeats_all
        False where the later annotation holds only what is treated then.
    """
    chosen = limits or ChangeLimits()
    groups = _groups(links, before, after)
    found = [_change(group, before, after, not_compared, repeats_all, chosen) for group in groups]
    return tuple(sorted(found, key=lambda one: (not one.earlier, one.earlier, one.later)))


@dataclass
class _Group:
    earlier: set[int]
    later: set[int]
    links: list[LinkedLesions]


def _groups(
    links: Iterable[LinkedLesions], before: Collection[int], after: Collection[int]
) -> list[_Group]:
    """Return the lesions that links connect; each without a link is a group of its own."""
    of_earlier = {number: _Group({number}, set(), []) for number in before}
    of_later = {number: _Group(set(), {number}, []) for number in after}
    for link in links:
        if link.first is None or link.second is None:
            continue
        one, other = of_earlier[link.first], of_later[link.second]
        if one is not other:
            one.earlier |= other.earlier
            one.later |= other.later
            one.links += other.links
            of_earlier |= dict.fromkeys(other.earlier, one)
            of_later |= dict.fromkeys(other.later, one)
        one.links.append(link)
    return list({id(one): one for one in (*of_earlier.values(), *of_later.values())}.values())


def _change(
    group: _Group,
    before: Mapping[int, LesionVolume],
    after: Mapping[int, LesionVolume],
    not_compared: tuple[Collection[int], Collection[int]],
    repeats_all: bool,
    limits: ChangeLimits,
) -> LesionChange:
    earlier, later = tuple(sorted(group.earlier)), tuple(sorted(group.later))
    hidden = not later and earlier[0] in not_compared[0]
    hidden |= not earlier and later[0] in not_compared[1]
    pair = group.links[0] if len(group.links) == 1 else None
    found = LesionChange(
        state="not_compared" if hidden else _state(len(earlier), len(later), repeats_all),
        trend=None,
        earlier=earlier,
        later=later,
        by_distance=pair is not None and pair.how == "distance",
        dice=pair.dice if pair else math.nan,
        centroid_distance_mm=pair.centroid_distance_mm if pair else math.nan,
        volume_before=_sum(before[number] for number in earlier),
        volume_after=_sum(after[number] for number in later),
    )
    if found.state not in _COMPARED:
        return found
    return LesionChange(**{**vars(found), "trend": _trend(found, limits)})


def _state(n_earlier: int, n_later: int, repeats_all: bool) -> State:
    if not n_earlier:
        return "new"
    if not n_later:
        return "gone" if repeats_all else "not_delineated"
    if n_earlier == n_later == 1:
        return "persisting"
    if n_earlier == 1:
        return "split"
    return "merged" if n_later == 1 else "merged_and_split"


def _trend(change: LesionChange, limits: ChangeLimits) -> Trend:
    if not change.exceeds_uncertainty:
        return "stable"
    if change.change_percent >= limits.growth_percent:
        return "grown"
    return "shrunk" if change.change_percent <= -limits.shrinkage_percent else "stable"


def _sum(volumes: Iterable[LesionVolume]) -> LesionVolume | None:
    """Return the volume of several lesions, whose errors are taken as independent."""
    own = list(volumes)
    if not own:
        return None
    return LesionVolume(sum(v.mm3 for v in own), math.hypot(*(v.sd_mm3 for v in own)))
