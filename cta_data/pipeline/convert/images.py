"""The images of one session: series to roles by the card, series to NIfTI and sidecar."""

from __future__ import annotations

import SimpleITK as sitk

from cta_data.bids.sidecars import build_sidecar, write_sidecar
from cta_data.cohorts.card import Card, RepairSection
from cta_data.cohorts.series_roles import Role, SeriesHeader, assign_roles
from cta_data.engine import Unit, UnitId, Workspace, content_key
from cta_data.engine.sessions import CONVERTED_KINDS, DOSE
from cta_data.errors import DataRefused
from cta_data.formats.dicom.geometry import SeriesRepairs
from cta_data.formats.dicom.header import measured
from cta_data.formats.dicom.series import ConvertedSeries, convert_series
from cta_data.formats.dicom.series_parameters import MIXED
from cta_data.formats.digests import voxel_digests
from cta_data.formats.nifti.image import write_image
from cta_data.formats.voxel_values import usable_values
from cta_data.imaging.rasterization.contours import AcquiredSlices
from cta_data.intake import header_of, open_datasets
from cta_data.intake.person import person_of
from cta_data.pipeline.convert.dose import convert_dose
from cta_data.pipeline.convert.image_rows import (
    TWO_VALUES,
    ConvertedImages,
    PlacedImage,
    RawSeries,
    RawSession,
    grid_columns,
    image_name,
)
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.reasons import together
from cta_data.study import layout
from cta_data.study.phases import phase_order, space_of
from cta_data.study.tables import ImageRow

UNEVEN = ("missing_slices", "uneven_steps")


def read_session(unit: Unit[ConvertInputs], workspace: Workspace) -> RawSession:
    """Read every series of a session from its tar."""
    series = []
    for (kind, identifier), path in unit.given.series.items():
        datasets = open_datasets(workspace.read(path))
        header = header_of(datasets[0])
        series.append(RawSeries(kind, identifier, list(datasets), header))
    return RawSession(series)


def convert_images(
    unit: UnitId, session: RawSession, card: Card, workspace: Workspace
) -> ConvertedImages:
    """Write the image and sidecar of every series that has a role.

    Raises
    ------
    DataRefused
        A required series is missing or ambiguous, or a series is no regular volume.
    """
    by_identifier = {one.identifier: one for one in session.of_kind(*CONVERTED_KINDS)}
    headers = [SeriesHeader(i, one.header) for i, one in by_identifier.items()]
    roles = assign_roles(headers, card.series)
    if roles.problems:
        raise DataRefused(
            "image_series_unclear",
            where=unit,
            cause=together(roles.problems, most=len(roles.problems)),
            n_series=len(headers),
        )
    person, notes = person_of(one.header for one in session.series)
    images = ConvertedImages(person=person, notes=notes)
    frames: dict[str, int] = {}
    for role in sorted(roles.images, key=lambda r: (r.technique or "", r.phase, r.identifier)):
        raw = by_identifier[role.identifier]
        frame_uid = _frame_of_reference(raw, role, unit)
        frame = frames.setdefault(frame_uid, len(frames) + 1)
        if raw.kind == DOSE:
            images.rows.append(convert_dose(unit, role, raw, frame, workspace))
            continue
        converted = _convert(raw, role, card.repairs, unit)
        images.rows.append(_write(unit, role, raw, converted, frame, workspace, images))
        space = _space(role, roles.images, card)
        images.placed.append(_placed(role, raw, converted, (frame, frame_uid), space))
        images.notes += [f"{role.technique}: {d.kind} {d.measured}" for d in converted.deviations]
        mixed = [d.measured for d in converted.deviations if d.kind == MIXED]
        images.warnings += [f"{role.technique} ({role.phase}): {one}" for one in mixed]
    unused = [role for role in roles.roles if not role.technique]
    images.notes += [f"one series not converted: {role.reason}" for role in unused]
    return images


def series_repairs(section: RepairSection) -> SeriesRepairs:
    """Return the repairs that a card allows."""
    return SeriesRepairs(
        resample_gantry_tilt=section.gantry_tilt,
        resample_uneven_steps=section.uneven_steps,
        drop_identical_slices=section.identical_slices,
        tolerance_mm=section.step_tolerance_mm,
        maximum_gap_mm=section.maximum_gap_mm,
    )


def _convert(raw: RawSeries, role: Role, repairs: RepairSection, unit: UnitId) -> ConvertedSeries:
    try:
        converted = convert_series(raw.datasets, series_repairs(repairs))
        usable_values(sitk.GetArrayViewFromImage(converted.image))
        return converted
    except DataRefused as error:
        raise DataRefused(
            "series_unusable",
            where=unit,
            technique=role.technique,
            phase=role.phase,
            correction=error.next_step or "Correct the raw files",
            cause=error.reason,
        ) from error


def _write(
    unit: UnitId,
    role: Role,
    raw: RawSeries,
    converted: ConvertedSeries,
    frame: int,
    workspace: Workspace,
    images: ConvertedImages,
) -> ImageRow:
    """Write one image with its sidecar; return its row."""
    assert role.technique
    modality = raw.header.get("Modality", "MR")
    name = image_name(unit.session, role, modality)
    path = layout.image(unit.session, name)
    target = workspace.write(path)
    write_image(converted.image, target)
    source = "repaired" if converted.repairs else "dicom"
    sidecar = build_sidecar(
        converted.header,
        geometry_source=source,
        deviations=[deviation.as_record() for deviation in converted.deviations],
        extra={"ContrastPhase": role.phase, "Technique": role.technique},
    )
    write_sidecar(sidecar, workspace.write(layout.sidecar(unit.session, name)))
    header, digests = converted.header, voxel_digests(target)
    images.warnings += [f"{role.technique} ({role.phase}) {TWO_VALUES}"] if digests.binary else []
    return ImageRow(
        session=unit.session,
        technique=role.technique,
        contrast_phase=role.phase,
        description="",
        modality=modality,
        path=path,
        annex_key=content_key(target),
        voxels_sha256=digests.whole,
        slice_digests=digests.slices,
        frame=frame,
        manufacturer=sidecar.get("Manufacturer"),
        model=sidecar.get("ManufacturersModelName"),
        field_strength_t=measured(header, "MagneticFieldStrength"),
        tr_ms=measured(header, "RepetitionTime"),
        te_ms=measured(header, "EchoTime"),
        ti_ms=measured(header, "InversionTime"),
        flip_angle_deg=measured(header, "FlipAngle"),
        slice_thickness_mm=measured(header, "SliceThickness"),
        skull_stripped=False,
        geometry_source=source,
        notes=tuple(f"{d.kind}: {d.measured} ({d.action})" for d in converted.deviations),
        **grid_columns(converted.image),
    )


def _placed(
    role: Role, raw: RawSeries, converted: ConvertedSeries, frame: tuple[int, str], space: str
) -> PlacedImage:
    assert role.technique
    geometry = converted.geometry
    return PlacedImage(
        technique=role.technique,
        frame=frame[0],
        frame_uid=frame[1],
        series_uid=raw.header.get("SeriesInstanceUID", ""),
        sop_uids=frozenset(str(d.get("SOPInstanceUID", "")) for d in raw.datasets),
        grid=converted.image,
        slice_spacing_mm=float(geometry.distances[-1] / (geometry.slices - 1)),
        phase=role.phase,
        space=space,
        acquired_slices=_uneven_slices(converted),
    )


def _frame_of_reference(raw: RawSeries, role: Role, unit: UnitId) -> str:
    """Return the frame of reference that all slices name; one of its own where they name none."""
    frames = {str(dataset.get("FrameOfReferenceUID") or "") for dataset in raw.datasets}
    if len(frames) > 1:
        raise DataRefused(
            "frames_of_reference_several",
            where=unit,
            technique=role.technique,
            phase=role.phase,
            n_frames=len(frames),
        )
    return frames.pop() or f"none:{role.identifier}"


def _space(role: Role, roles: list[Role], card: Card) -> str:
    technique = role.technique or ""
    phases = [one.phase for one in roles if one.technique == technique]
    return space_of(technique, role.phase, phases, phase_order(card, technique))


def _uneven_slices(converted: ConvertedSeries) -> AcquiredSlices | None:
    """Where slices were acquired, of a series that was resampled onto regular steps."""
    if not any(d.kind in UNEVEN for d in converted.repairs):
        return None
    normal = converted.geometry.cosines[2]
    return AcquiredSlices(normal, converted.geometry.positions @ normal)
