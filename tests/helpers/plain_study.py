"""A cohort of tiny plain files, a T1 image and a mask for each patient, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from helpers.command_line import CARD

RULES = r"""
[subjects]
pattern = '{pattern}'

[geometry]
skull_stripped = true
{geometry}

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/t1\.{ending}$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/seg\.nii\.gz$'
role = "mask"

[masks]
lesion_values = [1]

[groups.NAQ]
drawn_on = "MPRAGE"
"""


def plain_card(
    cohort: str,
    *,
    partition: str = "external",
    pattern: str = "^(?P<id>[a-z]+)$",
    geometry: str = "",
    ending: str = r"nii\.gz",
) -> str:
    """Return a card of a T1 image and a mask of NAQ for each patient, in a folder of the number.

    `pattern` and `ending` are regular expressions; `geometry` holds further keys of that section.
    """
    head = CARD.format(name=cohort).replace('"external"', f'"{partition}"')
    return head + RULES.format(pattern=pattern, geometry=geometry, ending=ending)


def write_plain_card(path: Path, cohort: str = "mine") -> Path:
    """Write the card of the cohort; return its path."""
    path.write_text(plain_card(cohort), "utf-8")
    return path


def write_plain_patients(folder: Path, names: Sequence[str]) -> Path:
    """Write a folder for each patient, no two with the same image; return the folder of all."""
    affine = np.diag([-1.3, -1.3, 5.0, 1.0])
    lesion = np.zeros((12, 12, 12), np.uint8)
    lesion[3:5, 3:5, 3:5] = 1
    for name in names:
        grey = np.zeros(lesion.shape, np.float32)
        values = np.random.default_rng(list(name.encode())).permutation(512) + 1
        grey[2:10, 2:10, 2:10] = values.reshape(8, 8, 8)
        (folder / name).mkdir(parents=True)
        for voxels, file in ((grey, "t1"), (lesion, "seg")):
            image = nib.Nifti1Image(voxels, affine)
            image.set_qform(affine, 1)
            image.header.set_xyzt_units("mm")
            nib.save(image, folder / name / f"{file}.nii.gz")
    return folder
