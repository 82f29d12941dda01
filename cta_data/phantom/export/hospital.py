"""What a hospital exports of a patient: images, and the objects that its systems add to them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import (
    CTImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MRImageStorage,
    SpatialRegistrationStorage,
    XRayRadiationDoseSRStorage,
)

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.export.dicom import (
    Elements,
    WrittenSeries,
    decimal_strings,
    references,
    save,
    series_reference,
    write_slices,
)
from cta_data.phantom.export.identity import PatientIdentity, dicom_time
from cta_data.phantom.geometry import Rigid, identity, index_of
from cta_data.phantom.patient import DigitalPatient
from cta_data.phantom.tables import table


def object_elements(
    who: PatientIdentity, sop_class: str, modality: str, name: str = ""
) -> dict[str, Any]:
    """Patient and study of an object: MR, or for all other modalities the planning study.

    An object with a `name` is alone in its series, and has the elements of that table.
    """
    is_mr = modality in ("MR", "PR")
    date = who.mr_date if is_mr else who.ct_date
    time = dicom_time(who.mr_start_s if is_mr else who.ct_start_s)
    elements: dict[str, Any] = {
        **table("hospital", "object"),
        "SOPClassUID": sop_class,
        "Modality": modality,
        **dict.fromkeys(("StudyDate", "SeriesDate", "ContentDate", "InstanceCreationDate"), date),
        **dict.fromkeys(("StudyTime", "SeriesTime", "ContentTime", "InstanceCreationTime"), time),
        "AccessionNumber": f"A{who.accession + (0 if is_mr else 1)}",
        "InstitutionName": who.institution,
        "ReferringPhysicianName": who.referring_physician,
        "StudyDescription": "MRT Schaedel KM Stereotaxie" if is_mr else "CT Planung Schaedel",
        "PatientName": who.name,
        "PatientID": who.patient_id,
        "PatientBirthDate": who.birth_date,
        "PatientSex": who.sex,
        "PatientAge": f"{who.age_years:03d}Y",
        "PatientWeight": who.weight_kg,
        "StudyInstanceUID": who.uid("study", "mr" if is_mr else "ct"),
        "StudyID": "1" if is_mr else "2",
    }
    if not name:
        return elements
    alone = {
        "SOPInstanceUID": who.uid(name),
        "SeriesInstanceUID": who.uid("series", name),
        "InstanceNumber": 1,
    }
    return elements | alone | table("hospital", name)


def write_series(
    who: PatientIdentity, key: str, frame_uid: str, image: sitk.Image, grid: Grid, paths: list[Path]
) -> WrittenSeries:
    """Write one series of the table `series`, a file per slice along the image's third axis.

    `image` holds 12-bit stored values for MR, HU for CT; `paths` name the files in slice order.
    """
    is_ct = key == "CT"
    own = dict(table("hospital", "series", key))
    parts = own.pop("parts")
    start_s = (who.ct_start_s if is_ct else who.mr_start_s) + own.pop("start_s")
    elements = object_elements(
        who, CTImageStorage if is_ct else MRImageStorage, "CT" if is_ct else "MR"
    )
    for part in parts:
        elements |= table("hospital", part)
    elements |= own | {
        "SeriesInstanceUID": who.uid("series", key),
        "FrameOfReferenceUID": frame_uid,
        "AcquisitionNumber": 1,
        "AcquisitionDate": elements["StudyDate"],
        "AcquisitionTime": dicom_time(start_s),
        "SeriesTime": dicom_time(start_s + 0.5),
    }

    def varying(k: int, plane: NDArray[np.integer]) -> Elements:
        time = dicom_time(start_s + 20.0 + 0.01 * k)
        return {
            "ContentTime": time,
            "InstanceCreationTime": time,
            "SmallestImagePixelValue": int(plane.min()),
            "LargestImagePixelValue": int(plane.max()),
        }

    stored = sitk.GetArrayViewFromImage(image)
    volume = stored + np.int16(1024) if is_ct else stored
    uids = [who.uid("instance", key, k) for k in range(len(paths))]
    return write_slices(elements, grid, volume, uids, paths, varying)


def write_localizer(
    who: PatientIdentity, patient: DigitalPatient, frame_uid: str, paths: list[Path]
) -> WrittenSeries:
    """Three parallel transverse slices through the first MPRAGE, in its frame of reference."""
    first = next(image for key, image in patient.images.items() if key.startswith("MPRAGE"))
    grid, pose = patient.grids["MPRAGE"], patient.poses["MPRAGE"]
    corner = pose.apply([-101.0, -110.0, -40.0])
    scout = Grid((128, 144, len(paths)), np.array([1.6, 1.6, 30.0]), corner, pose.rotation)
    index = np.moveaxis(np.indices(scout.size[::-1]), 0, -1)
    points = index[..., ::-1] @ scout.index_to_point.T + scout.origin
    voxels = np.round(index_of(grid, points)).astype(int)
    inside = np.all((voxels >= 0) & (voxels < np.array(grid.size)), axis=-1)
    voxels = np.where(inside[..., None], voxels, 0)
    source = sitk.GetArrayViewFromImage(first)
    sampled = source[voxels[..., 2], voxels[..., 1], voxels[..., 0]] * inside
    image = scout.image(sampled.astype(np.uint16))
    return write_series(who, "localizer", frame_uid, image, scout, paths)


def write_presentation_state(who: PatientIdentity, shown: WrittenSeries, path: Path) -> None:
    """A grayscale presentation state: the window in which somebody looked at a series."""
    kind = GrayscaleSoftcopyPresentationStateStorage
    elements = object_elements(who, kind, "PR", "presentation state")
    area = {
        "DisplayedAreaTopLeftHandCorner": [1, 1],
        "DisplayedAreaBottomRightHandCorner": [shown.grid.size[0], shown.grid.size[1]],
        "PresentationSizeMode": "SCALE TO FIT",
        "PresentationPixelAspectRatio": [1, 1],
    }
    elements |= {
        "PresentationCreationDate": who.mr_date,
        "PresentationCreationTime": elements["StudyTime"],
        "ContentCreatorName": who.referring_physician,
        "ReferencedSeriesSequence": [series_reference(shown)],
        "DisplayedAreaSelectionSequence": [area],
    }
    save(elements, path)


def write_dose_report(who: PatientIdentity, ct: WrittenSeries, path: Path) -> None:
    """A radiation dose structured report of the planning CT (dose length product only)."""
    measured = {
        "NumericValue": f"{3.1 * ct.grid.size[2]:.1f}",
        "MeasurementUnitsCodeSequence": [table("hospital", "mGy_cm")],
    }
    total = table("hospital", "dose length product") | {"MeasuredValueSequence": [measured]}
    elements = object_elements(who, XRayRadiationDoseSRStorage, "SR", "dose report")
    save(elements | {"ContentSequence": [total]}, path)


def write_registration(
    who: PatientIdentity,
    ct: WrittenSeries,
    moving: list[tuple[WrittenSeries, Rigid]],
    others: list[WrittenSeries],
    path: Path,
) -> None:
    """Write the Spatial Registration object: how the MR frames of reference lie in that of the CT.

    `moving` pairs one series of each MR frame with its mapping onto the CT's; `others` are further
    series that the object references.
    """
    mr = [series for series, _ in moving] + others
    study = {
        "StudyInstanceUID": mr[0].study_uid,
        "ReferencedSeriesSequence": [series_reference(series) for series in mr],
    }
    elements = object_elements(who, SpatialRegistrationStorage, "REG", "registration") | {
        "FrameOfReferenceUID": ct.frame_uid,
        "RegistrationSequence": [_registered(*pair) for pair in [(ct, identity()), *moving]],
        "ReferencedSeriesSequence": [series_reference(ct)],
        "StudiesContainingOtherReferencedInstancesSequence": [study],
    }
    save(elements, path)


def _registered(series: WrittenSeries, to_registered: Rigid) -> Elements:
    """One frame of reference: the matrix takes its coordinates to the registered ones (LPS mm)."""
    matrix = {
        "FrameOfReferenceTransformationMatrixType": "RIGID",
        "FrameOfReferenceTransformationMatrix": decimal_strings(to_registered.matrix().ravel(), 12),
    }
    registration = {"MatrixSequence": [matrix], "RegistrationTypeCodeSequence": []}
    return {
        "FrameOfReferenceUID": series.frame_uid,
        "ReferencedImageSequence": references(series),
        "MatrixRegistrationSequence": [registration],
    }


def copy_some(rng: np.random.Generator, series: WrittenSeries, folder: Path, count: int) -> None:
    """Byte-identical copies of some files of a series under other names, as a second export leaves.

    Every other copy has no extension.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = rng.choice(len(series.paths), size=min(count, len(series.paths)), replace=False)
    for i, k in enumerate(sorted(int(c) for c in chosen)):
        shutil.copyfile(series.paths[k], folder / (f"Kopie{i}" if i % 2 else f"Kopie{i}.dcm"))
