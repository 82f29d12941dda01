"""Mask files to lesion voxels: any orientation, any scaling, strict about what the values are."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal import isal_zlib
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.formats.nifti.content import read_content, voxel_layout
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.formats.nifti.image import header_geometry, value_scale
from cta_data.formats.nrrd import NRRD_ENDINGS, is_nrrd, read_nrrd_voxels
from cta_data.imaging.geometry.grid import (
    Grid,
    Placed,
    describe_grid_difference,
    ras_affine,
    same_grid,
)
from cta_data.imaging.lesions.label_values import whole_numbers
from cta_data.scoring.case import CaseScore, score_case
from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import Instances, instances_by_value, instances_of_voxels
from cta_data.scoring.runs import Positions, nonzero_voxels
from cta_data.size_limit import require_allowed

ENDINGS = (".nii.gz", ".nii", *NRRD_ENDINGS)
"""Of mask files. A `.nhdr` is no mask where its voxels are in another file: that is told."""
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    zlib.error,
    isal_zlib.error,
    nib.spatialimages.HeaderDataError,
    nib.filebasedimages.ImageFileError,
)
"""What damaged files raise where the readers do not say it in their own words."""
EACH = "each"
Label = tuple[int, ...] | str | None
"""Values that are lesion, as one mask; or `each`, where lesions of different values stay apart; or
None for every value."""


def mask_path(folder: Path, case: str) -> Path | None:
    """Return the mask of a case in a folder, whether or not its content is here."""
    paths = (folder / f"{case}{ending}" for one in ENDINGS for ending in (one, one.upper()))
    return next((path for path in paths if os.path.lexists(path)), None)


def mask_ending(name: str) -> str:
    """Return the ending of a mask's file name, in capitals or not; empty of any other file."""
    found = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[len(name) - len(found) :]


@dataclass(frozen=True, eq=False)
class MaskVoxels:
    """The lesion voxels of a mask, on its grid turned to RAS.

    ``index`` are flat indices (x fastest), ascending, and ``values`` what the mask holds there;
    ``shape`` is (z, y, x); ``affine`` is the 4 × 4 matrix from voxel index (x, y, z) to RAS mm.
    ``file_axes`` says which of these axes (0 for x) the file stores first, second and third.
    """

    index: Positions
    values: NDArray[np.generic]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    file_axes: tuple[int, int, int] = (0, 1, 2)

    @property
    def grid(self) -> Grid:
        """The grid of the voxels."""
        return Grid.of_affine((self.shape[2], self.shape[1], self.shape[0]), self.affine)


@dataclass(frozen=True, eq=False)
class _Stored:
    """What a file holds: flat voxels (x fastest), shape (z, y, x), affine to RAS mm, and slope."""

    voxels: NDArray[Any]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    slope: float = 1.0


@contextmanager
def refused_if_damaged(path: Path) -> Iterator[None]:
    """Refuse a file by what reading it raises, in words.

    Raises
    ------
    DataRefused
        The readers met one of `UNREADABLE`.
    """
    try:
        yield
    except UNREADABLE as error:  # type: ignore[misc]  # isal stub
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataRefused(
            "mask_unreadable", where=path, error_type=type(error).__name__, why=why
        ) from error


def read_mask(path: Path, label: Label = None, choice: FormChoice = NO_CHOICE) -> MaskVoxels:
    """Read the lesion voxels of a NIfTI or NRRD mask.

    Parameters
    ----------
    label
        The values that mean lesion; without them, or with `each`, every value but 0.
    choice
        Which form of a NIfTI header is right where they contradict each other.

    Raises
    ------
    CtaError
        The file is not there, or its content was not fetched.
    DataRefused
        It is damaged, no volume, has no orientation, or holds NaN or fractions.
    """
    if path.is_dir():
        raise DataRefused("mask_is_a_folder", where=path)
    with refused_if_damaged(path):
        stored = _from_nrrd(path) if is_nrrd(path) else _from_nifti(path, choice)
    index, values = nonzero_voxels(stored.voxels)
    scaled = values if stored.slope == 1 else values.astype(np.float64) * stored.slope
    lesion = whole_numbers(scaled, str(path))
    chosen = np.isin(lesion, label) if isinstance(label, tuple) else lesion != 0
    kept = np.asarray(chosen)
    return turned_to_ras(MaskVoxels(index[kept], lesion[kept], stored.shape, stored.affine))


def voxels_of_array(
    voxels: NDArray[np.generic], affine: NDArray[np.float64], *, where: str = "mask"
) -> MaskVoxels:
    """Return the lesion voxels of a mask in memory, every value but 0.

    Parameters
    ----------
    voxels
        (z, y, x).
    affine
        4 × 4 matrix from voxel index (x, y, z) to RAS mm.

    Raises
    ------
    DataRefused
        It holds NaN or fractions.
    """
    index, values = nonzero_voxels(np.ascontiguousarray(voxels).reshape(-1))
    lesion = whole_numbers(values, where)
    kept = np.asarray(lesion != 0)
    z, y, x = voxels.shape
    return turned_to_ras(MaskVoxels(index[kept], lesion[kept], (z, y, x), affine))


def _from_nifti(path: Path, choice: FormChoice) -> _Stored:
    content = read_content(path)
    header, (nx, ny, nz), affine = header_geometry(content, path, choice)
    dtype, offset = voxel_layout(header, (nx, ny, nz), content, path)
    voxels = np.frombuffer(content, dtype, nx * ny * nz, offset)
    slope, intercept = value_scale(header, path)
    if intercept:
        # What is stored as 0 means something else here: every voxel has to be looked at.
        require_allowed(8 * nx * ny * nz, where=str(path))
        voxels, slope = whole_numbers(voxels.astype(np.float64) * slope + intercept, str(path)), 1.0
    return _Stored(voxels, (nz, ny, nx), affine, slope)


def _from_nrrd(path: Path) -> _Stored:
    voxels, grid = read_nrrd_voxels(path)
    z, y, x = voxels.shape
    return _Stored(np.ascontiguousarray(voxels).reshape(-1), (z, y, x), ras_affine(grid))


def score_files(
    reference: Path,
    predicted: Path,
    convention: Convention,
    *,
    label: Label,
    case: str,
    surfaces: bool = False,
    lesion_labels: Path | None = None,
    choice: FormChoice = NO_CHOICE,
) -> CaseScore:
    """Score one mask file against another; see `read_mask` and `score_case`.

    Parameters
    ----------
    lesion_labels
        File on the reference's grid that holds the id of the study's lesion in every voxel.

    Raises
    ------
    CtaError
        A file is not there.
    DataRefused
        A file cannot be used, or the two lie on different grids; the message shows both.
    """
    first, second = (read_mask(path, label, choice) for path in (reference, predicted))
    return score_voxels(
        first,
        second,
        convention,
        where=f"{reference} and {predicted}",
        label=label,
        case=case,
        surfaces=surfaces,
        lesion_labels=read_mask(lesion_labels) if lesion_labels else None,
    )


def score_voxels(
    first: MaskVoxels,
    second: MaskVoxels,
    convention: Convention,
    *,
    where: str = "",
    label: Label = None,
    case: str = "",
    surfaces: bool = False,
    lesion_labels: MaskVoxels | None = None,
) -> CaseScore:
    """Score the voxels of one mask against those of another; see `score_files`.

    Raises
    ------
    DataRefused
        The two lie on different grids; the message shows both.
    """
    require_one_grid(first.grid, second.grid, where=where)
    found = [
        instances_by_value(one.index, one.values, one.shape, convention)
        if label == EACH
        else instances_of_voxels(one.index, one.shape, convention)
        for one in (first, second)
    ]
    ids = _lesion_ids(first, found[0], lesion_labels) if lesion_labels else ()
    score = score_case(
        found[0],
        found[1],
        convention,
        affine=first.affine,
        file_axes=first.file_axes,
        case=case,
        surfaces=surfaces,
        lesion_ids=ids,
    )
    held = {int(value) for one in (first, second) for value in np.unique(one.values)}
    return replace(score, labels=frozenset(held))


def instance_labels(mask: MaskVoxels, convention: Convention) -> sitk.Image:
    """Return an image (LPS, mm) of the mask's instances, numbered from 1 as in the scores."""
    instances = instances_of_voxels(mask.index, mask.shape, convention)
    kind = np.uint16 if instances.count < np.iinfo(np.uint16).max else np.uint32
    labels = np.zeros(int(np.prod(mask.shape)), kind)
    # Runs are in the order of their voxels, and each of a mask's voxels is in one run.
    labels[mask.index] = np.repeat(instances.of_run + 1, instances.runs.lengths)
    return mask.grid.image(labels.reshape(mask.shape))


def _lesion_ids(
    mask: MaskVoxels, instances: Instances, labels: MaskVoxels
) -> tuple[tuple[int, ...], ...]:
    """Return the lesion ids that each instance of a mask holds, ascending."""
    instance_of_voxel = np.repeat(instances.of_run, instances.runs.lengths)
    _, at, labelled = np.intersect1d(
        mask.index, labels.index, assume_unique=True, return_indices=True
    )
    found: list[set[int]] = [set() for _ in range(instances.count)]
    pairs = np.stack([instance_of_voxel[at], labels.values[labelled].astype(np.int64)], axis=1)
    for instance, lesion_id in np.unique(pairs, axis=0).tolist():
        found[instance].add(lesion_id)
    return tuple(tuple(sorted(ids)) for ids in found)


def turned_to_ras(mask: MaskVoxels) -> MaskVoxels:
    """The same voxels with the axes in the order and direction of RAS."""
    axes = mask.affine[:3, :3]
    if np.array_equal(axes, np.diag(np.abs(axes.diagonal()))):
        return mask  # as most are: nothing turned, nothing mirrored
    shape = np.array(mask.shape[::-1])
    orientation = nib.io_orientation(mask.affine)
    if (orientation == nib.orientations.axcodes2ornt("RAS")).all():
        return mask
    affine = mask.affine @ nib.orientations.inv_ornt_aff(orientation, tuple(shape.tolist()))
    nx, ny = int(shape[0]), int(shape[1])
    row, x = np.divmod(mask.index, nx)
    z, y = np.divmod(row, ny)
    new: list[Positions] = [np.empty(0, np.int64)] * 3
    size = [0, 0, 0]
    for axis, place in enumerate((x, y, z)):
        to, sign = int(orientation[axis, 0]), orientation[axis, 1]
        new[to] = place if sign > 0 else shape[axis] - 1 - place
        size[to] = int(shape[axis])
    index = new[0] + size[0] * (new[1] + size[1] * new[2])
    order = np.argsort(index)
    turned = (size[2], size[1], size[0])
    stored = (int(orientation[0, 0]), int(orientation[1, 0]), int(orientation[2, 0]))
    return MaskVoxels(index[order], mask.values[order], turned, np.asarray(affine), stored)


def require_one_grid(reference: Placed, predicted: Placed, *, where: str = "") -> None:
    """Refuse masks that do not lie on one grid; the message shows both.

    Raises
    ------
    DataRefused
        They do not.
    """
    if not same_grid(reference, predicted):
        raise DataRefused(
            "scored_grids_differ",
            where=where,
            difference=describe_grid_difference(reference, predicted),
        )
