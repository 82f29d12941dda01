"""Every reader of the package, a small right file for each, and the ways to damage it."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import openpyxl
import SimpleITK as sitk
from helpers.checkpoint_files import write_checkpoint
from helpers.command_line import CARD
from helpers.mutations import BYTES, Mutation, json_changed, line_changed
from helpers.nrrd_images import read_nrrd
from helpers.segmentation_objects import make_segmentation, make_series
from helpers.session_in_memory import registration
from helpers.structure_sets import DrawnContour, DrawnRoi, circle, write_series, write_structure_set
from helpers.structured_mutations import (
    dicom_changed,
    inside_gzip,
    inside_zip,
    nifti_header,
    nrrd_header,
    parquet_changed,
)
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, generate_uid

from cta_data.cohorts.clinical.sheets import read_sheet
from cta_data.cohorts.registry import read_card
from cta_data.formats.contours_json import read_contours, write_contours
from cta_data.formats.dicom.rtdose import read_dose
from cta_data.formats.dicom.rtstruct import read_dicom_object, read_structure_set
from cta_data.formats.dicom.segmentation import read_segmentation
from cta_data.formats.dicom.series import convert_series
from cta_data.formats.dicom.spatial_registration import read_spatial_registration
from cta_data.formats.nifti.image import read_image
from cta_data.formats.png_stack import read_png_stack
from cta_data.formats.transforms import read_transform
from cta_data.imaging.rasterization.contours import Contour, Roi
from cta_data.intake.archives import UnpackBudget, UnpackLimits, unpack
from cta_data.intake.instances import Unreadable, read_instance
from cta_data.scoring.mask_files import read_mask
from cta_data.study.configuration import StudyConfiguration, initial_toml
from cta_data.study.session_id import SessionId
from cta_data.study.tables import SessionRow, Tables, read_arrow
from cta_data.training.nnunet.archive import import_model
from cta_data.training.nnunet.checkpoints import read_checkpoint
from cta_data.training.nnunet.model_facts import read_model_facts
from cta_data.validation import read_toml

SIZE = (6, 5, 4)
SEED = 1


@dataclass(frozen=True)
class Reader:
    """How one kind of file is read.

    Attributes
    ----------
    write
        Makes a right file of the kind in a folder, and returns its path.
    read
        Reads it, to what is compared.
    structure
        Changes of its structure, by name, beside those of its bytes.
    checked
        Whether its container has checksums, so that no changed byte may be read as a value.
    has_end
        Whether a file tells where it ends, so that one cut off may not be read as a value.
    names_file
        Whether its refusals name the file; else its caller does, which knows patient and series.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    structure: Mapping[str, Mutation] = field(default_factory=dict)
    checked: bool = False
    has_end: bool = True
    names_file: bool = True

    @property
    def mutations(self) -> dict[str, Mutation]:
        """Every way to change its file."""
        return BYTES | dict(self.structure)


def _voxels(kind: type[np.generic] = np.int16) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 200, SIZE).astype(kind)


def _nifti(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        image = nib.Nifti1Image(_voxels(), np.diag([-1.0, -1.0, 2.0, 1.0]))
        image.set_qform(image.affine, 1)
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / f"image{ending}")
        return folder / f"image{ending}"

    return write


def _mask(folder: Path) -> Path:
    image = nib.Nifti1Image((_voxels() > 150).astype(np.uint8), np.diag([-1.0, -1.0, 2.0, 1.0]))
    nib.save(image, folder / "mask.nii.gz")
    return folder / "mask.nii.gz"


def _nrrd(compressed: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "image.nrrd"
        sitk.WriteImage(sitk.GetImageFromArray(_voxels()), str(path), useCompression=compressed)
        return path

    return write


def _png(folder: Path) -> Path:
    Image.fromarray(_voxels(np.uint8)[0]).save(folder / "1.png")
    return folder / "1.png"


def _series(folder: Path) -> Path:
    write_series(folder / "series", [0.0], size=8)
    return next((folder / "series").iterdir()).rename(folder / "slice.dcm")


def _slices(folder: Path) -> Path:
    write_series(folder / "series", [0.0, 2.0, 4.0], size=8)
    for number, path in enumerate(sorted((folder / "series").iterdir()), start=1):
        path.rename(folder / f"{number}.dcm")
    return folder / "1.dcm"


def _structure_set(folder: Path) -> Path:
    rois = [
        DrawnRoi(f"GTV {number}", [DrawnContour(circle((3, 4), 6, z)) for z in (0.0, 1.0)])
        for number in range(3)
    ]
    return write_structure_set(folder / "rs.dcm", rois)


def _saved(dataset: Dataset, path: Path) -> Path:
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def _segmentation(folder: Path) -> Path:
    masks = np.zeros((4, 8, 8, 2), np.uint8)
    masks[1:3, 2:5, 2:5, 0] = masks[0:2, 5:7, 5:7, 1] = 1
    series = make_series(slices=4, rows=8, columns=8)
    return _saved(make_segmentation(series, masks, ["one", "two"]), folder / "seg.dcm")


def _segments(path: Path) -> object:
    read = read_segmentation(read_dicom_object(path))
    return [(segment, read.mask(segment.number)) for segment in read.segments]


def _registration(folder: Path) -> Path:
    return _saved(registration("reg", 1, {1: (0, 0, 0), 2: (3, 4, 5)}), folder / "reg.dcm")


def _dose(folder: Path) -> Path:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTDoseStorage, generate_uid(entropy_srcs=["d"])
    planes = _voxels(np.uint16)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = planes.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = planes.tobytes()
    dataset.PixelSpacing, dataset.DoseGridScaling = [2.0, 1.5], 0.5
    dataset.ImagePositionPatient = [-10.0, 20.0, 30.0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.GridFrameOffsetVector = [2.5 * number for number in range(len(planes))]
    return _saved(dataset, folder / "dose.dcm")


def _workbook(folder: Path) -> Path:
    book = openpyxl.Workbook()
    for row in (["patient", "age", "seen"], ["P1", 61, "2020-01-02"], ["P2", 54.5, None]):
        book.active.append(row)
    book.save(folder / "clinical.xlsx")
    return folder / "clinical.xlsx"


def _delimited(folder: Path) -> Path:
    (folder / "clinical.tsv").write_text("patient\tage\nP1\t61\nP2\t54.5\n", "utf-8")
    return folder / "clinical.tsv"


def _table(folder: Path) -> Path:
    sessions = [SessionId("own", f"{n:03d}", "1") for n in range(3)]
    rows = [SessionRow(session=one, qualities=("HAQ",), age_years=60.0) for one in sessions]
    tables = Tables(folder)
    tables.upsert(rows)
    tables.flush()
    return folder / "subjects.parquet"


def _card(folder: Path) -> Path:
    rule = "[[series]]\ntechnique = 'MPRAGE'\nwhere = { SeriesDescription = '(?i)mprage' }\n"
    (folder / "own.toml").write_text(CARD.format(name="own") + rule, "utf-8")
    return folder / "own.toml"


def _configuration(folder: Path) -> Path:
    (folder / "study.toml").write_text(initial_toml("mutated"), "utf-8")
    return folder / "study.toml"


def _transform(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        transform = sitk.Euler3DTransform((0, 0, 0), 0.1, 0.2, 0.3, (1, 2, 3))
        sitk.WriteTransform(transform, str(folder / f"transform{ending}"))
        return folder / f"transform{ending}"

    return write


def _contours(folder: Path) -> Path:
    points = np.array([[0.0, 0, 1], [5, 0, 1], [5, 5, 1]])
    rois = [Roi(number, f"GTV {number}", "GTV", "1.2", (Contour(points),)) for number in (1, 2)]
    write_contours(rois, folder / "contours.json")
    return folder / "contours.json"


def _archive(packed: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"export.{packed}"
        files = {f"P{n}/image.bin": bytes([n]) * 300 for n in (1, 2)}
        if packed == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
                for name, content in files.items():
                    zipped.writestr(name, content)
            return path
        with tarfile.open(path, "w:gz") as tarred:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tarred.addfile(member, io.BytesIO(content))
        return path

    return write


def _unpacked(path: Path) -> dict[str, bytes]:
    into = path.parent / "unpacked"
    shutil.rmtree(into, ignore_errors=True)
    budget = UnpackBudget(UnpackLimits(total_bytes=1 << 20))
    files = unpack(path, into, budget, name=path.name)
    return {file.name: file.path.read_bytes() for file in files}


def _model(folder: Path) -> Path:
    top = "Dataset502_CTAB/nnUNetTrainer__nnUNetPlans__3d_fullres"
    checkpoint = write_checkpoint(folder / "checkpoint.pth")
    with zipfile.ZipFile(folder / "model.zip", "w") as zipped:
        zipped.writestr(f"{top}/plans.json", "{}")
        zipped.writestr(f"{top}/dataset.json", '{"labels": {"background": 0, "lesion": 1}}')
        zipped.write(checkpoint, f"{top}/fold_0/checkpoint_final.pth")
    return folder / "model.zip"


def _imported(path: Path) -> object:
    results = path.parent / "results"
    shutil.rmtree(results, ignore_errors=True)
    archived = import_model(path, results)
    files = {p.name: p.read_bytes() for p in sorted(results.rglob("*")) if p.is_file()}
    return archived, files


def _facts(folder: Path) -> Path:
    text = '{"channel_names": {"0": "T1"}, "labels": {"background": 0, "lesion": 1}}'
    (folder / "dataset.json").write_text(text, "utf-8")
    return folder / "dataset.json"


def _convert_all(path: Path) -> object:
    files = (path, path.with_name("2.dcm"), path.with_name("3.dcm"))
    return convert_series([read_dicom_object(file) for file in files]).image


def _seen(path: Path) -> object:
    instance = read_instance(path, path.name, ("PatientName",))
    if instance.fault:
        raise Unreadable(instance.fault)
    return instance


def _read_dose(path: Path) -> object:
    return read_dose(read_dicom_object(path))


DICOM = {"element": dicom_changed}
READERS: dict[str, Reader] = {
    "DICOM image": Reader(_slices, _convert_all, DICOM, names_file=False),
    "DICOM file in intake": Reader(_series, _seen, DICOM, names_file=False),
    "RTSTRUCT": Reader(_structure_set, read_structure_set, DICOM),
    "SEG": Reader(_segmentation, _segments, DICOM, names_file=False),
    "REG": Reader(_registration, read_spatial_registration, DICOM),
    "RTDOSE": Reader(
        _dose, lambda path: read_dose(read_dicom_object(path)), DICOM, names_file=False
    ),
    "NIfTI": Reader(_nifti(".nii"), read_image, {"header": nifti_header}),
    "NIfTI, gzip": Reader(
        _nifti(".nii.gz"), read_image, {"header": inside_gzip(nifti_header)}, checked=True
    ),
    "mask": Reader(_mask, read_mask, {"header": inside_gzip(nifti_header)}, checked=True),
    "NRRD": Reader(_nrrd(False), read_nrrd, {"header": nrrd_header}),
    "NRRD, gzip": Reader(_nrrd(True), read_nrrd, {"header": nrrd_header}),
    "PNG": Reader(
        _png,
        lambda path: read_png_stack([(path.name, path.read_bytes())], (1.0, 1.0, 2.0)),
        checked=True,
        names_file=False,
    ),
    "workbook": Reader(_workbook, read_sheet, {"member": inside_zip}, checked=True),
    "delimited table": Reader(_delimited, read_sheet, {"line": line_changed}, has_end=False),
    "Parquet": Reader(
        _table, lambda path: read_arrow(path.parent, path.stem), {"column": parquet_changed}
    ),
    "card": Reader(_card, lambda path: read_card(path, "own"), {"line": line_changed}),
    "study.toml": Reader(
        _configuration, lambda path: read_toml(path, StudyConfiguration), {"line": line_changed}
    ),
    "transform, text": Reader(_transform(".tfm"), read_transform, {"line": line_changed}),
    "transform, HDF5": Reader(_transform(".h5"), read_transform),
    "contours": Reader(_contours, read_contours, {"value": json_changed}),
    "zip": Reader(_archive("zip"), _unpacked, {"member": inside_zip}, checked=True),
    "tar.gz": Reader(_archive("tar.gz"), _unpacked, checked=True),
    "model archive": Reader(_model, _imported, {"member": inside_zip}, checked=True),
    "checkpoint": Reader(
        lambda folder: write_checkpoint(folder / "checkpoint_final.pth"),
        read_checkpoint,
        {"member": inside_zip},
        checked=True,
    ),
    "dataset.json": Reader(
        _facts, lambda path: read_model_facts(path.parent), {"value": json_changed}
    ),
}
