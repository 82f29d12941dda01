"""How the lesions of one session are measured, those that were lost included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.files import read_json_object
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.brain.masks import depths_in_mask, lesions_cut_by_mask
from cta_data.imaging.lesions.measurement import LesionMeasurement, measure_lesions
from cta_data.imaging.lesions.plausibility import MOST_OUTSIDE, lesions_too_large
from cta_data.pipeline.measure import MeasureInputs
from cta_data.reasons import Reason
from cta_data.study.tables import MeasuredLesionRow

MOST_NAMED = 3


def run(unit: Unit[MeasureInputs], workspace: Workspace) -> Outcome:
    """Measure the lesions of every annotation of one session on every grid."""
    outcome = Outcome()
    masks = unit.given.mask
    several = len(unit.given.quality) > 1
    for (annotation, grid), path in unit.given.labels.items():
        labels = read_image(workspace.read(path))
        image = read_image(workspace.read(unit.given.image[grid]))
        mask = read_image(workspace.read(masks[grid])) if grid in masks else None
        account = read_json_object(workspace.read(unit.given.transfer[annotation, grid]))
        measured = {m.lesion_id: m for m in measure_lesions(labels, image, mask)}
        outside = _outside(labels, mask)
        depths = _depths(measured, mask)
        for lesion in account["lesions"]:
            row = _row(unit, annotation, grid, lesion, measured.get(lesion["id"]), outside)
            row = replace(row, brain_depth_mm=depths.get(row.lesion_id))
            outcome.rows.append(row)
            if row.outside_brain_fraction:
                share = f"{100 * row.outside_brain_fraction:.0f} %"
                whose = f"{annotation} " if several else ""
                told = f"{whose}lesion {lesion['id']}: {share} outside the brain on {grid}"
                outcome.notes.append(told)
                if row.outside_brain_fraction > MOST_OUTSIDE:
                    outcome.warnings.append(told)
        outcome.refused = outcome.refused or _too_large(measured, mask)
    return outcome


def _too_large(measured: dict[int, LesionMeasurement], mask: sitk.Image | None) -> Reason | None:
    """Return why lesions cannot be metastases of this brain, or None."""
    if mask is None:
        return None
    count = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    brain_cm3 = count * float(np.prod(mask.GetSpacing())) / 1000
    volumes = {number: lesion.volume_cm3 for number, lesion in measured.items()}
    found = lesions_too_large(volumes, brain_cm3)
    return Reason("lesions_too_large", findings=found[:MOST_NAMED]) if found else None


def _outside(labels: sitk.Image, mask: sitk.Image | None) -> dict[int, float]:
    """Return the share of each lesion that the brain mask would cut."""
    if mask is None:
        return {}
    return {cut.lesion_id: cut.fraction for cut in lesions_cut_by_mask(labels, mask)}


def _depths(measured: dict[int, LesionMeasurement], mask: sitk.Image | None) -> dict[int, float]:
    """Return how deep in the brain the centroid of each lesion lies, mm."""
    if mask is None:
        return {}
    points = [one.centroid_ras_mm for one in measured.values()]
    return dict(zip(measured, depths_in_mask(mask, points), strict=True))


def _row(
    unit: Unit[MeasureInputs],
    annotation: str,
    grid: str,
    lesion: dict[str, Any],
    measured: LesionMeasurement | None,
    outside: dict[int, float],
) -> MeasuredLesionRow:
    flags = list(lesion["flags"])
    fraction = outside.get(lesion["id"], 0.0) if measured else None
    if fraction:
        flags.append("cut_by_brain_mask")
    row = MeasuredLesionRow(
        session=unit.session,
        annotation=annotation,
        grid=grid,
        lesion_id=lesion["id"],
        quality=unit.given.quality[annotation],
        n_voxels=0,
        volume_mm3=0.0,
        volume_cm3=0.0,
        volume_drawn_mm3=lesion["volume_drawn_mm3"],
        source_roi=lesion["source_name"],
        flags=tuple(flags),
        lost_reason=lesion["lost_reason"],
        outside_brain_fraction=fraction,
    )
    if measured is None:
        return row
    return replace(
        row,
        n_voxels=measured.n_voxels,
        volume_mm3=measured.volume_mm3,
        volume_cm3=measured.volume_cm3,
        centroid_ras_mm=tuple(measured.centroid_ras_mm),
        max_diameter_mm=measured.max_diameter_mm,
        cnr=measured.contrast_to_noise_ratio,
        transfer_volume_ratio=lesion["volume_ratio"],
        centroid_shift_mm=lesion["centroid_shift_mm"],
    )
