"""How the brains of one session are extracted: the reference first, the others by its mask."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from cta_data.engine import (
    Outcome,
    Unit,
    Workspace,
    content_key,
)
from cta_data.engine.sessions import on_hold
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.imaging.brain import BrainExtraction, extract_brain
from cta_data.imaging.brain.masks import (
    apply_mask,
    delivered_mask,
    lesions_cut_by_mask,
    protect_lesions,
)
from cta_data.imaging.geometry.resampling import resample
from cta_data.imaging.lesions.plausibility import brain_size
from cta_data.pipeline.convert.image_rows import grid_columns
from cta_data.pipeline.extract_brain import StripInputs, backend_options
from cta_data.pipeline.transform_chain import TransformChain, read_chain
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow


def run(unit: Unit[StripInputs], workspace: Workspace) -> Outcome:
    """Make the mask and the brain image of every technique."""
    reference = unit.given.reference
    images = {t: read_image(workspace.read(unit.given.image[t])) for t in unit.given.techniques}
    if all(unit.given.stripped.values()):
        return _take_as_delivered(unit, images, workspace)
    extraction = _extract(unit, images[reference], workspace)
    chain = read_chain(unit.given.transform, workspace)
    labels = unit.given.labels
    notes = [f"{extraction.backend} {extraction.version}", *extraction.notes]
    outcome = Outcome(notes=notes)
    for technique in unit.given.techniques:
        mask = carry_mask(extraction.mask, images[technique], technique, reference, chain)
        for (grid, annotation), path in labels.items():
            if grid == technique:
                lesions = read_image(workspace.read(path))
                cut = lesions_cut_by_mask(lesions, mask)
                margin = unit.given.settings["protect_margin_mm"]
                mask = protect_lesions(mask, lesions, margin)
                outcome.notes += [
                    f"lesion {c.lesion_id} of {annotation} protected on {technique}" for c in cut
                ]
        source = (unit.given.image[technique], unit.given.rows[technique])
        outcome.rows.append(_write(unit, source, images[technique], mask, workspace))
        outcome.rows += _strip_phases(unit, technique, mask, workspace)
    return outcome


def _take_as_delivered(
    unit: Unit[StripInputs], images: Mapping[str, sitk.Image], workspace: Workspace
) -> Outcome:
    """Take the brain of images that were delivered without the skull: what is not zero in them."""
    outcome = Outcome(notes=["the brain was extracted before delivery"])
    findings: list[Reason] = []
    for technique in unit.given.techniques:
        mask = delivered_mask(images[technique])
        impossible, look_at = brain_size(mask)
        findings += [impossible.at(technique)] if impossible else []
        outcome.warnings += [f"{technique}: {look_at}"] if look_at else []
        source = (unit.given.image[technique], unit.given.rows[technique])
        outcome.rows.append(_write(unit, source, None, mask, workspace))
        for inherited in unit.given.phases:
            if inherited["technique"] == technique:
                path = unit.given.phase[technique, inherited["contrast_phase"]]
                outcome.rows.append(_write(unit, (path, inherited), None, mask, workspace))
    outcome.refused = on_hold(findings)
    return outcome


def _strip_phases(
    unit: Unit[StripInputs], technique: str, mask: sitk.Image, workspace: Workspace
) -> list[ImageRow]:
    """Write the brain images of a technique's further phases, with the mask of its image."""
    rows = []
    for inherited in unit.given.phases:
        if inherited["technique"] == technique:
            path = unit.given.phase[technique, inherited["contrast_phase"]]
            image = read_image(workspace.read(path))
            share = resample(sitk.Cast(mask, sitk.sitkFloat32), image)
            same = sitk.Cast(share > 0.5, sitk.sitkUInt8)
            rows.append(_write(unit, (path, inherited), image, same, workspace))
    return rows


def carry_mask(
    mask: sitk.Image, image: sitk.Image, technique: str, reference: str, chain: TransformChain
) -> sitk.Image:
    """Return the mask on another technique's grid: where more than half a voxel is brain."""
    if technique == reference:
        return mask
    transform = chain.between(target=technique, source=reference)
    share = resample(sitk.Cast(mask, sitk.sitkFloat32), image, transform)
    return sitk.Cast(share > 0.5, sitk.sitkUInt8)


def _extract(unit: Unit[StripInputs], image: sitk.Image, workspace: Workspace) -> BrainExtraction:
    settings = unit.given.settings
    options = backend_options(settings)
    if settings["backend"] == "provided":
        options["mask"] = supplied_mask(workspace.read(unit.given.provided))
    return extract_brain(image, settings["backend"], options)


def supplied_mask(path: Path) -> sitk.Image | Path:
    """Return a user's mask, read by the rules that images are read by where it is NIfTI.

    Raises
    ------
    DataRefused
        The file is damaged, or its header contradicts itself.
    """
    # ITK alone would take the one form of a header that contradicts the other.
    return read_image(path) if path.name.endswith((".nii", ".nii.gz")) else path


def _write(
    unit: Unit[StripInputs],
    source: tuple[str, Mapping[str, Any]],
    image: sitk.Image | None,
    mask: sitk.Image,
    workspace: Workspace,
) -> ImageRow:
    """Write mask and brain image of the image at a path; return its row.

    Without `image` the file at that path is the brain already: its bytes are taken as they are.
    """
    source_path, inherited = source
    path = layout.brain_image(unit.session, source_path)
    mask_path = layout.brain_mask(unit.session, source_path)
    write_image(mask, workspace.write(mask_path))
    if image is None:
        shutil.copyfile(workspace.read(source_path), workspace.write(path))
    else:
        write_image(apply_mask(image, mask), workspace.write(path))
    own = {name: value for name, value in inherited.items() if name not in SessionId._fields}
    return ImageRow(
        session=unit.session,
        **own
        | grid_columns(mask)
        | {
            "path": path,
            "annex_key": content_key(workspace.write(path)),
            "description": "brain",
            "skull_stripped": True,
            "geometry_source": "derived",
            "mask_path": mask_path,
        },
    )
