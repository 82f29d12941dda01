"""Measure: one row a lesion of every variant, those that were lost included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import SimpleITK as sitk

from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, Workspace, session_scope
from cta_data.formats.nifti import read_image
from cta_data.imaging.brain_masks import lesions_cut_by_mask
from cta_data.imaging.lesion_measurement import LesionMeasurement, measure_lesions
from cta_data.json_files import read_json_object
from cta_data.steps.sessions import Upstream, make_unit
from cta_data.steps.transfer import report_path
from cta_data.study import Study

VERSION = 1


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose annotation was transferred and whose brain was extracted."""
    upstream = Upstream(study, "measure")
    for unit in upstream.sessions(selection):
        blocked = upstream.blocked_by(unit, "convert", "register", "transfer", "strip")
        excused = upstream.excused(unit, "transfer")
        if blocked or excused:
            yield Blocked(unit, VERSION, blocked or excused, expected=not blocked)
            continue
        images, brains = upstream.images(unit), upstream.images(unit, "brain")
        paths: dict[str, str] = {}
        for variant in upstream.variants(unit):
            grid = variant["grid"]
            paths[f"labels:{grid}"] = variant["labels_path"]
            paths[f"transfer:{grid}"] = report_path(unit, variant["quality"], grid)
            paths[f"image:{grid}"] = images[grid]["path"]
            if grid in brains:
                paths[f"mask:{grid}"] = brains[grid]["mask_path"]
        qualities = sorted({variant["quality"] for variant in upstream.variants(unit)})
        if len(qualities) != 1:
            found = " and ".join(qualities) or "none"
            why = f"a session holds one annotation, but its variants' qualities are {found}"
            yield Blocked(unit, VERSION, f"{why}: run `cta-data transfer` again")
            continue
        yield make_unit(study, unit, VERSION, paths, {"quality": qualities[0]})


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Measure the lesions of one session on every grid."""
    outcome = Outcome(tables={"lesions": []})
    masks = unit.paths("mask:")
    for grid, path in unit.paths("labels:").items():
        labels = read_image(workspace.read(path))
        image = read_image(workspace.read(unit.path(f"image:{grid}")))
        mask = read_image(workspace.read(masks[grid])) if grid in masks else None
        account = read_json_object(workspace.read(unit.path(f"transfer:{grid}")))
        measured = {m.lesion_id: m for m in measure_lesions(labels, image, mask)}
        outside = _outside(labels, mask)
        for lesion in account["lesions"]:
            row = _row(unit, grid, lesion, measured.get(lesion["id"]), outside)
            outcome.tables["lesions"].append(row)
            if row["outside_brain_fraction"]:
                share = f"{100 * row['outside_brain_fraction']:.0f} %"
                outcome.notes.append(f"lesion {lesion['id']}: {share} outside the brain on {grid}")
    return outcome


def _outside(labels: sitk.Image, mask: sitk.Image | None) -> dict[int, float]:
    """Return the share of each lesion that the brain mask would cut."""
    if mask is None:
        return {}
    return {cut.lesion_id: cut.fraction for cut in lesions_cut_by_mask(labels, mask)}


def _row(
    unit: Unit,
    grid: str,
    lesion: dict[str, Any],
    measured: LesionMeasurement | None,
    outside: dict[int, float],
) -> dict[str, Any]:
    flags = list(lesion["flags"])
    fraction = outside.get(lesion["id"], 0.0) if measured else None
    if fraction:
        flags.append("cut_by_brain_mask")
    row = {
        "cohort": unit.id.cohort,
        "subject": unit.id.subject,
        "session": unit.id.session,
        "lesion_id": lesion["id"],
        "quality": unit.parameters["quality"],
        "grid": grid,
        "volume_drawn_mm3": lesion["volume_drawn_mm3"],
        "source_roi": lesion["source_name"],
        "flags": flags,
        "lost_reason": lesion["lost_reason"],
        "outside_brain_fraction": fraction,
    }
    if measured is None:
        return row | {"n_voxels": 0, "volume_mm3": 0.0, "volume_cm3": 0.0}
    return row | {
        "n_voxels": measured.n_voxels,
        "volume_mm3": measured.volume_mm3,
        "volume_cm3": measured.volume_cm3,
        "centroid_ras_mm": list(measured.centroid_ras_mm),
        "max_diameter_mm": measured.max_diameter_mm,
        "cnr": measured.contrast_to_noise_ratio,
        "transfer_volume_ratio": lesion["volume_ratio"],
        "centroid_shift_mm": lesion["centroid_shift_mm"],
    }


MEASURE = Step("measure", plan, run, session_scope("lesions"))
