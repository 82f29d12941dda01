"""Extract the brain: one mask on the hub technique, carried to every technique of the grids."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from cta_data.bids.names import BidsName, parse_name
from cta_data.configuration import BrainExtractionSection
from cta_data.engine import (
    Blocked,
    Outcome,
    Selection,
    Step,
    Unit,
    UnitId,
    Workspace,
    content_key,
    session_scope,
)
from cta_data.formats.nifti import read_image, write_image
from cta_data.imaging.brain_extraction import BrainExtraction, extract_brain
from cta_data.imaging.brain_masks import (
    apply_mask,
    delivered_mask,
    lesions_cut_by_mask,
    protect_lesions,
)
from cta_data.imaging.resampling import resample
from cta_data.manifests import StoredRow
from cta_data.steps.image_rows import grid_columns
from cta_data.steps.sessions import Upstream, make_unit
from cta_data.steps.transform_chain import TransformChain, read_chain, transform_inputs
from cta_data.study import Study

VERSION = 2


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a registered session; with protected lesions, a transferred one."""
    upstream = Upstream(study, "strip")
    settings = study.configuration.brain_extraction
    hub = study.configuration.registration.hub
    needs = ("convert", "register") + (("transfer",) if settings.protect_lesions else ())
    for unit in upstream.sessions(selection):
        blocked = upstream.blocked_by(unit, *needs)
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        images = upstream.images(unit)
        grids = [g for g in study.configuration.transfer.grids if g in images]
        wanted = [hub, *(grid for grid in grids if grid != hub)]
        paths = {f"image:{name}": images[name]["path"] for name in wanted}
        more = _other_phases(study, upstream.phases(unit), images, wanted)
        paths |= {f"phase:{row['technique']}:{row['contrast_phase']}": row["path"] for row in more}
        paths |= transform_inputs(
            row for row in upstream.transforms(unit) if row["moving"] in wanted
        )
        if settings.backend == "provided":
            paths["provided"] = _provided(settings, unit)
        if settings.protect_lesions:
            for variant in upstream.variants(unit):
                paths[f"labels:{variant['grid']}"] = variant["labels_path"]
        parameters = {
            "settings": settings.model_dump(),
            "stripped": {name: images[name]["skull_stripped"] for name in wanted},
            "hub": hub,
            "techniques": wanted,
            "rows": {name: _inherited(images[name]) for name in wanted},
            "phases": [_inherited(row) for row in more],
        }
        yield make_unit(study, unit, VERSION, paths, parameters)


def _other_phases(
    study: Study,
    rows: list[StoredRow],
    images: Mapping[str, StoredRow],
    wanted: list[str],
) -> list[StoredRow]:
    """Return images of further contrast phases that a setting trains on.

    They take the mask of their technique's image, and so must share its frame of reference.
    """
    settings = study.configuration.build.settings.values()
    named = {(s.technique, s.contrast_phase) for s in settings if s.contrast_phase}
    return [
        row
        for row in rows
        if (row["technique"], row["contrast_phase"]) in named
        and row["technique"] in wanted
        and row["path"] != images[row["technique"]]["path"]
        and row["frame"] == images[row["technique"]]["frame"]
    ]


def _provided(settings: BrainExtractionSection, unit: UnitId) -> str:
    names = {"cohort": unit.cohort, "subject": unit.subject, "session": unit.session}
    return settings.provided.format(**names)


def _inherited(row: StoredRow) -> dict[str, Any]:
    """Return the columns that a brain image has from the image it was made of."""
    own = (
        *("path", "annex_key", "voxels_sha256", "description"),
        *("skull_stripped", "geometry_source", "notes"),
    )
    return {name: value for name, value in row.items() if name not in own}


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Make the mask and the brain image of every technique."""
    hub = unit.parameters["hub"]
    images = {name: read_image(workspace.read(path)) for name, path in unit.paths("image:").items()}
    if all(unit.parameters["stripped"].values()):
        return _take_as_delivered(unit, images, workspace)
    extraction = _extract(unit, images[hub], workspace)
    chain = read_chain(unit.paths("transform:"), workspace)
    labels = unit.paths("labels:")
    notes = [f"{extraction.backend} {extraction.version}", *extraction.notes]
    outcome = Outcome(tables={"images": []}, notes=notes)
    for technique in unit.parameters["techniques"]:
        mask = carry_mask(extraction.mask, images[technique], technique, hub, chain)
        if technique in labels:
            lesions = read_image(workspace.read(labels[technique]))
            cut = lesions_cut_by_mask(lesions, mask)
            margin = unit.parameters["settings"]["protect_margin_mm"]
            mask = protect_lesions(mask, lesions, margin)
            outcome.notes += [f"lesion {c.lesion_id} protected on {technique}" for c in cut]
        source = (unit.path(f"image:{technique}"), unit.parameters["rows"][technique])
        row = _write(unit, source, images[technique], mask, workspace)
        outcome.tables["images"].append(row)
        outcome.tables["images"] += _strip_phases(unit, technique, mask, workspace)
    return outcome


def _take_as_delivered(
    unit: Unit, images: Mapping[str, sitk.Image], workspace: Workspace
) -> Outcome:
    """Take the brain of images that were delivered without the skull: what is not zero in them."""
    outcome = Outcome(tables={"images": []}, notes=["the brain was extracted before delivery"])
    for technique in unit.parameters["techniques"]:
        mask = delivered_mask(images[technique])
        source = (unit.path(f"image:{technique}"), unit.parameters["rows"][technique])
        outcome.tables["images"].append(_write(unit, source, None, mask, workspace))
        for inherited in unit.parameters["phases"]:
            if inherited["technique"] == technique:
                path = unit.path(f"phase:{technique}:{inherited['contrast_phase']}")
                row = _write(unit, (path, inherited), None, mask, workspace)
                outcome.tables["images"].append(row)
    return outcome


def _strip_phases(
    unit: Unit, technique: str, mask: sitk.Image, workspace: Workspace
) -> list[dict[str, Any]]:
    """Write the brain images of a technique's further phases, with the mask of its image."""
    rows = []
    for inherited in unit.parameters["phases"]:
        if inherited["technique"] == technique:
            path = unit.path(f"phase:{technique}:{inherited['contrast_phase']}")
            image = read_image(workspace.read(path))
            share = resample(sitk.Cast(mask, sitk.sitkFloat32), image)
            same = sitk.Cast(share > 0.5, sitk.sitkUInt8)
            rows.append(_write(unit, (path, inherited), image, same, workspace))
    return rows


def carry_mask(
    mask: sitk.Image, image: sitk.Image, technique: str, hub: str, chain: TransformChain
) -> sitk.Image:
    """Return the hub's mask on another technique's grid: where more than half a voxel is brain."""
    if technique == hub:
        return mask
    transform = chain.between(target=technique, source=hub)
    share = resample(sitk.Cast(mask, sitk.sitkFloat32), image, transform)
    return sitk.Cast(share > 0.5, sitk.sitkUInt8)


def backend_options(settings: Mapping[str, Any]) -> dict[str, object]:
    """Return what the study's back end takes, apart from the mask of `provided`."""
    if settings["backend"] != "hd-bet":
        return {}
    folder = settings["weights_folder"]
    return {"device": settings["device"]} | ({"weights_folder": folder} if folder else {})


def _extract(unit: Unit, image: sitk.Image, workspace: Workspace) -> BrainExtraction:
    settings = unit.parameters["settings"]
    options = backend_options(settings)
    if settings["backend"] == "provided":
        options["mask"] = supplied_mask(workspace.read(unit.path("provided")))
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
    unit: Unit,
    source: tuple[str, dict[str, Any]],
    image: sitk.Image | None,
    mask: sitk.Image,
    workspace: Workspace,
) -> dict[str, Any]:
    """Write mask and brain image of the image at a path; return its row.

    Without `image` the file at that path is the brain already: its bytes are taken as they are.
    """
    source_path, inherited = source
    name = parse_name(source_path.split("/")[-1])
    folder = f"datasets/{unit.id.cohort}/derivatives/cta"
    entities = {**name.entities, "desc": "brain"}
    mask_path = f"{folder}/{BidsName(entities, 'mask').path}"
    path = f"{folder}/{BidsName(entities, name.suffix).path}"
    write_image(mask, workspace.write(mask_path))
    if image is None:
        shutil.copyfile(workspace.read(source_path), workspace.write(path))
    else:
        write_image(apply_mask(image, mask), workspace.write(path))
    return (
        inherited
        | grid_columns(mask)
        | {
            "path": path,
            "annex_key": content_key(workspace.write(path)),
            "description": "brain",
            "skull_stripped": True,
            "geometry_source": "derived",
            "mask_path": mask_path,
        }
    )


STRIP = Step("strip", plan, run, session_scope("images", description="brain"))
