"""Decide what becomes of one series, from the inventory alone."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from cta_data.errors import without_text
from cta_data.formats.dicom.header import UNREADABLE, header_of
from cta_data.formats.dicom.size import open_dicom
from cta_data.intake.group import SeriesGroup
from cta_data.intake.instances import Instance
from cta_data.intake.plan_model import MERGE, NEW, NOT_NEEDED, REFUSE, SeriesPlan
from cta_data.intake.pseudonyms import keyed_hash
from cta_data.reasons import Reason
from cta_data.study.layout import raw_series
from cta_data.study.sourcedata import InstanceRow, Inventory, SeriesRow

_HASH_DIGITS = 8


@dataclass
class KnownSeries:
    """What the inventory knows of one subject.

    Attributes
    ----------
    rows
        Short hash to series row.
    instances
        Short hash to the instances of that series, by SOP instance UID.
    series_of
        SOP instance UID to the short hash of its series.
    """

    rows: dict[str, SeriesRow]
    instances: dict[str, dict[str, InstanceRow]]
    series_of: dict[str, str]


def known_series(inventory: Inventory, subject: str) -> KnownSeries:
    """Read what the inventory knows of one subject."""
    rows = {row.series: row for row in inventory.series if row.subject == subject}
    instances: dict[str, dict[str, InstanceRow]] = {}
    series_of: dict[str, str] = {}
    for row in inventory.instances(subject) if rows else []:
        if row.series in rows:
            instances.setdefault(row.series, {})[row.sop_uid] = row
            series_of[row.sop_uid] = row.series
    return KnownSeries(rows, instances, series_of)


def series_hash(salt: str, group: SeriesGroup) -> str:
    """Short keyed hash that names a series (and SOP class) in its tar's name."""
    return keyed_hash(salt, f"{group.series_uid}/{group.sop_class}")[:_HASH_DIGITS]


def stored_conflicts(group: SeriesGroup, short: str, known: KnownSeries) -> list[Instance]:
    """Instances that are stored with other content, or in another series."""
    conflicts: list[Instance] = []
    for uid, one in group.instances.items():
        place = known.series_of.get(uid)
        if place is not None and (
            place != short or known.instances[place][uid].digest != one.digest
        ):
            conflicts.append(one)
    return conflicts


def plan_series(
    group: SeriesGroup,
    short: str,
    known: KnownSeries,
    inventory: Inventory,
    subject: str,
    session: str,
) -> SeriesPlan:
    """Plan one kept series of an accepted subject (conflicts were settled before)."""
    try:
        return _plan(group, short, known, inventory, subject, session)
    except (*UNREADABLE, MemoryError) as error:  # in a part that was not read before
        reason = Reason("series_header_unreadable", error_type=without_text(error))
        names = tuple(one.name for one in group.ordered())
        return refused_series(group, subject, session, reason, names)


def _plan(
    group: SeriesGroup,
    short: str,
    known: KnownSeries,
    inventory: Inventory,
    subject: str,
    session: str,
) -> SeriesPlan:
    row = known.rows.get(short)
    stored = known.instances.get(short, {})
    blocking = [one for one in group.damaged if one.sop_uid not in stored]
    if blocking:
        count = len(group.instances) + len(group.damaged)
        reason = Reason(
            "instances_damaged", n_damaged=len(blocking), n_instances=count, fault=blocking[0].fault
        )
        names = tuple(one.name for one in blocking)
        return refused_series(group, subject, session, reason, names)
    if not group.instances and row is None:
        return refused_series(group, subject, session, Reason("series_without_instance"), ())
    file = raw_series(subject, session, short, group.kind, group.extension())
    if row is None:
        return _written(group, short, subject, session, file, {}, None, NEW, None)
    uncovered = stored.keys() - group.instances.keys()
    if _is_gone(inventory.folder / row.file):
        if uncovered:
            reason = Reason("stored_series_gone")
            return refused_series(group, subject, session, reason, ())
        return _written(
            group, short, subject, session, row.file, {}, row, NEW, Reason("stored_series_restored")
        )
    more = len(group.instances.keys() - stored.keys())
    replaced = sum(
        uid in stored and stored[uid].digest != one.digest for uid, one in group.instances.items()
    )
    if not more and not replaced:
        reason = Reason("instances_stored_already")
        return _written(group, short, subject, session, row.file, stored, row, NOT_NEEDED, reason)
    parts = [f"{more} more instances"] if more else []
    parts += [f"{replaced} instances replaced"] if replaced else []
    return _written(
        group,
        short,
        subject,
        session,
        row.file,
        stored,
        row,
        MERGE,
        Reason("series_merged", parts=parts),
    )


def _is_gone(tar: Path) -> bool:
    """Whether a stored tar is no longer there, or was emptied when a full disk stopped git-annex.

    A link to content that is not here is there.
    """
    if tar.is_symlink():
        return Path(os.readlink(tar)).name.startswith("MD5E-s0--")
    return not tar.is_file() or tar.stat().st_size == 0


def refused_series(
    group: SeriesGroup, subject: str, session: str, reason: Reason, files: tuple[str, ...]
) -> SeriesPlan:
    """A series that is not taken in."""
    ordered = group.ordered() or group.damaged
    return SeriesPlan(
        subject=subject,
        session=session,
        kind=group.kind,
        modality=ordered[0].modality if ordered else "",
        sop_class=group.sop_class,
        study_uid=group.study_uid,
        series_uid=group.series_uid,
        frame_of_reference_uid=_first(one.frame_of_reference_uid for one in ordered),
        study_date=group.study_date(),
        acquired=min((one.acquired for one in ordered if one.acquired), default=""),
        action=REFUSE,
        reason=reason,
        files=files,
        series="",
        file="",
        n_instances=len(group.instances),
        n_total=0,
        header=_readable_header(ordered[0]) if ordered and not ordered[0].fault else {},
    )


def _written(
    group: SeriesGroup,
    short: str,
    subject: str,
    session: str,
    file: str,
    stored: Mapping[str, InstanceRow],
    row: SeriesRow | None,
    action: str,
    reason: Reason | None,
) -> SeriesPlan:
    rows = dict(stored)
    for uid, one in group.instances.items():
        rows[uid] = InstanceRow(short, one.instance_number, uid, one.digest, one.pixels)
    ordered = sorted(rows.values(), key=lambda one: (one.instance_number, one.sop_uid))
    whole = group.ordered()
    first = group.instances.get(ordered[0].sop_uid)
    moments = [one.acquired for one in whole if one.acquired]
    if row is not None and row.acquired:
        moments.append(row.acquired)
    keep = row is not None and (first is None or action == NOT_NEEDED)
    return SeriesPlan(
        subject=subject,
        session=row.session if row else session,
        kind=group.kind,
        modality=row.modality if row else whole[0].modality,
        sop_class=group.sop_class,
        study_uid=group.study_uid,
        series_uid=group.series_uid,
        frame_of_reference_uid=row.frame_of_reference_uid
        if row
        else _first(one.frame_of_reference_uid for one in whole),
        study_date=row.study_date if row else group.study_date(),
        acquired=min(moments, default=""),
        action=action,
        reason=reason,
        files=(),
        series=short,
        file=file,
        n_instances=len(group.instances),
        n_total=len(ordered),
        header=row.header if keep and row is not None else _header(first),
        rows=tuple(ordered),
        sources=dict(group.instances) if action in (NEW, MERGE) else {},
        needs_content=action == MERGE and not stored.keys() <= group.instances.keys(),
    )


def _readable_header(instance: Instance) -> dict[str, str]:
    """Header of what is refused anyway; empty where that is because it cannot be read."""
    try:
        return _header(instance)
    except (*UNREADABLE, MemoryError):
        return {}


def _header(instance: Instance | None) -> dict[str, str]:
    if instance is None:
        return {}
    if instance.header is not None:
        return dict(instance.header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom remarks on every odd value
        with open_dicom(instance.path) as stream:
            return header_of(dcmread(stream, stop_before_pixels=True, force=True))


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")
