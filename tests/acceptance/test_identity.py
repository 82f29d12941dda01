"""No patient identity leaves sourcedata: files, names, history, tables and logs are searched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from helpers.command_line import Cta, edit, files_of
from helpers.identity_search import (
    Needles,
    datasets_outside,
    search_files,
    search_history,
    search_tables,
)
from helpers.planted_identity import FRAME, PEOPLE, framed, written_dates
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

FOLDER = "Mondscheiner_Kreszentia_19490807"
SWALLOWED = b"1 \x06\x30\xa6\x00PN\x0e\x00Wurzelsepp^Vroni"
"""What a ReferencedROINumber holds whose length is wrong: the name of the one who drew."""
PLANTED = 50
"""Forms of names, numbers and birth dates, at least."""


def put_identity(patient: Path, surname: str) -> None:
    """Write identity where vendors and people put it: comments, stations, names of ROIs."""

    def into_image(dataset: Dataset) -> None:
        dataset.ImageComments = dataset.PatientComments = "Kreszentia klagt"
        dataset.StationName, dataset.DeviceSerialNumber = "MRKLINIK77", "99887766"
        dataset.OperatorsName = "Wurzelsepp^Alois"
        dataset.PatientAddress, dataset.PatientTelephoneNumbers = "Am Anger 3", "0170-998877"

    def into_contours(dataset: Dataset) -> None:
        dataset.StructureSetName = str(dataset.PatientName)
        for roi in dataset.StructureSetROISequence:
            roi.ROIName = f"{roi.ROIName} {surname.upper()}"
        dataset.OperatorsName = "Wurzelsepp^Alois"

    for path in files_of(patient, "t1_"):
        edit(path, into_image)
    for path in files_of(patient, "RTSTRUCT"):
        edit(path, into_contours)


def plant_forms(patient: Path) -> list[str]:
    """Put names, numbers and a birth date into names of regions in all forms; return these."""
    planted: list[str] = []

    def into_contours(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.OtherPatientNames = [one.name for one in PEOPLE]
        dataset.OtherPatientIDs = [one.number for one in PEOPLE if one.number]
        planted.extend(text for one in PEOPLE for text in one.written)
        planted.extend(written_dates(dataset.PatientBirthDate))
        for number, text in enumerate(planted, start=1000):
            roi = Dataset()
            roi.ROINumber, roi.ROIName = number, f"GTV {number} {framed(text)}"
            dataset.StructureSetROISequence.append(roi)

    for path in files_of(patient, "RTSTRUCT"):
        edit(path, into_contours)
    return planted


def damage_number(patient: Path) -> None:
    """Let the number of a region swallow the name of who drew it."""

    def into_contours(dataset: Dataset) -> None:
        item, tag = dataset.RTROIObservationsSequence[0], Tag("ReferencedROINumber")
        item[tag] = RawDataElement(tag, "IS", len(SWALLOWED), SWALLOWED, 0, False, True)

    for path in files_of(patient, "RTSTRUCT"):
        edit(path, into_contours)


@pytest.fixture(scope="module")
def searched(
    cta: Cta,
    new_study: Callable[[str], Path],
    patients: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Needles]:
    """A study with a training set, of patients some of whom are damaged, and what to look for."""
    study, source = new_study("searched"), tmp_path_factory.mktemp("source") / FOLDER
    copies = [Path(shutil.copytree(p, source / p.name)) for p in patients]
    header = pydicom.dcmread(files_of(copies[0], "t1_")[0], stop_before_pixels=True)
    put_identity(copies[0], str(header.PatientName).split("^")[0])
    planted = plant_forms(copies[0])
    cut = files_of(copies[1], "space_sag")[9]
    cut.write_bytes(cut.read_bytes()[:-1000])
    files_of(copies[2], "KM_2min")[20].unlink()
    needles = Needles()
    for path in (p for p in source.rglob("*") if p.is_file()):
        needles.take(pydicom.dcmread(path, stop_before_pixels=True))
    damage_number(copies[6])
    assert len(planted) >= PLANTED
    needles.texts |= {framed(text).encode() for text in planted}
    # As JSON writes what is not ASCII.
    needles.texts |= {json.dumps(framed(text))[1:-1].encode() for text in planted}
    needles.texts |= {b"Wurzelsepp", b"Vroni"}
    card = study / "datasets/internal/card.toml"
    text = card.read_text("utf-8")
    card.write_text(
        text.replace("[annotations]", '[annotations]\nroi_names = "published"'), "utf-8"
    )
    toml = (study / "study.toml").read_text("utf-8")
    (study / "study.toml").write_text(
        toml.replace("folds = 5", "folds = 2").replace(
            "test_fraction = 0.2", "test_fraction = 0.0"
        ),
        "utf-8",
    )
    assert cta("add", "internal", source.parent, study=study).code == 3
    outcome = cta("build", "--setting", "A", "-j", "2", study=study)
    assert outcome.code == 3 and "build_A" not in outcome.err.split("Not done")[1]
    for page in ("pictures",), ("report", "table1"):
        assert cta(*page, study=study).code == 0
    return study, needles


def test_there_is_something_to_find(searched: tuple[Path, Needles]) -> None:
    """What is looked for is in sourcedata, so that the search would find it elsewhere."""
    study, needles = searched
    tables = (study / "datasets/internal/sourcedata").glob("*.tsv")
    assert any(needles.in_(path.read_bytes()) for path in tables)
    assert len(needles.uids) > 1000 and len(needles.texts) > 40 and len(needles.times) > 1000


def test_no_identity_in_files_and_their_names(searched: tuple[Path, Needles]) -> None:
    """Content, names, gzip and NIfTI headers of all files; pages and the unversioned log too."""
    study, needles = searched
    hits, seen = search_files(study, needles)
    assert seen > 100 and len(list(study.rglob("*.html"))) >= 2
    assert hits == {}


def test_no_identity_in_any_history(searched: tuple[Path, Needles]) -> None:
    """All objects of all branches, git-annex's own branch too, of every dataset but sourcedata."""
    study, needles = searched
    datasets = datasets_outside(study)
    assert len(datasets) == 3
    for dataset in datasets:
        assert search_history(dataset, needles) == []


def test_no_identity_in_tables(searched: tuple[Path, Needles]) -> None:
    """Parquet compresses its columns: they are read and searched."""
    study, needles = searched
    assert len(list((study / "manifests").glob("*.parquet"))) >= 8
    assert search_tables(study / "manifests", needles) == {}


def test_a_name_in_a_roi_s_name_is_cut_out(searched: tuple[Path, Needles]) -> None:
    """The rest of the name stays, so that rules match and people recognise the lesion."""
    rois = Study(searched[0]).rois()["source_roi"]
    assert rois.str.contains(r"^GTV.* \*\*\*$").any()


def test_no_form_of_a_name_a_number_or_a_birth_date_is_left(searched: tuple[Path, Needles]) -> None:
    """All that were planted are in the table as regions, and 0 of them are to be read there."""
    rois = Study(searched[0]).rois()["source_roi"]
    planted = rois[rois.str.contains(FRAME, regex=False)]
    assert len(planted) >= PLANTED
    assert planted.str.fullmatch(rf"GTV \d+ {FRAME} \*\*\* {FRAME}").all()


def test_a_damaged_structure_set_costs_its_session_and_no_name(
    searched: tuple[Path, Needles],
) -> None:
    """The refusal tells which element is damaged, not what it swallowed."""
    units = Study(searched[0]).query("select reason from units where step = 'convert'")
    assert units["reason"].str.contains("ReferencedROINumber|structure set cannot be read").any()
