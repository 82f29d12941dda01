"""A brain mask that a user supplies is read as images are: what contradicts itself is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cta_data.errors import DataRefused
from cta_data.pipeline.strip_session import supplied_mask


def test_two_forms_that_differ_are_refused(tmp_path: Path) -> None:
    """A mask whose qform and sform place it differently is on no grid that can be trusted."""
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.eye(4))
    path = tmp_path / "mask.nii.gz"
    image.set_qform(np.diag([2.0, 2.0, 2.0, 1.0]), 1)
    nib.save(image, path)
    with pytest.raises(DataRefused):
        supplied_mask(path)
    image.set_qform(np.eye(4), 1)
    nib.save(image, path)
    assert supplied_mask(path).GetSize() == (4, 5, 6)  # type: ignore[union-attr]
