"""Labels are whole numbers by one tolerance, however they were stored and whoever reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.lesions.label_values import LABEL_TOLERANCE, whole_numbers
from cta_data.imaging.lesions.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_transfer import transfer_mask
from cta_data.scoring.mask_files import read_mask

LABELS = np.zeros((6, 5, 4), np.int16)
LABELS[1:3, 1, 1] = 1
LABELS[4, 3, 1:4] = 3


def by_score(path: Path) -> list[tuple[int, int]]:
    values, counts = np.unique(read_mask(path).values, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))


def by_convert(path: Path) -> list[tuple[int, int]]:
    voxels = sitk.GetArrayFromImage(read_image(path))
    meaning = MaskMeaning((1, 3), instances="values")
    found = lesions_of_masks([("m", voxels)], meaning, read_image(path))
    return [(int(r.name.split()[-1]), r.n_voxels) for r in found.regions]


def by_transfer(path: Path) -> list[tuple[int, int]]:
    image = read_image(path)
    result = transfer_mask(image, image, image, sitk.Transform(3, sitk.sitkIdentity))
    values, counts = np.unique(sitk.GetArrayFromImage(result.mask), return_counts=True)
    return [(int(v), int(n)) for v, n in zip(values, counts, strict=True) if v]


READERS = [by_score, by_convert, by_transfer]


def stored(path: Path, values: np.ndarray, slope: float = 1.0, intercept: float = 0.0) -> Path:
    """A file with exactly these stored values, slope and intercept."""
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)
    return path


STORAGES: dict[str, tuple[np.ndarray, float, float]] = {
    "whole": (LABELS, 1, 0),
    "single": (np.nextafter(LABELS.astype(np.float32), np.float32(0)), 1, 0),
    "rounded": (LABELS * np.float64(1.0002), 1, 0),
    "slope": (LABELS * np.int16(10), 0.1, 0),
    "thirds": (LABELS * np.int16(3), 1 / 3, 0),
    "intercept": (LABELS - np.int16(7), 1, 7),
    "both": (((LABELS + 0.5) * 20).astype(np.int16), 0.05, -0.5),
    "not_quite_zero": (np.where(LABELS, LABELS, 1e-7).astype(np.float32), 1, 0),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("storage", list(STORAGES))
def test_every_reader_sees_the_labels_that_were_meant(
    tmp_path: Path, reader: Callable[[Path], list[tuple[int, int]]], storage: str
) -> None:
    """Convert, score and transfer read label 1 in two voxels and label 3 in three."""
    values, slope, intercept = STORAGES[storage]
    path = stored(tmp_path / "labels.nii", values, slope, intercept)
    assert reader(path) == [(1, 2), (3, 3)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("values", "slope"), [(LABELS * 1.01, 1), (LABELS * np.int16(10), 0.099), (LABELS * 0.5, 1)]
)
def test_every_reader_refuses_the_same_fractions(
    tmp_path: Path,
    reader: Callable[[Path], list[tuple[int, int]]],
    values: np.ndarray,
    slope: float,
) -> None:
    """What rounding does not explain is no label."""
    path = stored(tmp_path / "labels.nii", values, slope)
    with pytest.raises(DataRefused, check=has_reason("mask_values_fractional")):
        reader(path)


@pytest.mark.parametrize("value", [0, 1, 255, 14000, -2])
def test_the_tolerance_is_the_stated_one(value: int) -> None:
    """Just inside it is the whole number, just outside it is refused."""
    for sign in (-1, 1):
        inside = np.array([value + sign * LABEL_TOLERANCE * 0.99])
        assert whole_numbers(inside).tolist() == [value]
        with pytest.raises(DataRefused):
            whole_numbers(np.array([value + sign * LABEL_TOLERANCE * 1.01]))
