"""DICOM segmentations of a session: which counts, and what happens to one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import highdicom as hd
import numpy as np
import pandas as pd
import pytest
from helpers.command_line import CARD, run_cta
from helpers.new_study import new_study
from helpers.segmentation_objects import make_segmentation, make_series
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cta_data.study.study import Study

pytestmark = pytest.mark.slow

RULES = """
[[series]]
technique = "MPRAGE"
phase = "late"
where = { Modality = "^MR$" }

[[annotations.rois]]
pattern = "."
lesion = true

[groups.NAQ]
drawn_on = "MPRAGE"
"""
SURFACES = "1.2.840.10008.5.1.4.1.1.66.5"
BINARY = hd.seg.SegmentationTypeValues.BINARY
LABELMAP = hd.seg.SegmentationTypeValues.LABELMAP


def masks(*segments: int) -> np.ndarray:
    """A lesion of 24 voxels, and one of 8."""
    both = np.zeros((8, 20, 16, 2), np.uint8)
    both[2:4, 3:7, 4:7, 0] = 1
    both[5:7, 10:12, 8:10, 1] = 1
    return both[..., list(segments)]


def segmentation(
    series: list[Dataset],
    *segments: int,
    date: str,
    kind: hd.seg.SegmentationTypeValues = BINARY,
) -> Dataset:
    made = make_segmentation(series, masks(*segments), [f"M{n}" for n in segments], kind=kind)
    made.ContentDate, made.ContentTime = date, "120000"
    return made


def newer_label_map(series: list[Dataset]) -> list[Dataset]:
    newer = segmentation(series, 0, 1, date="20200210", kind=LABELMAP)
    return [segmentation(series, 0, date="20200105"), newer]


def newer_surfaces(series: list[Dataset]) -> list[Dataset]:
    newer = segmentation(series, 0, 1, date="20200210")
    newer.SOPClassUID = newer.file_meta.MediaStorageSOPClassUID = SURFACES
    return [segmentation(series, 0, date="20200105"), newer]


def older_surfaces(series: list[Dataset]) -> list[Dataset]:
    older = segmentation(series, 0, date="20200105")
    older.SOPClassUID = older.file_meta.MediaStorageSOPClassUID = SURFACES
    return [older, segmentation(series, 0, 1, date="20200210")]


def at_one_time(series: list[Dataset]) -> list[Dataset]:
    return [segmentation(series, n, date="20200105") for n in (0, 1)]


def one_without_a_date(series: list[Dataset]) -> list[Dataset]:
    undated = segmentation(series, 0, 1, date="")
    return [segmentation(series, 0, date="20200105"), undated]


def half_a_voxel_off(series: list[Dataset]) -> list[Dataset]:
    made = segmentation(series, 0, 1, date="20200105")
    for group in made.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        x, y, z = place.ImagePositionPatient
        place.ImagePositionPatient = [x + 0.625, y, z]
    return [made]


def structure_set(series: list[Dataset]) -> Dataset:
    """A square contour of an older date."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate"):
        setattr(made, keyword, getattr(series[0], keyword))
    made.StudyInstanceUID, made.SeriesInstanceUID = series[0].StudyInstanceUID, generate_uid()
    made.Modality, made.StructureSetLabel = "RTSTRUCT", "RS"
    made.StructureSetDate, made.StructureSetTime = "20200103", "120000"
    roi, contours, contour = Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName = 1, "M0"
    roi.ReferencedFrameOfReferenceUID = series[0].FrameOfReferenceUID
    made.StructureSetROISequence = [roi]
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 4
    z = float(series[3].ImagePositionPatient[2])
    contour.ContourData = [-5, -5, z, 0, -5, z, 0, 0, z, -5, 0, z]
    image = Dataset()
    image.ReferencedSOPClassUID = series[3].SOPClassUID
    image.ReferencedSOPInstanceUID = series[3].SOPInstanceUID
    contour.ContourImageSequence = [image]
    contours.ReferencedROINumber, contours.ContourSequence = 1, [contour]
    made.ROIContourSequence = [contours]
    return made


def later_than_contours(series: list[Dataset]) -> list[Dataset]:
    return [structure_set(series), segmentation(series, 0, 1, date="20200105")]


def earlier_than_contours(series: list[Dataset]) -> list[Dataset]:
    return [structure_set(series), segmentation(series, 0, 1, date="20200102")]


UNDECIDED = "do not determine which of 2 segmentations is the latest"
CASES: dict[str, tuple[Callable[[list[Dataset]], list[Dataset]], str]] = {
    "newer_label_map": (newer_label_map, ""),
    "newer_surfaces": (newer_surfaces, "Surface Segmentation Storage"),
    "older_surfaces": (older_surfaces, ""),
    "at_one_time": (at_one_time, UNDECIDED),
    "one_without_a_date": (one_without_a_date, UNDECIDED),
    "half_a_voxel_off": (half_a_voxel_off, "off by 0.50, 0.00, 0.00 voxels"),
    "later_than_contours": (later_than_contours, "a later segmentation"),
    "earlier_than_contours": (earlier_than_contours, ""),
}


def write(folder: Path, case: str) -> Path:
    series = make_series(slices=8, rows=20, columns=16, patient=case)
    make, _ = CASES[case]
    for dataset in series:  # no two patients have the same image
        values = np.frombuffer(dataset.PixelData, np.uint16) + list(CASES).index(case)
        dataset.PixelData = values.astype(np.uint16).tobytes()
    (folder / case).mkdir(parents=True)
    for number, dataset in enumerate([*series, *make(series)]):
        dataset.save_as(folder / case / f"{number:03d}.dcm", enforce_file_format=True)
    return folder / case


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segmentations")


@pytest.fixture(scope="module")
def converted(work: Path) -> Study:
    """All cases, each a subject, under a card that takes the latest."""
    return convert(work / "study", work / "raw", CARD.format(name="mine") + RULES, CASES)


def convert(study: Path, raw: Path, card: str, cases: Iterable[str]) -> Study:
    new_study(study, own="mine")
    file = study.parent / f"card_of_{study.name}.toml"
    file.write_text(card, "utf-8")
    place = ("--study", str(study))
    for case in cases:
        write(raw, case)
    added = run_cta("add", "mine", raw, "--card", file, *place)
    assert added.code == 0, added.text
    run_cta("convert", *place)
    return Study(study)


def subject_of(study: Study, case: str) -> str:
    """The label that `add` gave to a case."""
    table = pd.read_csv(study.root / "datasets/mine/sourcedata/subjects.tsv", sep="\t", dtype=str)
    [subject] = table.loc[table["source_id"] == case, "subject"]
    return str(subject)


def reason(study: Study, case: str) -> str:
    units = study.query(
        "select subject, status, coalesce(reason, '') reason from units where step = 'convert'"
    )
    [row] = units[units["subject"] == subject_of(study, case)].to_dict("records")
    assert (row["status"] == "ok") == (not row["reason"])
    return str(row["reason"])


def voxels(study: Study, case: str) -> list[int]:
    rows = study.query("select subject, n_voxels from rois where selected")
    own = rows[rows["subject"] == subject_of(study, case)]
    return sorted(int(n) for n in own["n_voxels"])


@pytest.mark.parametrize("case", list(CASES))
def test_the_latest_annotation_counts_or_the_session_waits(converted: Study, case: str) -> None:
    """What cannot be read, placed or dated refuses its session, and no older one replaces it."""
    _, told = CASES[case]
    assert told in reason(converted, case)
    assert bool(told) == bool(reason(converted, case))


@pytest.mark.parametrize("case", ["newer_label_map", "older_surfaces"])
def test_both_lesions_of_the_latest_are_there(converted: Study, case: str) -> None:
    """The lesion that the older object lacks is converted."""
    assert voxels(converted, case) == [8, 24]


@pytest.mark.parametrize(
    ("setting", "case"),
    [
        ('structure_sets = "all"', "at_one_time"),
        ('objects = "segmentations"', "later_than_contours"),
    ],
)
def test_the_card_says_which_count(work: Path, setting: str, case: str) -> None:
    """Each refusal names the setting of the card that decides, and it does."""
    card = CARD.format(name="mine") + RULES + f"\n[annotations]\n{setting}\n"
    study = convert(work / case, work / f"raw_{case}", card, [case])
    assert reason(study, case) == ""
    assert voxels(study, case) == [8, 24]
