"""NRRD files read as images."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from cta_data.formats.nrrd import read_nrrd_voxels


def read_nrrd(path: Path) -> sitk.Image:
    """Read a NRRD file as a 3-D scalar image (LPS, mm); see `read_nrrd_voxels`."""
    voxels, grid = read_nrrd_voxels(path)
    return grid.image(voxels)
