"""Structure set to masks: processor time of `cta-data rasterize` beside its peers.

Run ``python benchmarks/rasterization.py``. A series of 200 slices of 512 × 512 and a structure set
of 7 ROIs (one of the size of a head, six of lesions) are written, and each program makes a mask of
every ROI: `plastimatch convert` (Debian's package), and with ``--peers PYTHON``, the Python of an
environment that has them, rt-utils and DicomRTTool. Programs that are not here are left out and
said so. All run in turn, ``--runs`` times, each in a process of its own; the figure is the median
of the processor time, and its ratio to plastimatch's.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    generate_uid,
)

SLICES, SIZE, SPACING = 200, 512, (0.5, 0.5, 1.0)
SEED = 20250215
RT_UTILS = """
import sys, numpy as np
from rt_utils import RTStructBuilder
made = RTStructBuilder.create_from(dicom_series_path=sys.argv[1], rt_struct_path=sys.argv[2])
for name in made.get_roi_names():
    np.save(f"{sys.argv[3]}/{name}.npy", made.get_roi_mask_by_name(name))
"""
DICOM_RT_TOOL = """
import sys, SimpleITK as sitk
from DicomRTTool.ReaderWriter import DicomReaderWriter
reader = DicomReaderWriter(description="", verbose=False)
reader.walk_through_folders(sys.argv[4])
reader.set_contour_names_and_associations(reader.return_rois(print_rois=False))
reader.get_images_and_mask()
sitk.WriteImage(reader.annotation_handle, f"{sys.argv[3]}/mask.nii.gz")
"""


def save(dataset: Dataset, kind: str, path: Path) -> None:
    """Write a data set as a DICOM file."""
    dataset.SOPClassUID = kind
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def of_patient(study: str, frame: str, modality: str) -> Dataset:
    """Return what all objects share."""
    dataset = Dataset()
    dataset.PatientID, dataset.PatientName, dataset.Modality = "P1", "Phantom", modality
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = study, frame
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20250101", "120000", "1"
    dataset.AccessionNumber = ""
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    return dataset


def write_series(folder: Path, study: str, frame: str) -> tuple[str, list[str]]:
    """Write the slices; return the UIDs of the series and of its slices."""
    random = np.random.default_rng(SEED)
    series, uids = generate_uid(), []
    for number in range(SLICES):
        one = of_patient(study, frame, "CT")
        one.SeriesInstanceUID, one.InstanceNumber = series, number + 1
        one.ImagePositionPatient = [-128.0, -128.0, float(number)]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.PixelSpacing, one.SliceThickness = list(SPACING[:2]), SPACING[2]
        one.Rows = one.Columns = SIZE
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.RescaleIntercept, one.RescaleSlope, one.RescaleType = 0, 1, "HU"
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.PixelData = random.integers(0, 900, (SIZE, SIZE), np.int16).tobytes()
        save(one, CTImageStorage, folder / f"{number:03d}.dcm")
        uids.append(one.SOPInstanceUID)
    return series, uids


def ellipse(centre: Sequence[float], radii: Sequence[float], z: float) -> NDArray[np.float64]:
    """Return the outline of an ellipsoid in a plane, points about a millimetre apart (mm)."""
    scale = float(np.sqrt(max(0.0, 1 - ((z - centre[2]) / radii[2]) ** 2)))
    n_points = max(12, int(2 * np.pi * max(radii[:2]) * scale))
    turn = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    x, y = (
        c + r * scale * f(turn) for c, r, f in zip(centre, radii, (np.cos, np.sin), strict=False)
    )
    return np.stack([x, y, np.full(n_points, z)], axis=1)


def write_structure_set(path: Path, study: str, frame: str, series: str, uids: list[str]) -> None:
    """Write 7 ROIs: a head, and ellipsoids of 4 to 14 mm radius in it."""
    shapes = [((0.0, 0.0, 100.0), (75.0, 90.0, 80.0))]
    shapes += [
        ((-40.0 + 14 * n, 20.0 - 9 * n, 60.0 + 14 * n), (4.0 + 2 * n,) * 3) for n in range(6)
    ]
    whole = of_patient(study, frame, "RTSTRUCT")
    whole.StructureSetLabel, whole.StructureSetDate, whole.StructureSetTime = "A", "20250101", "12"
    referenced, of_study, of_series = Dataset(), Dataset(), Dataset()
    of_series.SeriesInstanceUID = series
    of_series.ContourImageSequence = [reference(uid) for uid in uids]
    of_study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    of_study.ReferencedSOPInstanceUID = study
    of_study.RTReferencedSeriesSequence = [of_series]
    referenced.FrameOfReferenceUID = frame
    referenced.RTReferencedStudySequence = [of_study]
    whole.ReferencedFrameOfReferenceSequence = [referenced]
    whole.StructureSetROISequence, whole.ROIContourSequence = [], []
    whole.RTROIObservationsSequence = []
    for number, (centre, radii) in enumerate(shapes, 1):
        roi, drawn, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, f"R{number}", frame
        roi.ROIGenerationAlgorithm = "MANUAL"
        drawn.ReferencedROINumber, drawn.ROIDisplayColor = number, [255, 0, 0]
        drawn.ContourSequence = []
        for z in range(SLICES):
            if abs(z - centre[2]) < radii[2] - 0.5:
                points = ellipse(centre, radii, float(z))
                one = Dataset()
                one.ContourImageSequence = [reference(uids[z])]
                one.ContourGeometricType = "CLOSED_PLANAR"
                one.NumberOfContourPoints = len(points)
                one.ContourData = [f"{value:.3f}" for value in points.ravel()]
                drawn.ContourSequence.append(one)
        observed.ObservationNumber = observed.ReferencedROINumber = number
        observed.RTROIInterpretedType, observed.ROIInterpreter = "", ""
        whole.StructureSetROISequence.append(roi)
        whole.ROIContourSequence.append(drawn)
        whole.RTROIObservationsSequence.append(observed)
    save(whole, RTStructureSetStorage, path)


def reference(uid: str) -> Dataset:
    """Return an item that refers to a slice."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
    return item


def cpu_seconds(command: Sequence[str]) -> float:
    """Run a command; return the processor time of it and of what it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Write the data, run all programs in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", help="Python of an environment with rt-utils and DicomRTTool")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series, together = folder / "series", folder / "together"
        series.mkdir()
        study, frame = generate_uid(), generate_uid()
        uid, slices = write_series(series, study, frame)
        structures = folder / "rtstruct.dcm"
        write_structure_set(structures, study, frame, uid, slices)
        shutil.copytree(series, together)
        shutil.copy(structures, together)
        out = folder / "out"
        ours = Path(sys.executable).with_name("cta-data")
        commands = {
            "cta-data rasterize": [ours, "rasterize", structures, series, out, "--overwrite"],
            "plastimatch convert": [
                *("plastimatch", "convert", "--input", structures, "--referenced-ct", series),
                *("--output-prefix", out, "--prefix-format", "nii.gz"),
            ],
        }
        if options.peers:
            for tool, code in (("rt-utils", RT_UTILS), ("DicomRTTool", DICOM_RT_TOOL)):
                commands[tool] = [options.peers, "-c", code, series, structures, out, together]
        if shutil.which("plastimatch") is None:
            print("plastimatch is not here")
            del commands["plastimatch convert"]
        taken: dict[str, list[float]] = {tool: [] for tool in commands}
        for _ in range(options.runs):
            for tool, command in commands.items():
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                taken[tool].append(cpu_seconds([str(word) for word in command]))
        peer = statistics.median(taken.get("plastimatch convert", [float("nan")]))
        print(f"{SLICES} slices of {SIZE} x {SIZE}, 7 ROIs, {options.runs} runs each")
        print(f"{'program':22}{'CPU s':>8}{'of plastimatch':>16}")
        for tool, seconds in taken.items():
            median = statistics.median(seconds)
            print(f"{tool:22}{median:8.2f}{median / peer:16.2f}")


if __name__ == "__main__":
    main()
