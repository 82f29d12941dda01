"""No patient identity leaves sourcedata: files, names, history, tables and logs are searched."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import pytest
from helpers.command_line import Cta, edit, files_of
from pydicom.dataset import Dataset

from cta_data.study import Study

pytestmark = pytest.mark.slow

FOLDER = "Mondscheiner_Kreszentia_19490807"
STANDARD = "1.2.840.10008."
UID = re.compile(rb"\d+(?:\.\d+){4,}")
TIME = re.compile(rb"\d{6}\.\d{6}")
NAMED = (
    "PatientID", "OtherPatientIDs", "AccessionNumber", "InstitutionName", "InstitutionAddress",
    "StationName", "DeviceSerialNumber", "PatientAddress", "PatientTelephoneNumbers",
)  # fmt: skip


class Needles:
    """What may not be found, sorted by how it is looked for."""

    def __init__(self) -> None:
        self.uids: set[bytes] = set()
        self.times: set[bytes] = set()
        self.texts: set[bytes] = {part.encode() for part in FOLDER.split("_")}

    def take(self, dataset: Dataset) -> None:
        """Take in every name, number, date, time and UID of a header, at any depth."""
        for element in dataset.iterall():
            for value in map(str, _values(element.value)):
                if element.VR == "UI" and not value.startswith(STANDARD):
                    self.uids.add(value.encode())
                elif element.VR == "TM" and TIME.fullmatch(value.encode()):
                    self.times.add(value.encode())
                elif element.VR == "DA" and len(value) == 8:
                    self.texts.add(value.encode())
                elif element.VR == "PN":
                    self.texts |= {p.encode() for p in re.split(r"[\^ ]", value) if len(p) > 4}
                elif element.keyword in NAMED and len(value) > 4:
                    self.texts.add(value.encode())

    def in_(self, content: bytes) -> list[bytes]:
        """All that is found in some content."""
        found = set(UID.findall(content)) & self.uids
        found |= set(TIME.findall(content)) & self.times
        return sorted(found | {text for text in self.texts if _stands_in(text, content)})


def _stands_in(text: bytes, content: bytes) -> bool:
    """A number counts where it is not a piece of a hash: five digits turn up in any hundred."""
    if text not in content:
        return False
    digits = rb"(?<![0-9a-f])%b(?![0-9a-f])" % re.escape(text)
    return not text.isdigit() or re.search(digits, content) is not None


def _values(value: object) -> list[object]:
    return list(value) if isinstance(value, pydicom.multival.MultiValue | list) else [value]


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


def outside(study: Path) -> Iterator[Path]:
    """Every file and folder of a study that is not sourcedata's."""
    for path in sorted(study.rglob("*")):
        if "sourcedata" not in path.relative_to(study).parts:
            yield path


def test_there_is_something_to_find(searched: tuple[Path, Needles]) -> None:
    """What is looked for is in sourcedata, so that the search would find it elsewhere."""
    study, needles = searched
    tables = (study / "datasets/internal/sourcedata").glob("*.tsv")
    assert any(needles.in_(path.read_bytes()) for path in tables)
    assert len(needles.uids) > 1000 and len(needles.texts) > 40 and len(needles.times) > 1000


def test_no_identity_in_files_and_their_names(searched: tuple[Path, Needles]) -> None:
    """Content, names, gzip headers and NIfTI headers of all files, the unversioned log too."""
    study, needles = searched
    hits, seen = {}, 0
    for path in outside(study):
        found = needles.in_(path.name.encode())
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".gz":
                assert content[3] & 0x1C == 0, f"{path} has a name or a comment in its gzip header"
                header = gzip.decompress(content)[:4096]
                assert header[148:228].strip(b"\0") == b""
                content += header
            found += needles.in_(content)
            seen += 1
        if found:
            hits[path.relative_to(study).as_posix()] = found[:3]
    assert seen > 100
    assert hits == {}


def test_no_identity_in_any_history(searched: tuple[Path, Needles]) -> None:
    """All objects of all branches, git-annex's own branch too, of every dataset but sourcedata."""
    study, needles = searched
    datasets = [path.parent for path in outside(study) if path.name == ".git"]
    assert len(datasets) == 3
    for dataset in datasets:
        for command in (
            ["git", "log", "--all", "-p", "--text", "--format=fuller"],
            ["git", "cat-file", "--batch-all-objects", "--batch"],
        ):
            told = subprocess.run(command, cwd=dataset, capture_output=True, check=True).stdout
            assert len(told) > 1000
            assert needles.in_(told) == []


def test_no_identity_in_tables(searched: tuple[Path, Needles]) -> None:
    """Parquet compresses its columns: they are read and searched."""
    study, needles = searched
    tables = sorted((study / "manifests").glob("*.parquet"))
    assert len(tables) >= 8
    for path in tables:
        assert needles.in_(str(pq.read_table(path).to_pydict()).encode()) == [], path.name


def test_a_name_in_a_roi_s_name_is_cut_out(searched: tuple[Path, Needles]) -> None:
    """The rest of the name stays, so that rules match and people recognise the lesion."""
    rois = Study(searched[0]).annotations()["source_roi"]
    assert rois.str.contains(r"^GTV.* \*\*\*$").any()
