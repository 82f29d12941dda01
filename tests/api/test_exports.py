"""Writing DICOM objects of lesions from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.oriented_series import oriented_series, write_files

import cta_data


def test_lesions_are_written_and_rasterised_again(tmp_path: Path) -> None:
    """A volume on the grid of the series, in its own order of axes, comes back as it was."""
    series = write_files(oriented_series((5, 6, 7), "sagittal"), tmp_path / "series")
    image = cta_data.read_image(series)
    labels = np.zeros(image.shape, np.uint8)
    labels[1:3, 2:5, 1:3], labels[3, 5, 4] = 1, 2
    origin = cta_data.Origin(reader="R1")
    out = tmp_path / "out.dcm"
    made = cta_data.write_structure_set(image.with_array(labels), series, out, origin=origin)
    assert (made.n_lesions, made.n_voxels) == (2, 13)
    back = cta_data.rasterize(cta_data.read_structure_set(out), image)
    for lesion in (1, 2):
        assert np.array_equal(back.mask(f"Lesion {lesion}").array == 1, labels == lesion)
    path = tmp_path / "seg.dcm"
    made = cta_data.write_segmentation(image.with_array(labels), series, path, kind="labelmap")
    assert (made.n_regions, made.written) == (2, True)
