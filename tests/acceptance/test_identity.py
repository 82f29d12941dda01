"""No patient identity leaves sourcedata: files, names, history, tables and logs are searched."""

from __future__ import annotations

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
from pydicom.dataset import Dataset

from cta_data.study import Study

pytestmark = pytest.mark.slow

FOLDER = "Mondscheiner_Kreszentia_19490807"


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


@pytest.fixture(scope="module")
def searched(
    cta: Cta,
    new_study: Callable[[str], Path],
    patients: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Needles]:
    """A study with a training set, of patients some of whom are damaged, and what to look for."""
    study, source = new_study("searched"), tmp_path_factory.mktemp("source") / FOLDER
    copies = [Path(shutil.copytree(p, source / p.name)) for p in patients[:6]]
    header = pydicom.dcmread(files_of(copies[0], "t1_")[0], stop_before_pixels=True)
    put_identity(copies[0], str(header.PatientName).split("^")[0])
    cut = files_of(copies[1], "space_sag")[9]
    cut.write_bytes(cut.read_bytes()[:-1000])
    files_of(copies[2], "KM_2min")[20].unlink()
    needles = Needles()
    for path in (p for p in source.rglob("*") if p.is_file()):
        needles.take(pydicom.dcmread(path, stop_before_pixels=True))
    toml = (study / "study.toml").read_text("utf-8")
    (study / "study.toml").write_text(toml.replace("folds = 5", "folds = 2"), "utf-8")
    assert cta("add", "internal", source.parent, study=study).code == 3
    outcome = cta("build", "--setting", "A", "-j", "2", study=study)
    assert outcome.code == 3 and "build_A" not in outcome.err.split("Not done")[1]
    return study, needles


def test_there_is_something_to_find(searched: tuple[Path, Needles]) -> None:
    """What is looked for is in sourcedata, so that the search would find it elsewhere."""
    study, needles = searched
    tables = (study / "datasets/internal/sourcedata").glob("*.tsv")
    assert any(needles.in_(path.read_bytes()) for path in tables)
    assert len(needles.uids) > 1000 and len(needles.texts) > 40 and len(needles.times) > 1000


def test_no_identity_in_files_and_their_names(searched: tuple[Path, Needles]) -> None:
    """Content, names, gzip headers and NIfTI headers of all files, the unversioned log too."""
    study, needles = searched
    hits, seen = search_files(study, needles)
    assert seen > 100
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
    rois = Study(searched[0]).annotations()["source_roi"]
    assert rois.str.contains(r"^GTV.* \*\*\*$").any()
