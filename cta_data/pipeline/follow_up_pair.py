"""How the lesions of two sessions are linked, and how their volumes changed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.files import read_json_object
from cta_data.formats.nifti.image import read_image
from cta_data.formats.transforms import read_transform
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.change_limits import ChangeLimits
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_from_labels
from cta_data.imaging.lesions.volume_uncertainty import volume_sds
from cta_data.pipeline.follow_up import FollowUpInputs
from cta_data.pipeline.transform_chain import read_chain
from cta_data.scoring.lesion_changes import PART_SHARE, LesionChange, LesionVolume, lesion_changes
from cta_data.scoring.lesion_links import DISTANCE_MM, link_lesions
from cta_data.study.tables import LesionChangeRow

LEAST_SHOWN = 0.5
"""Least share of a lesion within the image of the other session, for the two to be compared."""


@dataclass(frozen=True, eq=False)
class DelineatedLesions:
    """An annotation on a grid: labels (z, y, x), volumes by lesion id, and lesions that were lost.

    A lesion that was lost on the grid has its volume as delineated, and no voxel.
    """

    image: sitk.Image
    labels: NDArray[np.integer]
    volumes: dict[int, LesionVolume]
    lost: frozenset[int]


def run(unit: Unit[FollowUpInputs], workspace: Workspace) -> Outcome:
    """Follow the lesions of every quality that both sessions have."""
    given = unit.given
    outcome = Outcome(warnings=[f"not compared: {reason}" for reason in given.left_out])
    for quality in given.annotations:
        earlier = _read(
            workspace.read(given.earlier_labels[quality]),
            workspace.read(given.earlier_account[quality]),
            given.outline_sd_voxels,
        )
        later = _read(
            workspace.read(given.later_labels[quality]),
            workspace.read(given.later_account[quality]),
            given.outline_sd_voxels,
        )
        transform = _to_earlier(given, given.grid[quality], workspace)
        found = changes_between(
            earlier,
            later,
            transform,
            distance_mm=given.distance_mm,
            part_share=Fraction(given.part_share),
            repeats_all=given.repeats_all,
            limits=ChangeLimits(given.growth_percent, given.shrinkage_percent),
        )
        outcome.rows += [_row(unit, quality, n, one) for n, one in enumerate(found, start=1)]
    return outcome


def _read(labels_path: Path, account_path: Path, outline_sd_voxels: float) -> DelineatedLesions:
    """Read labels, and the volumes that lesions had where they were delineated."""
    image = read_image(labels_path)
    labels = sitk.GetArrayFromImage(image)
    spread = volume_sds(labels, image.GetSpacing(), outline_sd_voxels)
    lesions = read_json_object(account_path)["lesions"]
    volumes = {
        int(one["id"]): LesionVolume(float(one["volume_drawn_mm3"]), spread.get(one["id"], 0.0))
        for one in lesions
    }
    return DelineatedLesions(image, labels, volumes, frozenset(volumes.keys() - spread.keys()))


def _to_earlier(given: FollowUpInputs, grid: str, workspace: Workspace) -> sitk.Transform:
    """Return the transform from points of a technique's later image to those of its earlier one."""
    between = read_transform(workspace.read(given.between))
    if grid == given.reference:
        return between
    within = (
        read_chain(given.later_transform, workspace),
        read_chain(given.earlier_transform, workspace),
    )
    to_reference = within[0].between(target=grid, source=given.reference)
    from_reference = within[1].between(target=given.reference, source=grid)
    # ITK applies the last transform of a composite first.
    return sitk.CompositeTransform([from_reference, between, to_reference])


def changes_between(
    earlier: DelineatedLesions,
    later: DelineatedLesions,
    transform: sitk.Transform,
    *,
    distance_mm: float = DISTANCE_MM,
    part_share: Fraction = PART_SHARE,
    repeats_all: bool = True,
    limits: ChangeLimits | None = None,
) -> tuple[LesionChange, ...]:
    """Return what became of lesions; `transform` maps points of the later image to the earlier.

    The other parameters are those of `link_lesions` and `lesion_changes`.
    """
    names = {number: (number, "", 1) for number in earlier.volumes}
    drawn = lesions_from_labels(earlier.image, names)
    moved = transfer_lesions(drawn, transform, later.image)
    unseen = {
        one.id for one in moved.per_lesion if one.lost_reason or one.fraction_inside < LEAST_SHOWN
    }
    links = link_lesions(
        sitk.GetArrayFromImage(moved.labels),
        later.labels,
        later.image.GetSpacing(),
        distance_mm=distance_mm,
        part_share=part_share,
    )
    return lesion_changes(
        links,
        earlier.volumes,
        later.volumes,
        not_compared=(unseen | earlier.lost, _unseen(later, earlier, transform) | later.lost),
        repeats_all=repeats_all,
        limits=limits,
    )


def _unseen(
    later: DelineatedLesions, earlier: DelineatedLesions, transform: sitk.Transform
) -> set[int]:
    """Return the lesions of the later session that the earlier image does not show."""
    grid, other = Grid.of(later.image), Grid.of(earlier.image)
    found = set()
    for number, box in enumerate(ndimage.find_objects(later.labels), start=1):
        if box is None:
            continue
        start = [part.start for part in box]
        index = (np.argwhere(later.labels[box] == number) + start)[:, ::-1]
        points = [transform.TransformPoint(point) for point in grid.to_point(index).tolist()]
        there = other.to_index(np.array(points))
        inside = np.all((there >= -0.5) & (there <= np.array(other.size) - 0.5), axis=1)
        if inside.mean() < LEAST_SHOWN:
            found.add(number)
    return found


def _row(
    unit: Unit[FollowUpInputs], quality: str, number: int, one: LesionChange
) -> LesionChangeRow:
    given, before, after = unit.given, one.volume_before, one.volume_after
    return LesionChangeRow(
        session=unit.session,
        quality=quality,
        change=number,
        earlier_session=given.earlier,
        ordered_by=given.ordered_by,
        days_between=given.days,
        earlier_annotation=given.annotations[quality][0],
        later_annotation=given.annotations[quality][1],
        technique=given.technique[quality],
        same_reader=given.same_reader[quality],
        grid=given.grid[quality],
        state=one.state,
        trend=one.trend,
        earlier_lesions=one.earlier,
        later_lesions=one.later,
        by_distance=one.by_distance,
        dice=one.dice,
        centroid_distance_mm=one.centroid_distance_mm,
        volume_before_mm3=before.mm3 if before else None,
        volume_after_mm3=after.mm3 if after else None,
        volume_before_sd_mm3=before.sd_mm3 if before else None,
        volume_after_sd_mm3=after.sd_mm3 if after else None,
        change_mm3=one.change_mm3,
        change_low_mm3=one.change_mm3 - one.margin_mm3,
        change_high_mm3=one.change_mm3 + one.margin_mm3,
        change_percent=one.change_percent,
        exceeds_uncertainty=one.exceeds_uncertainty,
    )
