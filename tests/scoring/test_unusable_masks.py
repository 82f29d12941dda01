"""Masks that give no score: each is told in one line, and costs its own case."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta

from cta_data.formats.nifti.image import write_voxels
from cta_data.scoring import mask_files

SHAPE = (8, 12, 40)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
TURNED = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]])


def mask() -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[4, 4, 2:8] = 1
    return voxels


def with_nan() -> np.ndarray:
    voxels = mask().astype(np.float32)
    voxels[0, 0, 0] = np.nan
    return voxels


def plain(path: Path) -> bytes:
    """Bytes of a good mask that is not compressed."""
    write_voxels(mask(), AFFINE, path.with_name("plain.nii"))
    content = path.with_name("plain.nii").read_bytes()
    path.with_name("plain.nii").unlink()
    return content


Writer = Callable[[Path], object]


def saved(voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Writer:
    """A mask (z, y, x), or with more axes in front."""
    return lambda path: nib.save(nib.Nifti1Image(voxels.T, affine), path)


def edited(changes: dict[int, bytes]) -> Writer:
    """A good mask with other bytes at some places of its header, compressed."""

    def write(path: Path) -> None:
        content = bytearray(plain(path))
        for at, new in changes.items():
            content[at : at + len(new)] = new
        path.write_bytes(gzip.compress(bytes(content)))

    return write


def cut(path: Path) -> None:
    packed = gzip.compress(plain(path))
    path.write_bytes(packed[: len(packed) // 2])


def flipped(path: Path) -> None:
    packed = bytearray(gzip.compress(plain(path)))
    packed[-6] ^= 1  # of the checksum
    path.write_bytes(packed)


def short_nrrd(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(mask()), str(path), True)
    path.write_bytes(path.read_bytes()[:-9])


def detached(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(mask()), str(path))


def four_axes(path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(mask())] * 2), str(path))


def int16(*numbers: int) -> bytes:
    return np.array(numbers, "<i2").tobytes()


NII, GZ = "a.nii", "a.nii.gz"
UNUSABLE: dict[str, tuple[str, Writer, tuple[str, ...]]] = {
    "shape": (GZ, saved(mask()[..., :-1]), ("different grids", "39 × 12 × 8")),
    "spacing": (GZ, saved(mask(), np.diag([1, 1, 2.5, 1])), ("different grids", "2.5 mm")),
    "origin": (GZ, saved(mask(), AFFINE + np.eye(4, k=3) * 3), ("grids", "corners up to 3")),
    "direction": (GZ, saved(mask(), TURNED), ("different grids", "mm apart")),
    "fractions": (GZ, saved(mask() * 0.5), ("whole numbers", "6 voxels hold fractions")),
    "NaN": (GZ, saved(with_nan()), ("whole numbers", "1 voxels are not finite")),
    "4-D": (GZ, saved(np.stack([mask()] * 2)), ("single three-dimensional", "× 2")),
    "complex": (GZ, saved(mask().astype(np.complex64)), ("scalar numbers", "complex64")),
    "gzip cut short": (GZ, cut, ("truncated or damaged",)),
    "gzip checksum": (GZ, flipped, ("truncated or damaged",)),
    "gzip garbage": (GZ, lambda p: p.write_bytes(b"\x1f\x8bnothing"), ("truncated or damaged",)),
    "gzip of text": (GZ, lambda p: p.write_bytes(gzip.compress(b"text")), ("not a NIfTI file",)),
    "text": (NII, lambda p: p.write_text("this is text"), ("not a NIfTI file",)),
    "empty file": (GZ, lambda p: p.write_bytes(b""), ("not a NIfTI file",)),
    "cut short": (NII, lambda p: p.write_bytes(plain(p)[:-9]), ("the file is truncated",)),
    "folder": (GZ, lambda p: p.mkdir(), ("a folder, not a mask",)),
    "dangling link": (GZ, lambda p: p.symlink_to("nowhere"), ("not available here", "datalad get")),
    "magic of two files": (GZ, edited({344: b"ni1"}), ("stored in another file",)),
    "wrong magic": (GZ, edited({344: b"xyz"}), ("not a NIfTI file",)),
    "dimension 0": (GZ, edited({40: int16(3, 0, 12, 8)}), ("single three-dimensional",)),
    "dimension < 0": (GZ, edited({40: int16(3, -40, 12, 8)}), ("single three-dimensional",)),
    "nine dimensions": (GZ, edited({40: int16(9)}), ("not a NIfTI file",)),
    "too many voxels": (GZ, edited({42: int16(32767, 32767, 32767)}), ("the file is truncated",)),
    "datatype": (GZ, edited({70: int16(7777)}), ("not a NIfTI file",)),
    "colours": (GZ, edited({70: int16(128, 24)}), ("scalar numbers",)),
    "no orientation": (GZ, edited({252: int16(0, 0)}), ("no usable orientation",)),
    "NRRD cut short": ("a.nrrd", short_nrrd, ("truncated or damaged",)),
    "NRRD in two files": ("a.nhdr", detached, ("stored in another file",)),
    "NRRD of four axes": ("a.nrrd", four_axes, ("single three-dimensional",)),
    "no NRRD": ("a.nrrd", lambda p: p.write_text("this is text"), ("not an NRRD file",)),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_scored_is_told_and_gives_no_number(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says what, and where; exit code 3; the other case of the folder is scored."""
    file, write, parts = UNUSABLE[name]
    for case in ("ref/a.nii.gz", "ref/b.nii.gz", "pred/b.nii.gz"):
        (tmp_path / case).parent.mkdir(exist_ok=True)
        write_voxels(mask(), AFFINE, tmp_path / case)
    write(tmp_path / "pred" / file)
    outcome = run_cta("score", tmp_path / "ref", tmp_path / "pred", "--json")
    assert outcome.code == 3
    assert [case["case"] for case in json.loads(outcome.out)["cases"]] == ["b"]
    [line] = outcome.err.strip().splitlines()
    assert line.startswith("not scored: a: ")
    for part in (*parts, file):
        assert part in line
    assert caplog.records == []  # nor do libraries remark on it
    if (tmp_path / "pred" / file).is_file():
        alone = run_cta("score", tmp_path / "ref/a.nii.gz", tmp_path / "pred" / file, "--json")
        assert alone.code == 3 and all(part in alone.text for part in parts)
        assert json.loads(alone.out)["cases"] == []


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        nib.spatialimages.HeaderDataError("odd"),
        zlib.error("odd"),
    ],
)
def test_what_the_readers_did_not_foresee_costs_its_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The file, and what the system or the library says, in one line."""

    def read(path: Path) -> bytes:
        raise error

    write_voxels(mask(), AFFINE, tmp_path / "a.nii.gz")
    monkeypatch.setattr(mask_files, "read_content", read)
    outcome = run_cta("score", tmp_path / "a.nii.gz", tmp_path / "a.nii.gz")
    assert outcome.code == 3
    [line] = outcome.err.strip().splitlines()
    assert "a.nii.gz: the mask cannot be read" in line
    assert type(error).__name__ in line and ("Permission denied" in line or "odd" in line)
