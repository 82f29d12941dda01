"""DICOM files of phantoms: datasets from plain mappings, series slice by slice, references.

pydicom spends milliseconds on the header of a file; a series repeats nearly all of it. Here the
elements that all files share are encoded once, by pydicom, and put together with the few that vary.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from cta_data.imaging.geometry.grid import Grid

Elements = Mapping[str, Any]
"""Values by keyword; a sequence is a list of such mappings."""

PIXELS: Elements = {
    "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16,
    "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
}  # fmt: skip
_PIXEL_VR = {"PixelData": "OW", "SmallestImagePixelValue": "US", "LargestImagePixelValue": "US"}
"""Representations that depend on other elements of a file."""
_UNCHECKED = "ContourData"
"""Thousands of numbers, in texts made here: pydicom would check each by itself."""
_LONG = ("OB", "OW")
_IMPLEMENTATION = "SYNGO_PHANTOM"


@dataclass(frozen=True)
class WrittenSeries:
    """A series on disk: its UIDs, its files in slice order, its grid."""

    series_uid: str
    study_uid: str
    frame_uid: str
    sop_class: str
    instance_uids: list[str]
    paths: list[Path]
    grid: Grid


def dataset(elements: Elements) -> Dataset:
    """Return a dataset of elements by keyword."""
    made = Dataset()
    for keyword, value in elements.items():
        representation = _PIXEL_VR.get(keyword) or dictionary_VR(keyword)
        if representation == "SQ":
            value = [dataset(item) for item in value]
        if keyword in _PIXEL_VR:
            made.add_new(_tag(keyword), representation, value)
        elif keyword == _UNCHECKED:
            content = _content(representation, value)
            made[keyword] = RawDataElement(
                Tag(_tag(keyword)), representation, len(content), content, 0, False, True
            )
        else:
            setattr(made, keyword, value)
    return made


def save(elements: Elements, path: Path) -> Dataset:
    """Write an object as a DICOM file with preamble, in a folder that may be new; return it."""
    made = dataset(elements)
    made.file_meta = _file_meta(made.SOPClassUID, made.SOPInstanceUID)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True, overwrite=False)
    return made


def grid_elements(grid: Grid) -> dict[str, Any]:
    """Return what says where the pixels of a series lie, and how they are stored."""
    return {
        **PIXELS,
        "ImageOrientationPatient": decimal_strings(grid.direction[:, :2].T.ravel(), 12),
        "Rows": grid.size[1],
        "Columns": grid.size[0],
        "PixelSpacing": [f"{grid.spacing[1]:.6g}", f"{grid.spacing[0]:.6g}"],
        "SliceThickness": f"{grid.spacing[2]:.6g}",
    }


def write_slices(
    header: Elements,
    grid: Grid,
    volume: NDArray[np.integer],
    uids: list[str],
    paths: list[Path],
    varying: Callable[[int, NDArray[np.integer]], Elements] = lambda k, plane: {},
) -> WrittenSeries:
    """Write a series, a file per slice; `volume` (z, y, x) holds 12-bit values.

    `uids` and `paths` are in slice order; `varying` returns what else differs between slices.
    """
    common = dataset({**grid_elements(grid), **header})
    encoder = None
    normal = grid.direction[:, 2]
    for k, (uid, path, plane) in enumerate(zip(uids, paths, volume, strict=True)):
        position = grid.origin + normal * (grid.spacing[2] * k)
        own = {
            "SOPInstanceUID": uid,
            "InstanceNumber": k + 1,
            "ImagePositionPatient": decimal_strings(position, 10),
            "SliceLocation": f"{float(position @ normal) + 0.0:.6g}",
            "PixelData": np.ascontiguousarray(plane, dtype="<u2").tobytes(),
            **varying(k, plane),
        }
        encoder = encoder or _SeriesEncoder(common, own)
        with path.open("xb") as file:
            file.write(encoder.encode(own))
    return WrittenSeries(
        str(common.SeriesInstanceUID), str(common.StudyInstanceUID),
        str(common.FrameOfReferenceUID), str(common.SOPClassUID), uids, paths, grid,
    )  # fmt: skip


def references(series: WrittenSeries, indices: Sequence[int] | None = None) -> list[Elements]:
    """Return items that reference instances of a series, all of them without `indices`."""
    uids = series.instance_uids
    chosen = uids if indices is None else [uids[index] for index in indices]
    return [
        {"ReferencedSOPClassUID": series.sop_class, "ReferencedSOPInstanceUID": uid}
        for uid in chosen
    ]


def series_reference(series: WrittenSeries) -> Elements:
    """Return an item that references all instances of a series."""
    return {
        "SeriesInstanceUID": series.series_uid,
        "ReferencedInstanceSequence": references(series),
    }


def decimal_strings(values: Iterable[float], digits: int) -> list[str]:
    """Return values as DICOM's decimal strings (DS), of at most 16 characters.

    What is too long is rounded, never cut off: a cut would take an exponent's last digits.
    """
    # Adding zero turns −0 into 0.
    return [format_number_as_ds(float(f"{value + 0.0:.{digits}g}")) for value in values]


def _file_meta(sop_class: str, instance_uid: str) -> FileMetaDataset:
    """The group 2 header of an Explicit VR Little Endian file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = _IMPLEMENTATION
    return meta


def _tag(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


def _content(representation: str, value: Any) -> bytes:
    """The bytes of a value, of even number: blanks end text, NULs end UIDs and bytes."""
    if representation == "US":
        return struct.pack("<H", value)
    if isinstance(value, bytes):
        content = value
    else:
        content = "\\".join(value if isinstance(value, list) else [str(value)]).encode("ascii")
    end = b"\0" if representation in ("UI", *_LONG) else b" "
    return content + end if len(content) % 2 else content


def _element(tag: int, representation: str, content: bytes) -> bytes:
    """The bytes of one element, Explicit VR Little Endian."""
    place = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, representation.encode("ascii"))
    size = struct.pack("<2xL" if representation in _LONG else "<H", len(content))
    return place + size + content


def _encoded(elements: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, elements, parent_encoding="iso8859")
    return bytes(buffer.getvalue())


class _SeriesEncoder:
    """Encodes the files of one series; of `common`, elements that vary are left out."""

    def __init__(self, common: Dataset, varying: Iterable[str]) -> None:
        self._sop_class = str(common.SOPClassUID)
        self._keywords = sorted(varying, key=_tag)
        self._runs: list[bytes] = []
        low = -1
        for high in [*map(_tag, self._keywords), 0x1_0000_0000]:
            run = Dataset()
            for element in common:
                if low < int(element.tag) < high:
                    run.add(element)
            self._runs.append(_encoded(run))
            low = high

    def encode(self, varying: Elements) -> bytes:
        """The bytes of a file, preamble and group 2 included, with the given varying elements."""
        meta = self._group_2(varying["SOPInstanceUID"])
        parts = [b"\0" * 128, b"DICM", meta, self._runs[0]]
        for keyword, run in zip(self._keywords, self._runs[1:], strict=True):
            representation = _PIXEL_VR.get(keyword) or dictionary_VR(keyword)
            content = _content(representation, varying[keyword])
            parts += [_element(_tag(keyword), representation, content), run]
        return b"".join(parts)

    def _group_2(self, instance_uid: str) -> bytes:
        """The bytes of `_file_meta`, its length first."""
        elements = (
            (0x0002_0001, "OB", b"\0\1"),
            (0x0002_0002, "UI", self._sop_class),
            (0x0002_0003, "UI", instance_uid),
            (0x0002_0010, "UI", str(ExplicitVRLittleEndian)),
            (0x0002_0012, "UI", str(PYDICOM_IMPLEMENTATION_UID)),
            (0x0002_0013, "SH", _IMPLEMENTATION),
        )
        group = b"".join(_element(tag, vr, _content(vr, value)) for tag, vr, value in elements)
        return _element(0x0002_0000, "UL", struct.pack("<L", len(group))) + group
