"""The plain files of one session: NIfTI, NRRD and PNG become BIDS images, by the card's rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.bids.dataset import SOFTWARE_NAME
from cta_data.bids.sidecars import build_sidecar, write_sidecar
from cta_data.cohorts.card import Card
from cta_data.cohorts.file_roles import FileMatch, match_file, required_techniques
from cta_data.cohorts.roi_selection import RoiName
from cta_data.cohorts.series_roles import Role
from cta_data.engine import Unit, UnitId, Workspace, content_key
from cta_data.engine.sessions import DOSE
from cta_data.errors import DataRefused
from cta_data.formats.digests import VoxelDigests, voxel_digests
from cta_data.formats.nifti.copy import place_nifti
from cta_data.formats.nifti.geometry import FormChoice
from cta_data.formats.nifti.image import read_image, write_voxels
from cta_data.formats.nrrd import read_nrrd_voxels
from cta_data.formats.png_stack import read_png_stack
from cta_data.formats.slice_numbers import slice_numbers
from cta_data.formats.voxel_values import NotFinite, usable_values
from cta_data.imaging.geometry.grid import Grid, describe_grid_difference, ras_affine, same_grid
from cta_data.intake import read_members
from cta_data.pipeline.convert.image_rows import (
    TWO_VALUES,
    ConvertedImages,
    PlacedImage,
    grid_columns,
    image_name,
)
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.pipeline.convert.roi_names import RoiNaming
from cta_data.reasons import Reason, together
from cta_data.redaction import Identity, Redactor
from cta_data.redaction.identity import is_public
from cta_data.study import layout
from cta_data.study.tables import ImageRow

FRAME = 1
"""Frame of reference of all images of a session that were delivered in one space."""


@dataclass(frozen=True)
class SessionFile:
    """One plain file (or stack) of a session: where it is, and what its path says.

    `region` is what a mask shows, under its own name and the one under which it is published.
    """

    identifier: str
    path: Path
    match: FileMatch
    region: RoiName | None = None

    @property
    def name(self) -> str:
        """What a message calls it: its role. Its own name may hold a patient's."""
        rule = self.match.rule
        if rule.role == "image":
            return f"{rule.technique} ({rule.phase})"
        return f"mask {self.roi}".rstrip()

    @property
    def roi(self) -> str:
        """Name under which a mask is published; empty where it has none."""
        return self.region.published if self.region and self.region.name else ""


def session_files(unit: Unit[ConvertInputs], card: Card, workspace: Workspace) -> list[SessionFile]:
    """Return the plain files of a session, in the order of the card's rules and of their places."""
    places = unit.given.files or {}
    files = []
    for (_, identifier), path in unit.given.series.items():
        match = match_file(places[identifier], card.files)
        if match is not None:
            files.append(SessionFile(identifier, workspace.read(path), match))
    ordered = sorted(files, key=lambda f: (f.match.number, f.match.place))
    naming = file_naming(ordered, card)
    masks = [file for file in ordered if file.match.rule.role == "mask"]
    regions = {
        file.identifier: naming.roi(number, file.match.roi, what="mask")
        for number, file in enumerate(masks, start=1)
    }
    return [replace(file, region=regions.get(file.identifier)) for file in ordered]


def file_naming(files: Iterable[SessionFile], card: Card) -> RoiNaming:
    """Return how the masks of a session are called; its files may be named after the patient."""
    pattern = card.subjects.pattern
    subjects = {file.match.subject for file in files}
    identity = Identity()
    for subject in sorted(subjects):
        identity |= Identity.of_identifier(subject, public=is_public(pattern, subject))
    return RoiNaming(card.withholds_roi_names, Redactor(identity))


def convert_file_images(
    unit: UnitId, files: Sequence[SessionFile], card: Card, form: str, workspace: Workspace
) -> ConvertedImages:
    """Write the image and sidecar of every file that is one.

    Images whose bytes need no change are not encoded again.

    Raises
    ------
    DataRefused
        A required image is missing, two files are one image, or a file is damaged.
    """
    images = ConvertedImages()
    chosen = [f for f in files if f.match.rule.role == "image"]
    _check_slices(files)
    _check_roles(unit, chosen, card, form, images)
    reference = card.masks.drawn_on
    frames: dict[tuple[str, str], int] = {}
    # The image that masks lie on comes first: others are compared with it.
    for file in sorted(chosen, key=lambda f: f.match.rule.technique != reference):
        role = (file.match.rule.technique, file.match.rule.phase)
        own = frames.setdefault(role, len(frames) + 1)
        frame = FRAME if card.geometry.coregistered else own
        images.rows.append(_write(unit, file, frame, card, workspace, images))
    return images


def read_mask(file: SessionFile, card: Card) -> tuple[NDArray[np.generic], Grid]:
    """Read the voxels (z, y, x) of a mask, whatever contains it, and where they lie.

    Raises
    ------
    DataRefused
        It is damaged, or is no volume.
    """
    if file.match.container == "NIFTI":
        image = read_image(file.path, form_choice(card))
        return sitk.GetArrayFromImage(image), Grid.of(image)
    return _read_other(file, card)


def _read_other(file: SessionFile, card: Card) -> tuple[NDArray[np.generic], Grid]:
    if file.match.container == "NRRD":
        return read_nrrd_voxels(file.path)
    spacing = card.geometry.assumed_spacing_mm
    if spacing is None:
        raise DataRefused("png_spacing_unknown", where=file.name)
    image = read_png_stack(read_members(file.path), spacing)
    return sitk.GetArrayFromImage(image), Grid.of(image)


MATCHED = Reason("series_matches_rule")


def form_choice(card: Card) -> FormChoice:
    """Return what the card says of NIfTI headers that contradict themselves."""
    setting = "say which is in the cohort's card (geometry.nifti_form)"
    return FormChoice(card.geometry.nifti_form, setting)


def _check_slices(files: Iterable[SessionFile]) -> None:
    """Compare the slice numbers of a session's stacks: nothing else tells how they correspond."""
    first: tuple[str, list[int]] | None = None
    for file in files:
        if file.match.slice_number is None:
            continue
        try:
            numbers = slice_numbers(name for name, _ in read_members(file.path))
        except DataRefused as error:
            raise _of(file, error) from error
        if first is None:
            first = (file.name, numbers)
        elif numbers != first[1]:
            raise DataRefused(
                "stack_slices_differ",
                case=first[0],
                first_slices=_span(first[1]),
                file=file.name,
                slices=_span(numbers),
            )


def _of(file: SessionFile, error: DataRefused) -> DataRefused:
    """The same refusal, saying which file of the session it is about."""
    return type(error)(error.reason.at(file.name))


def _span(numbers: list[int]) -> str:
    return f"{len(numbers)} slices from {numbers[0]} to {numbers[-1]}" if numbers else "no slice"


def _check_roles(
    unit: UnitId, files: Sequence[SessionFile], card: Card, form: str, images: ConvertedImages
) -> None:
    problems: list[Reason] = []
    found: dict[tuple[str, str], list[SessionFile]] = {}
    for file in files:
        found.setdefault((file.match.rule.technique, file.match.rule.phase), []).append(file)
    for (technique, phase), several in found.items():
        if len(several) > 1:
            problems.append(
                Reason(
                    "image_files_repeated", n_several=len(several), technique=technique, phase=phase
                )
            )
    for (technique, phase), needed in required_techniques(form, card.files).items():
        if (technique, phase) in found:
            continue
        if needed:
            problems.append(Reason("image_file_missing", technique=technique, phase=phase))
        else:
            images.missing.append(f"{technique} ({phase})")
    if problems:
        raise DataRefused(
            "image_files_unclear",
            where=unit,
            cause=together(problems, most=len(problems)),
            n_files=len(files),
        )


def _write(
    unit: UnitId,
    file: SessionFile,
    frame: int,
    card: Card,
    workspace: Workspace,
    images: ConvertedImages,
) -> ImageRow:
    """Write one image with its sidecar; return its row."""
    rule = file.match.rule
    role = Role(file.identifier, rule.technique, rule.phase, MATCHED, rule.suffix)
    name = image_name(
        unit.session, role, rule.modality, acquisition=rule.acquisition, space=card.geometry.space
    )
    path = layout.image(unit.session, name)
    target = workspace.write(path)
    grid, source, notes = _place(file, target, card)
    compared = card.geometry.coregistered and rule.modality != DOSE
    if images.placed and compared and not same_grid(grid, images.placed[0].grid):
        first = images.placed[0]
        difference = describe_grid_difference(grid, first.grid)
        notes = (*notes, f"grid differs from that of {first.technique}: {difference}")
    extra: dict[str, Any] = {"ContrastPhase": rule.phase, "Technique": rule.technique}
    extra["ConversionSoftware"] = SOFTWARE_NAME
    if card.geometry.skull_stripped:
        extra["SkullStripped"] = True
    if card.geometry.space:
        extra["SpatialReference"] = card.geometry.space
    deviations = [{"kind": "delivered", "measured": note, "action": "recorded"} for note in notes]
    sidecar = build_sidecar(
        {"Modality": rule.modality}, geometry_source=source, deviations=deviations, extra=extra
    )
    write_sidecar(sidecar, workspace.write(layout.sidecar(unit.session, name)))
    images.placed.append(
        PlacedImage(
            rule.technique, frame, "", "", frozenset(), grid, grid.GetSpacing()[2], rule.phase
        )
    )
    images.notes += [f"{rule.technique}: {note}" for note in notes]
    digests = VoxelDigests() if rule.modality == DOSE else voxel_digests(target)
    images.warnings += [f"{file.name} {TWO_VALUES}"] if digests.binary else []
    return ImageRow(
        session=unit.session,
        technique=rule.technique,
        contrast_phase=rule.phase,
        description="",
        modality=rule.modality,
        path=path,
        annex_key=content_key(target),
        voxels_sha256=digests.whole,
        slice_digests=digests.slices,
        frame=frame,
        skull_stripped=card.geometry.skull_stripped,
        geometry_source=source,
        notes=notes,
        **grid_columns(grid),
    )


def _place(file: SessionFile, target: Path, card: Card) -> tuple[Grid, str, tuple[str, ...]]:
    """Write an image; return its grid, where its geometry comes from, and what was noted."""
    setting = "say in the cohort's card what takes their place (geometry.replace_not_finite)"
    not_finite = NotFinite(card.geometry.replace_not_finite, setting)
    try:
        if file.match.container == "NIFTI":
            placed = place_nifti(file.path, target, form_choice(card), not_finite)
            return placed.grid, "nifti", placed.notes
        voxels, grid = _read_other(file, card)
        voxels, filled = usable_values(voxels, not_finite)
    except DataRefused as error:
        raise _of(file, error) from error
    write_voxels(voxels, ras_affine(grid), target)
    if file.match.container == "PNG":
        spacing = " × ".join(f"{value:g}" for value in grid.spacing)
        return grid, "assumed", (f"PNG carries no geometry: {spacing} mm, LPS assumed",)
    return grid, "nrrd", (filled,) if filled else ()
