"""Group the instances of one subject into series, and settle what comes twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cta_data.intake.instances import TAR, Instance
from cta_data.intake.sop_classes import kind_of


@dataclass
class SeriesGroup:
    """Instances of one series, study and SOP class.

    Vendors put objects of other classes (raw data) under the series of the image, hence the class.

    Attributes
    ----------
    kind
        Kind by SOP class; empty for objects that are skipped.
    instances
        SOP instance UID to its one whole instance.
    damaged
        Damaged instances that have no whole copy in the source.
    """

    study_uid: str
    series_uid: str
    sop_class: str
    kind: str
    instances: dict[str, Instance] = field(default_factory=dict)
    damaged: list[Instance] = field(default_factory=list)

    def ordered(self) -> list[Instance]:
        """Whole instances by instance number, then SOP instance UID."""
        return sorted(self.instances.values(), key=lambda one: (one.instance_number, one.sop_uid))

    def extension(self) -> str:
        """What the series is kept in, by its first instance."""
        every = [*self.instances.values(), *self.damaged]
        return every[0].extension if every else TAR

    def study_date(self) -> str:
        """Earliest study date in the headers, or empty."""
        every = (*self.instances.values(), *self.damaged)
        return min((one.study_date for one in every if one.study_date), default="")


@dataclass
class Grouping:
    """Series of one subject.

    Attributes
    ----------
    series
        By study, series and SOP class UID, in that order.
    duplicates
        Number of files left out because an equal one was kept.
    conflicts
        Pairs of files with one SOP instance UID and different content.
    """

    series: list[SeriesGroup]
    duplicates: int
    conflicts: list[tuple[str, str]]


def group_series(instances: Iterable[Instance], extra_kinds: Mapping[str, str]) -> Grouping:
    """Group instances of one subject; of equal duplicates the first by name is kept.

    Parameters
    ----------
    instances
        Instances of one subject.
    extra_kinds
        See `kind_of`.
    """
    ordered = sorted(instances, key=lambda one: one.name)
    groups: dict[tuple[str, str, str], SeriesGroup] = {}
    kept: dict[str, Instance] = {}
    duplicates = 0
    conflicts: list[tuple[str, str]] = []
    for one in (instance for instance in ordered if not instance.fault):
        group = _group(groups, one, extra_kinds)
        twin = kept.setdefault(one.sop_uid, one)
        if twin is one:
            group.instances[one.sop_uid] = one
        elif twin.digest != one.digest and (group.kind or kind_of(twin.sop_class, extra_kinds)):
            conflicts.append((twin.name, one.name))
        else:  # equal, or of no consequence because neither is kept
            duplicates += 1
    for one in (instance for instance in ordered if instance.fault):
        group = _group(groups, one, extra_kinds)
        if one.sop_uid in kept:
            duplicates += 1
        else:
            group.damaged.append(one)
    filled = [group for group in groups.values() if group.instances or group.damaged]
    filled.sort(key=lambda group: (group.study_uid, group.series_uid, group.sop_class))
    return Grouping(filled, duplicates, conflicts)


def split_series(groups: Iterable[SeriesGroup]) -> list[str]:
    """Series UIDs that occur in more than one study, which no scanner writes."""
    studies: dict[str, set[str]] = {}
    for group in groups:
        studies.setdefault(group.series_uid, set()).add(group.study_uid)
    return sorted(series for series, found in studies.items() if len(found) > 1)


def _group(
    groups: dict[tuple[str, str, str], SeriesGroup],
    one: Instance,
    extra_kinds: Mapping[str, str],
) -> SeriesGroup:
    key = (one.study_uid, one.series_uid, one.sop_class)
    if key not in groups:
        groups[key] = SeriesGroup(*key, kind=kind_of(one.sop_class, extra_kinds))
    return groups[key]
