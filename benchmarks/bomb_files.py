"""Files that are small on disk, and large, or said to be large, inside: see `bombs.py`.

Every function makes one in a folder that is empty, of about the size that is asked for, and
returns what is to be read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

SIDE = 64


def _zeros(target: io.IOBase, size: int) -> None:
    block = bytes(1 << 20)
    for _ in range(size // len(block)):
        target.write(block)


def _nifti_header(*shape: int, dtype: str = "<i2") -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.eye(4), 1)
    header.set_qform(np.eye(4), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return bytes(header.binaryblock) + bytes(4)


def _voxels() -> bytes:
    return np.arange(SIDE**3, dtype="<i2").tobytes()


def zeros_behind(folder: Path, size: int) -> Path:
    """A small NIfTI image with zeros behind its voxels."""
    path = folder / "image.nii.gz"
    with gzip.GzipFile(path, "wb", 9, mtime=0) as stream:
        stream.write(_nifti_header(SIDE, SIDE, SIDE) + _voxels())
        _zeros(stream, size)
    return path


def many_members(folder: Path, size: int) -> Path:
    """The same, with the zeros in gzip members of their own."""
    path = folder / "image.nii.gz"
    member = gzip.compress(bytes(1 << 24), 9)
    with path.open("wb") as stream:
        stream.write(gzip.compress(_nifti_header(SIDE, SIDE, SIDE) + _voxels()))
        for _ in range(size >> 24):
            stream.write(member)
    return path


def honest_zeros(folder: Path, size: int) -> Path:
    """A NIfTI image that is as large as it says."""
    path = folder / "image.nii.gz"
    with gzip.GzipFile(path, "wb", 9, mtime=0) as stream:
        stream.write(_nifti_header(1024, 1024, size >> 21))
        _zeros(stream, size)
    return path


def huge_dimensions(folder: Path, size: int) -> Path:
    """A NIfTI header of 32767 voxels along each axis."""
    path = folder / "image.nii"
    path.write_bytes(_nifti_header(32767, 32767, 32767, dtype="<f8") + _voxels())
    return path


def sparse_behind(folder: Path, size: int) -> Path:
    """A small NIfTI image in a file with a hole."""
    path = folder / "image.nii"
    path.write_bytes(_nifti_header(SIDE, SIDE, SIDE) + _voxels())
    os.truncate(path, size)
    return path


def sparse_packed(folder: Path, size: int) -> Path:
    """The same, compressed."""
    path = folder / "image.nii.gz"
    path.write_bytes(gzip.compress(_nifti_header(SIDE, SIDE, SIDE) + _voxels()))
    os.truncate(path, size)
    return path


def _nrrd_header(encoding: str, sizes: str = f"{SIDE} {SIDE} {SIDE}") -> bytes:
    return (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: {sizes}\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\n"
        f"encoding: {encoding}\nspace origin: (0,0,0)\n\n"
    ).encode()


def nrrd_gzip(folder: Path, size: int) -> Path:
    """A small NRRD header, and zeros as gzip."""
    path = folder / "image.nrrd"
    with path.open("wb") as file:
        file.write(_nrrd_header("gzip"))
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9) as stream:
            _zeros(stream, size)
    return path


def nrrd_bzip2(folder: Path, size: int) -> Path:
    """The same as bzip2."""
    path = folder / "image.nrrd"
    packer = bz2.BZ2Compressor(9)
    with path.open("wb") as file:
        file.write(_nrrd_header("bzip2"))
        for _ in range(size >> 24):
            file.write(packer.compress(bytes(1 << 24)))
        file.write(packer.flush())
    return path


def nrrd_sizes(encoding: str) -> Callable[[Path, int], Path]:
    """Return what makes a NRRD file whose sizes are far beyond its voxels."""

    def make(folder: Path, size: int) -> Path:
        path = folder / "image.nrrd"
        content = _voxels() if encoding == "raw" else gzip.compress(_voxels())
        path.write_bytes(_nrrd_header(encoding, "100000 100000 1000") + content)
        return path

    return make


def _png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_numbers(folder: Path, size: int) -> Path:
    """The names of two slices whose numbers are far apart."""
    (folder / "names.txt").write_text("1.png\n99999999.png\n")
    return folder / "names.txt"


def png_stack(folder: Path, size: int) -> Path:
    """A stack of black slices of 8192 × 8192 pixels."""
    slice_ = _png(8192)
    for number in range(size >> 26):
        (folder / f"{number}.png").write_bytes(slice_)
    return folder


def zip_link(folder: Path, size: int) -> Path:
    """A zip with a link whose target is zeros."""
    path = folder / "source.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr, link.compress_type = 0o120777 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as packed, packed.open(link, "w", force_zip64=True) as stream:
        _zeros(stream, size)
    return path


def zip_bzip2(folder: Path, size: int) -> Path:
    """A member that says of itself that it holds 1000 bytes."""
    path = folder / "source.zip"
    member = zipfile.ZipInfo("zeros")
    member.compress_type = zipfile.ZIP_BZIP2
    with zipfile.ZipFile(path, "w") as packed, packed.open(member, "w", force_zip64=True) as stream:
        _zeros(stream, size)
    content, true = path.read_bytes(), struct.pack("<I", member.file_size)
    path.write_bytes(content.replace(true, struct.pack("<I", 1000)))
    return path


def tar_name(folder: Path, size: int) -> Path:
    """A tar with a member whose name is zeros."""
    path = folder / "source.tar.gz"
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, size
    with gzip.GzipFile(path, "wb", 9, mtime=0) as stream:
        stream.write(header.tobuf(tarfile.GNU_FORMAT))
        _zeros(stream, size)
    return path


def _dicom(syntax: str, rows: int) -> tuple[bytes, bytes]:
    """Bytes of a DICOM file up to its data set, and the data set without pixels."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset, write_file_meta_info
    from pydicom.uid import MRImageStorage, generate_uid

    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid(entropy_srcs=["i"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    dataset.PatientID, dataset.Modality = "1", "MR"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.ImagePositionPatient, dataset.PixelSpacing = ["0", "0", "0"], ["1", "1"]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID, meta.FileMetaInformationVersion = syntax, b"\0\1"
    start, body = DicomBytesIO(), DicomBytesIO()
    for stream in (start, body):
        stream.is_little_endian, stream.is_implicit_VR = True, False
    write_file_meta_info(start, meta)
    write_dataset(body, dataset)
    return bytes(128) + b"DICM" + start.getvalue(), body.getvalue()


def deflated(folder: Path, size: int) -> Path:
    """A deflated DICOM image of 64 × 64 pixels that are zeros without end."""
    start, body = _dicom("1.2.840.10008.1.2.1.99", SIDE)
    packer = zlib.compressobj(9, wbits=-15)
    path = folder / "image.dcm"
    with path.open("wb") as file:
        file.write(start + packer.compress(body))
        file.write(packer.compress(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, size)))
        for _ in range(size >> 20):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    return path


def run_length(folder: Path, size: int) -> Path:
    """A series of slices whose pixels are said to be 65535 × 65535, in a few run-length bytes."""
    for number in range(4):
        start, body = _dicom("1.2.840.10008.1.2.5", 65535)
        frame = struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\x81\x00" * 4
        items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack(
            "<HHI", 0xFFFE, 0xE000, len(frame)
        )
        element = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + items + frame
        end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        position = body.replace(b"0\\0\\0 ", f"0\\0\\{number} ".encode())
        (folder / f"{number}.dcm").write_bytes(start + position + element + end)
    return folder


def sparse_dicom(folder: Path, size: int) -> Path:
    """The same in a file with a hole."""
    start, body = _dicom("1.2.840.10008.1.2.1", SIDE)
    path = folder / "image.dcm"
    path.write_bytes(start + body + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, size))
    os.truncate(path, path.stat().st_size + size)
    return path


def _deflating(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)


def workbook(folder: Path, size: int) -> Path:
    """A workbook with one long cell."""
    import openpyxl

    path, plain = folder / "clinical.xlsx", folder / "plain.xlsx"
    openpyxl.Workbook().save(plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in source.infolist():
            if not member.filename.endswith("sheet1.xml"):
                packed.writestr(member, source.read(member))
        sheet = zipfile.ZipInfo("xl/worksheets/sheet1.xml")
        sheet.compress_type = zipfile.ZIP_DEFLATED
        with packed.open(sheet, "w", force_zip64=True) as stream:
            stream.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/')
            stream.write(b'main"><sheetData><row><c t="inlineStr"><is><t>')
            for _ in range(size >> 20):
                stream.write(b"a" * (1 << 20))
            stream.write(b"</t></is></c></row></sheetData></worksheet>")
    plain.unlink()
    return path


def checkpoint(folder: Path, size: int) -> Path:
    """A checkpoint whose weights are compressed."""
    import torch

    path, plain = folder / "checkpoint.pth", folder / "plain.pth"
    torch.save({"weights": torch.zeros(size // 4)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in source.infolist():
            with (
                source.open(member) as data,
                packed.open(member.filename, "w", force_zip64=True) as to,
            ):
                while block := data.read(1 << 20):
                    to.write(block)
    plain.unlink()
    return path


def many(folder: Path, size: int) -> Path:
    """An archive of eight images with an eighth of the zeros each."""
    path = folder / "source.zip"
    with tempfile.TemporaryDirectory() as inner:
        content = zeros_behind(Path(inner), size // 8).read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for number in range(8):
            packed.writestr(f"{number}/image.nii.gz", content)
    return path
