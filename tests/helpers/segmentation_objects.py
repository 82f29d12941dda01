"""A small MR series and DICOM segmentations of it, written by highdicom."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")


def make_series(*, slices: int, rows: int, columns: int, patient: str = "P1") -> list[Dataset]:
    """An axial MR series with values that differ from voxel to voxel, in order of position."""
    uid = {
        name: generate_uid(entropy_srcs=[patient, name]) for name in ("study", "series", "frame")
    }
    datasets = []
    for number in range(slices):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MR
        instance = generate_uid(entropy_srcs=[patient, f"slice{number}"])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid["study"], uid["series"]
        dataset.FrameOfReferenceUID = uid["frame"]
        dataset.PatientID, dataset.PatientName = patient, f"{patient}^Test"
        dataset.PatientBirthDate, dataset.PatientSex = "19500101", "F"
        dataset.StudyDate, dataset.StudyTime = "20200102", "101010"
        dataset.AccessionNumber = dataset.StudyID = dataset.ReferringPhysicianName = ""
        dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
        dataset.Modality, dataset.SeriesDescription = "MR", "t1_mprage"
        dataset.Manufacturer = "Test"
        dataset.Rows, dataset.Columns = rows, columns
        dataset.PixelSpacing = [1.5, 1.25]
        dataset.SliceThickness = dataset.SpacingBetweenSlices = 2.0
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [-10.0, -12.0, -30.0 + 2.0 * number]
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit = 15
        dataset.PixelRepresentation = 0
        values = np.arange(rows * columns, dtype=np.uint16) + 100 * number
        dataset.PixelData = values.tobytes()
        datasets.append(dataset)
    return datasets


def make_segmentation(
    series: list[Dataset],
    masks: np.ndarray,
    labels: list[str],
    kind: hd.seg.SegmentationTypeValues = hd.seg.SegmentationTypeValues.BINARY,
) -> hd.seg.Segmentation:
    """Segments of a series: masks by slice, row, column and segment; empty frames left out."""
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=ABNORMAL,
            segmented_property_type=NEOPLASM,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(labels, start=1)
    ]
    return hd.seg.Segmentation(
        source_images=series,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Test",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    )
