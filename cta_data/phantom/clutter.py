"""What else lies in an export: localizer, presentation state, dose report, copies of files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, XRayRadiationDoseSRStorage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import index_of
from cta_data.phantom.hospital_dicom import (
    SeriesPlan,
    WrittenSeries,
    new_object,
    save,
    series_reference,
    write_series,
)
from cta_data.phantom.identity import Identity
from cta_data.phantom.patient import DigitalPatient

_LOCALIZER_ELEMENTS: dict[str, object] = {
    "ImageType": ["DERIVED", "PRIMARY", "MPR", "NORM"],
    "ScanningSequence": "GR",
    "SequenceVariant": ["SK", "SP"],
    "SequenceName": "*fl3d1_ns",
    "ProtocolName": "AAHead_Scout",
    "RepetitionTime": 3.15,
    "EchoTime": 1.37,
    "FlipAngle": 8,
    "EchoTrainLength": 1,
}


def write_localizer(
    who: Identity, patient: DigitalPatient, frame_uid: str, paths: list[Path]
) -> WrittenSeries:
    """Three parallel transverse slices through the first MPRAGE, in its frame of reference."""
    first = next(image for key, image in patient.images.items() if key.startswith("MPRAGE"))
    grid, pose = patient.grids["MPRAGE"], patient.poses["MPRAGE"]
    spacing = np.array([1.6, 1.6, 30.0])
    corner = pose.apply([-101.0, -110.0, -40.0])
    scout = Grid((128, 144, len(paths)), spacing, corner, pose.rotation)
    matrix, offset = scout.index_to_point, scout.origin
    size = np.array(scout.size[::-1])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    voxels = np.round(index_of(grid, index[..., ::-1] @ matrix.T + offset)).astype(int)
    inside = np.all((voxels >= 0) & (voxels < np.array(grid.size)), axis=-1)
    voxels = np.where(inside[..., None], voxels, 0)
    source = sitk.GetArrayViewFromImage(first)
    sampled = source[voxels[..., 2], voxels[..., 1], voxels[..., 0]] * inside
    plan = SeriesPlan(
        "localizer", 1, "AAHead_Scout_MPR_tra", who.mr_start_s + 5.0, frame_uid, _LOCALIZER_ELEMENTS
    )
    return write_series(who, plan, scout.image(sampled.astype(np.uint16)), scout, paths)


def write_presentation_state(who: Identity, shown: WrittenSeries, path: Path) -> None:
    """A grayscale presentation state: the window in which somebody looked at a series."""
    ds = new_object(who, GrayscaleSoftcopyPresentationStateStorage, "PR")
    ds.SOPInstanceUID = who.uid("presentation state")
    ds.SeriesInstanceUID = who.uid("series", "presentation state")
    ds.SeriesNumber = 601
    ds.SeriesDescription = "Presentation State"
    ds.InstanceNumber = 1
    ds.Manufacturer = "SIEMENS"
    ds.ContentLabel = "BEFUND"
    ds.ContentDescription = ""
    ds.PresentationCreationDate = who.mr_date
    ds.PresentationCreationTime = str(ds.StudyTime)
    ds.ContentCreatorName = who.referring_physician
    ds.ReferencedSeriesSequence = Sequence([series_reference(shown)])
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [shown.grid.size[0], shown.grid.size[1]]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelAspectRatio = [1, 1]
    ds.DisplayedAreaSelectionSequence = Sequence([area])
    window = Dataset()
    window.WindowCenter, window.WindowWidth = 420, 840
    ds.SoftcopyVOILUTSequence = Sequence([window])
    ds.PresentationLUTShape = "IDENTITY"
    save(ds, path)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def write_dose_report(who: Identity, ct: WrittenSeries, path: Path) -> None:
    """A radiation dose structured report of the planning CT (dose length product only)."""
    ds = new_object(who, XRayRadiationDoseSRStorage, "SR")
    ds.SOPInstanceUID = who.uid("dose report")
    ds.SeriesInstanceUID = who.uid("series", "dose report")
    ds.SeriesNumber = 501
    ds.SeriesDescription = "Dose Report"
    ds.InstanceNumber = 1
    ds.Manufacturer = "SIEMENS"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    ds.PerformedProcedureCodeSequence = Sequence([])
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([_code("113701", "DCM", "X-Ray Radiation Dose Report")])
    total = Dataset()
    total.RelationshipType, total.ValueType = "CONTAINS", "NUM"
    total.ConceptNameCodeSequence = Sequence(
        [_code("113813", "DCM", "CT Dose Length Product Total")]
    )
    measured = Dataset()
    measured.NumericValue = f"{3.1 * ct.grid.size[2]:.1f}"
    measured.MeasurementUnitsCodeSequence = Sequence([_code("mGy.cm", "UCUM", "mGy.cm")])
    total.MeasuredValueSequence = Sequence([measured])
    ds.ContentSequence = Sequence([total])
    save(ds, path)


def copy_some(rng: np.random.Generator, series: WrittenSeries, folder: Path, count: int) -> None:
    """Byte-identical copies of some files of a series under other names, as a second export leaves.

    Every other copy has no extension.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = rng.choice(len(series.paths), size=min(count, len(series.paths)), replace=False)
    for i, k in enumerate(sorted(int(c) for c in chosen)):
        shutil.copyfile(series.paths[k], folder / (f"Kopie{i}" if i % 2 else f"Kopie{i}.dcm"))
