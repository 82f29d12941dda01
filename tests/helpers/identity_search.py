"""Searching a study for identity outside sourcedata: files, names, history and tables."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
from pydicom.dataset import Dataset

STANDARD = "1.2.840.10008."
UID = re.compile(rb"\d+(?:\.\d+){4,}")
TIME = re.compile(rb"\d{6}\.\d{6}")
NAMED = (
    "PatientID", "OtherPatientIDs", "AccessionNumber", "InstitutionName", "InstitutionAddress",
    "StationName", "DeviceSerialNumber", "PatientAddress", "PatientTelephoneNumbers",
)  # fmt: skip
NIFTI_TEXTS = slice(148, 252)
"""Bytes of a NIfTI-1 header that hold free text: `descrip` and `aux_file`."""


class Needles:
    """What may not be found, sorted by how it is looked for."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.uids: set[bytes] = set()
        self.times: set[bytes] = set()
        self.texts: set[bytes] = {text.encode() for text in texts}

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


def outside(study: Path) -> Iterator[Path]:
    """Every file and folder of a study that is not sourcedata's."""
    for path in sorted(study.rglob("*")):
        if "sourcedata" not in path.relative_to(study).parts:
            yield path


def search_files(study: Path, needles: Needles) -> tuple[dict[str, list[bytes]], int]:
    """Return what is found in the content and the name of every file, and the number of files.

    Headers of compressed images, gzip's and NIfTI's, must hold no free text.
    """
    hits, seen = {}, 0
    for path in outside(study):
        found = needles.in_(path.name.encode())
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".gz":
                assert content[3] & 0x1C == 0, f"{path} has a name or a comment in its gzip header"
                header = gzip.decompress(content)[:4096]
                assert header[NIFTI_TEXTS].strip(b"\0") == b"", f"{path} has free text"
                content += header
            found += needles.in_(content)
            seen += 1
        if found:
            hits[path.relative_to(study).as_posix()] = found[:3]
    return hits, seen


def datasets_outside(study: Path) -> list[Path]:
    """Every dataset of a study but those of sourcedata."""
    return [path.parent for path in outside(study) if path.name == ".git"]


def search_history(dataset: Path, needles: Needles) -> list[bytes]:
    """Return what is found in all objects of all branches, git-annex's own branch too."""
    found: set[bytes] = set()
    for command in (
        ["git", "log", "--all", "-p", "--text", "--format=fuller"],
        ["git", "cat-file", "--batch-all-objects", "--batch"],
    ):
        told = subprocess.run(command, cwd=dataset, capture_output=True, check=True).stdout
        assert len(told) > 1000
        found |= set(needles.in_(told))
    return sorted(found)


def search_tables(manifests: Path, needles: Needles) -> dict[str, list[bytes]]:
    """Return what is found in the rows of Parquet files, which compress their columns."""
    hits = {}
    for path in sorted(manifests.glob("*.parquet")):
        found = needles.in_(str(pq.read_table(path).to_pydict()).encode())
        if found:
            hits[path.name] = found[:3]
    return hits
