"""Fast writing of many DICOM files that differ in a few elements.

pydicom spends milliseconds on the header of a file; a series repeats nearly all of it. Here the
elements that all files share are encoded once, by pydicom, and put together with the few that vary.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds


def file_meta(sop_class: str, instance_uid: str) -> FileMetaDataset:
    """The group 2 header of an Explicit VR Little Endian file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = "SYNGO_PHANTOM"
    return meta


def decimal_strings(values: Iterable[float], digits: int) -> list[str]:
    """Return values as DICOM's decimal strings (DS), of at most 16 characters.

    What is too long is rounded, never cut off: a cut would take an exponent's last digits.
    """
    # Adding zero turns −0 into 0.
    return [format_number_as_ds(float(f"{value + 0.0:.{digits}g}")) for value in values]


def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset, parent_encoding="iso8859")
    return bytes(buffer.getvalue())


class SeriesEncoder:
    """Encodes the files of one series.

    `common` holds every element that all files share; elements that vary are not in it.
    """

    def __init__(self, common: Dataset, varying_tags: list[int]) -> None:
        self._sop_class = str(common.SOPClassUID)
        self._tags = sorted(varying_tags)
        self._runs: list[bytes] = []
        low = -1
        for high in [*self._tags, 0x1_0000_0000]:
            run = Dataset()
            for element in common:
                if low < int(element.tag) < high:
                    run.add(element)
            self._runs.append(_encoded(run))
            low = high

    def encode(self, varying: Dataset) -> bytes:
        """The bytes of a file, preamble and group 2 included, with the given varying elements."""
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_file_meta_info(buffer, file_meta(self._sop_class, str(varying.SOPInstanceUID)))
        parts = [b"\0" * 128, b"DICM", bytes(buffer.getvalue()), self._runs[0]]
        for tag, run in zip(self._tags, self._runs[1:], strict=True):
            single = Dataset()
            single.add(varying[tag])
            parts += [_encoded(single), run]
        return b"".join(parts)
