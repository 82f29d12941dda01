"""The image that contours are put on: a DICOM series with its identity, or a NIfTI file."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.header import UNREADABLE
from cta_data.formats.dicom.plain_header import read_plain_header
from cta_data.formats.dicom.rtstruct import read_dicom_object
from cta_data.formats.dicom.series import convert_series, series_grid, series_values
from cta_data.formats.dicom.size import open_dicom
from cta_data.formats.lengths import require_plausible_lengths
from cta_data.formats.nifti.content import GZIP_MAGIC
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.rasterization.contours import ImageIdentity
from cta_data.size_limit import require_allowed, require_file_allowed

_MOST_HEADERS = 1 << 16
"""Bytes in which nearly all headers end, before the pixels."""
_MOST_NAMED = 6
"""Series that an error names."""


def read_reference_image(
    path: Path, preferred_series: Collection[str] = (), choice: FormChoice = NO_CHOICE
) -> tuple[sitk.Image, ImageIdentity | None]:
    """Read an image and the UIDs by which a structure set may refer to it.

    Parameters
    ----------
    path
        A folder of DICOM files, one multi-frame DICOM file, or a NIfTI file (which has no UIDs).
        Of one or two slices an image is made, too, though no volume for training.
    preferred_series
        Series UIDs to select, if a folder holds several series.
    choice
        Which form of a NIfTI header is right where they contradict each other.

    Raises
    ------
    DataRefused
        If there is no image, or several and none or more than one of them is preferred, or its
        pixels cannot be decoded.
    """
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return read_image(path, choice), None
    own = _chosen_series(path, _images(path), preferred_series)
    if _is_volume(own):
        return convert_series(own).image, identity_of(own)
    grid = _grid_of_few(own)
    return grid.image(series_values(sorted(own, key=_height))), identity_of(own)


def read_reference_grid(
    path: Path, preferred_series: Collection[str] = (), choice: FormChoice = NO_CHOICE
) -> tuple[Grid, ImageIdentity | None]:
    """Read where the voxels of an image lie, and its UIDs, as `read_reference_image` does.

    Of DICOM files the headers alone are read, each once.

    Raises
    ------
    DataRefused
        If there is no image, or several and none or more than one of them is preferred.
    """
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return Grid.of(read_image(path, choice)), None
    own = read_series_headers(path, preferred_series)
    return grid_of(own), identity_of(own)


def read_series_headers(
    path: Path, preferred_series: Collection[str] = ()
) -> list[pydicom.Dataset]:
    """Read the headers of a DICOM series, without its pixels; see `read_reference_image`."""
    return _chosen_series(path, _headers(path), preferred_series)


def grid_of(datasets: Sequence[pydicom.Dataset]) -> Grid:
    """Return the grid of a series from its headers, of one or two slices as well.

    Raises
    ------
    DataRefused
        The series is no regular volume.
    """
    return series_grid(datasets) if _is_volume(datasets) else _grid_of_few(datasets)


def _chosen_series(
    path: Path, datasets: Sequence[pydicom.Dataset], preferred_series: Collection[str]
) -> list[pydicom.Dataset]:
    if not datasets:
        raise DataRefused(
            "dicom_image_not_found",
            where=path,
            why="its files are compressed (gzip)" if _is_compressed(path) else "",
        )
    series = sorted({str(dataset.get("SeriesInstanceUID")) for dataset in datasets})
    chosen = [uid for uid in series if uid in preferred_series] if len(series) > 1 else series
    if len(chosen) != 1:
        found = tuple(_in_short(uid, datasets) for uid in series[:_MOST_NAMED])
        more = f"; and {len(series) - _MOST_NAMED} more" if series[_MOST_NAMED:] else ""
        raise DataRefused(
            "image_series_ambiguous",
            where=path,
            n_series=len(series),
            n_chosen=len(chosen),
            found=found,
            more=more,
        )
    return [item for item in datasets if str(item.get("SeriesInstanceUID")) == chosen[0]]


def _in_short(uid: str, datasets: Sequence[pydicom.Dataset]) -> str:
    own = [item for item in datasets if str(item.get("SeriesInstanceUID")) == uid]
    return f"{uid}, {own[0].get('Modality', '')}, {len(own)} images"


def _is_volume(datasets: Sequence[pydicom.Dataset]) -> bool:
    return len(datasets) > 2 or "NumberOfFrames" in datasets[0]


def identity_of(datasets: Sequence[pydicom.Dataset]) -> ImageIdentity:
    """Series, frame of reference and SOP Instance UIDs of one series' datasets."""
    frames = {str(item.get("FrameOfReferenceUID") or "") for item in datasets}
    return ImageIdentity(
        str(datasets[0].get("SeriesInstanceUID")),
        frames.pop() or None if len(frames) == 1 else None,
        frozenset(str(item.SOPInstanceUID) for item in datasets),
    )


def _grid_of_few(datasets: Sequence[pydicom.Dataset]) -> Grid:
    """One slice or two: no volume for training, but a grid that contours can be put on."""
    ordered = sorted(datasets, key=_height)
    grids = [_slice_grid(dataset) for dataset in ordered]
    origin, axes, spacing = grids[0]
    step = np.cross(axes[0], axes[1]) * float(ordered[0].get("SliceThickness") or 1.0)
    if len(grids) > 1:
        step = grids[1][0] - origin
    thickness = float(np.linalg.norm(step))
    if thickness == 0 or any(not np.allclose(grid[1], axes, atol=1e-4) for grid in grids):
        raise DataRefused("slices_not_parallel", where="image")
    sizes = sorted({(int(dataset.Rows), int(dataset.Columns)) for dataset in ordered})
    if len(sizes) > 1:
        told = ", ".join(f"{rows} × {columns}" for rows, columns in sizes)
        raise DataRefused("slice_sizes_differ", where="image", sizes=told)
    size = (int(ordered[0].Columns), int(ordered[0].Rows), len(ordered))
    require_allowed(math.prod(size), where="image")
    direction = np.stack([*axes, step / thickness], axis=1)
    return Grid(size, np.array([*spacing, thickness]), origin, direction)


def _slice_grid(
    dataset: pydicom.Dataset,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Position of the first pixel, the two axes (rows of the array), and their spacings."""
    try:
        origin = np.array(dataset.ImagePositionPatient, dtype=np.float64)
        axes = np.array(dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        rows, columns = (float(value) for value in dataset.PixelSpacing)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataRefused("slice_position_missing", error_type=without_text(error)) from error
    require_plausible_lengths([columns, rows], origin.tolist())
    return origin, axes, [columns, rows]


def _height(dataset: pydicom.Dataset) -> float:
    origin, axes, _ = _slice_grid(dataset)
    return float(origin @ np.cross(axes[0], axes[1]))


def _images(path: Path) -> list[pydicom.Dataset]:
    """All datasets with pixels under ``path``; files that are not DICOM are passed over."""
    return [read_dicom_object(file) for file in _files(path) if _header(file, ["Rows"]) is not None]


def _headers(path: Path) -> list[pydicom.Dataset]:
    """The headers of all datasets with pixels under ``path``."""
    return [header for file in _files(path) if (header := _header(file)) is not None]


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _is_compressed(path: Path) -> bool:
    for file in _files(path):
        with file.open("rb") as stream:
            if stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                return True
    return False


def _header(file: Path, keywords: list[str] | None = None) -> pydicom.Dataset | None:
    """Return the header of a DICOM image, or so much of it as was asked for; None of other files.

    Raises
    ------
    DataRefused
        It is damaged.
    """
    try:
        header, media_class = _header_and_class(file, keywords)
    except InvalidDicomError:
        return None
    except UNREADABLE as error:
        raise DataRefused("dicom_unreadable", where=file, error_type=without_text(error)) from error
    # A dose grid has pixels, and is no image of a series.
    return header if "Rows" in header and media_class != RTDoseStorage else None


def _header_and_class(file: Path, keywords: list[str] | None) -> tuple[pydicom.Dataset, str]:
    require_file_allowed(file)
    with file.open("rb") as stream:
        start = stream.read(_MOST_HEADERS)
    wanted = None if keywords is None else frozenset(map(int, map(Tag, keywords)))
    plain = read_plain_header(start, wanted)
    if plain is not None and plain.end < len(start):  # its pixels begin, so that this is all of it
        return plain.dataset, plain.media_class
    with open_dicom(file) as whole:
        header = pydicom.dcmread(whole, specific_tags=keywords, stop_before_pixels=True)
    return header, str(header.file_meta.get("MediaStorageSOPClassUID"))
