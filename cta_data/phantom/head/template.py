"""The average brain that every digital patient is warped from.

Grey and white matter come from the ICBM 2009a maps that nilearn ships in its package (read
offline; Fonov V et al., NeuroImage 2011;54:313-327). They are brain only; everything around the
brain is built in `anatomy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy import ndimage

Volume = npt.NDArray[np.float32]

COARSE_MM = 2.0
_LOW = np.array([-100.0, -112.0, -128.0])
_HIGH = np.array([100.0, 136.0, 112.0])


@dataclass(frozen=True)
class Template:
    """Maps of the average brain, arrays in the order (z, y, x), points LPS mm of MNI space.

    `grey` and `white` are fractions at 1 mm; `brain_distance` is the signed distance (mm, negative
    inside) to the smooth hull of the brain at 2 mm on a larger box.
    """

    grey: Volume
    white: Volume
    origin: npt.NDArray[np.float64]
    brain_distance: Volume
    coarse_origin: npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Read the maps, once a process."""
    grey, affine = _tissue_map("gm")
    white, _ = _tissue_map("wm")
    shape = grey.shape[::-1]
    last_x, last_y = affine[0, 3] + shape[0] - 1, affine[1, 3] + shape[1] - 1
    origin = np.array([-last_x, -last_y, affine[2, 3]])
    grey, white = _sharpened(grey, white)
    distance = _hull_distance(grey + white, origin)
    return Template(grey, white, origin, distance, _LOW)


def _tissue_map(tissue: str) -> tuple[Volume, npt.NDArray[np.float64]]:
    """Return a map from 0 to 1 and its affine (RAS mm), as nilearn's own functions do.

    These take seconds: they import scikit-learn.
    """
    nilearn = find_spec("nilearn")
    assert nilearn is not None and nilearn.submodule_search_locations
    folder = Path(nilearn.submodule_search_locations[0]) / "datasets" / "data"
    name = f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz"
    image = nib.nifti1.Nifti1Image.from_filename(folder / name)
    data = np.asarray(image.dataobj, dtype=np.float32)
    return _to_lps(data / data.max()), np.asarray(image.affine)


def _to_lps(data: Volume) -> Volume:
    """Turn an (x, y, z) array of RAS axes into (z, y, x) of LPS axes."""
    return np.ascontiguousarray(data[::-1, ::-1, :].transpose(2, 1, 0))


def _sharpened(grey: Volume, white: Volume) -> tuple[Volume, Volume]:
    """Undo some of the blur of averaging many brains: normalised squares of the fractions."""
    fluid = np.clip(1.0 - grey - white, 0.0, 1.0)
    squares = [np.power(f, 2.0) for f in (grey, white, fluid)]
    total = squares[0] + squares[1] + squares[2] + 1e-6
    return (squares[0] / total).astype(np.float32), (squares[1] / total).astype(np.float32)


def _hull_distance(tissue: Volume, origin: npt.NDArray[np.float64]) -> Volume:
    """Signed distance to the brain with its sulci closed, on the coarse grid."""
    size = np.round((_HIGH - _LOW) / COARSE_MM).astype(int) + 1
    axes = [(_LOW[a] + COARSE_MM * np.arange(size[a]) - origin[a]).astype(int) for a in (2, 1, 0)]
    kept = [(axis >= 0) & (axis < tissue.shape[i]) for i, axis in enumerate(axes)]
    mask = np.zeros(tuple(int(n) for n in size[::-1]), dtype=bool)
    mask[np.ix_(*kept)] = tissue[np.ix_(*(a[k] for a, k in zip(axes, kept, strict=True)))] > 0.4
    labels, _ = ndimage.label(mask)
    mask = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    outside = ndimage.distance_transform_edt(~mask, sampling=COARSE_MM)
    closing_mm = 8.0
    to_rim = ndimage.distance_transform_edt(outside <= closing_mm, sampling=COARSE_MM)
    closed = to_rim > closing_mm
    signed = ndimage.distance_transform_edt(~closed, sampling=COARSE_MM)
    signed -= ndimage.distance_transform_edt(closed, sampling=COARSE_MM)
    return ndimage.gaussian_filter(signed.astype(np.float32), 0.8)
