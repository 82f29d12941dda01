"""A DICOM series to one image.

`dicom2nifti` turns stored pixels into values; its own checks are switched off by not calling them,
since ours measure more and say what they measured (`dicom_geometry`). No global setting is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self, cast

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.frames import Frame, instance_number, read_frames
from cta_data.formats.dicom.geometry import (
    Deviation,
    SeriesGeometry,
    SeriesRepairs,
    check_geometry,
    measure_frames,
)
from cta_data.formats.dicom.header import header_of, identity_of
from cta_data.formats.dicom.pixel_padding import fill_padding
from cta_data.formats.dicom.series_parameters import mixed_parameters
from cta_data.formats.dicom.size import require_pixels_allowed
from cta_data.formats.nifti.image import image_from_array
from cta_data.imaging.geometry.grid import LPS_TO_RAS, Grid

PIXEL_KEYWORDS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ModalityLUTSequence",
)
INTEGER_TYPES = (np.int16, np.uint16, np.int32)


@dataclass(frozen=True, eq=False)
class ConvertedSeries:
    """One image made from a series.

    Attributes
    ----------
    image
        Closest-canonical RAS voxel order (index x grows towards Right, y Anterior, z Superior),
        which in SimpleITK's LPS shows as a direction near diag(-1, -1, 1). Voxels are permuted and
        flipped only, never interpolated unless a repair says so. int16 where the values fit, else
        uint16, int32; float32 where slope or intercept are fractions.
    geometry
        What was measured of the series as delivered.
    header
        Text values by DICOM keyword of the image with the lowest instance number, with the
        patient's identity, so that a sidecar can be kept free of it: never to be stored.
    deviations
        What was tolerated or repaired.
    """

    image: sitk.Image
    geometry: SeriesGeometry
    header: dict[str, str]
    deviations: tuple[Deviation, ...]

    @property
    def repairs(self) -> tuple[Deviation, ...]:
        """The deviations that changed voxels."""
        return tuple(found for found in self.deviations if found.action == "repaired")


def convert_series(
    datasets: Sequence[pydicom.Dataset], repairs: SeriesRepairs | None = None
) -> ConvertedSeries:
    """Convert the datasets of one series, in any order: classic slices or enhanced multi-frame.

    Raises
    ------
    DataRefused
        With what was measured, when the series is no regular volume and `repairs` does not allow
        to make it one, or when its pixels cannot be decoded.
    """
    repairs = repairs or SeriesRepairs()
    frames = read_frames(datasets)
    require_pixels_allowed(datasets)
    deviations: list[Deviation] = []
    if repairs.drop_identical_slices:
        frames, dropped = _drop_identical(frames, datasets)
        deviations += dropped
    geometry = measure_frames(frames)
    deviations += check_geometry(geometry, repairs)
    deviations += mixed_parameters(datasets)
    ordered = [frames[i] for i in geometry.order]
    volume, filled = fill_padding(_values(datasets, ordered), datasets, ordered)
    if filled and np.issubdtype(volume.dtype, np.integer):
        volume = _smallest_type(cast("NDArray[np.integer]", volume))
    deviations += filled
    first, step = _first_and_step(geometry)
    if any(found.action == "repaired" and found.kind != "identical_slices" for found in deviations):
        from cta_data.formats.dicom.repair import resample_slices  # loads scipy

        volume, first, step = resample_slices(volume, geometry)
    affine = _ras_affine(geometry, first, step)
    representative = min(datasets, key=_instance_order)
    return ConvertedSeries(
        image=_canonical(volume, affine),
        geometry=geometry,
        header=header_of(representative) | identity_of(representative),
        deviations=tuple(deviations),
    )


def series_values(datasets: Sequence[pydicom.Dataset]) -> NDArray[np.generic]:
    """Return the values (slice, row, column) of slices in the order given.

    Raises
    ------
    DataRefused
        Pixels are missing or cannot be decoded.
    """
    frames = read_frames(datasets)
    require_pixels_allowed(datasets)
    return fill_padding(_values(datasets, frames), datasets, frames)[0]


def series_grid(datasets: Sequence[pydicom.Dataset]) -> Grid:
    """Return the grid of the image that `convert_series` makes, from headers alone.

    Raises
    ------
    DataRefused
        The series is no regular volume.
    """
    frames = read_frames(datasets)
    geometry = measure_frames(frames)
    check_geometry(geometry, SeriesRepairs())
    affine = _ras_affine(geometry, *_first_and_step(geometry))
    size = (frames[0].columns, frames[0].rows, geometry.slices)
    codes = nib.io_orientation(affine)
    canonical = affine @ nib.orientations.inv_ornt_aff(codes, size)
    x, y, z = (size[int(axis)] for axis in np.argsort(codes[:, 0]))
    return Grid.of_affine((x, y, z), canonical)


def _first_and_step(geometry: SeriesGeometry) -> tuple[NDArray[np.float64], float]:
    """Return the place of the first slice (LPS mm) and the mean distance of slices (mm)."""
    return geometry.positions[0], float(geometry.distances[-1] / (geometry.slices - 1))


def _instance_order(dataset: pydicom.Dataset) -> tuple[int, str]:
    return instance_number(dataset) or 0, str(dataset.get("SOPInstanceUID", ""))


def _drop_identical(
    frames: list[Frame], datasets: Sequence[pydicom.Dataset]
) -> tuple[list[Frame], list[Deviation]]:
    """Keep the first of classic slices that share place and pixels."""
    seen: set[tuple[object, ...]] = set()
    kept: list[Frame] = []
    for frame in frames:
        pixels = datasets[frame.dataset].get("PixelData", b"")
        key = (frame.position, frame.orientation, frame.index, pixels)
        if key not in seen:
            seen.add(key)
            kept.append(frame)
    if len(kept) == len(frames):
        return frames, []
    measured = f"{len(frames) - len(kept)} of {len(frames)} slices repeat another's pixels"
    return kept, [Deviation("identical_slices", measured, "repaired", "one of each kept")]


def _values(datasets: Sequence[pydicom.Dataset], frames: Sequence[Frame]) -> NDArray[np.generic]:
    """Values with axes slice, row, column, in the smallest type that holds them."""
    from dicom2nifti import common  # loads scipy, which geometry alone does without

    rescale = [(f.slope if f.slope is not None else 1.0, f.intercept or 0.0) for f in frames]
    whole = all(float(slope).is_integer() and float(shift).is_integer() for slope, shift in rescale)
    try:
        light = _light_datasets(datasets, frames, with_rescale=not whole)
        volume = np.asarray(common.get_volume_pixeldata(light)).transpose(2, 1, 0)
    except (ValueError, RuntimeError, AttributeError, NotImplementedError, TypeError) as error:
        raise _undecodable(error) from error
    if volume.dtype.kind == "f":
        return volume.astype(np.float32)
    if any(pair != (1.0, 0.0) for pair in rescale):
        volume = _rescale_whole(volume, rescale)
    return _smallest_type(volume)


def _rescale_whole(
    volume: NDArray[np.integer], rescale: Sequence[tuple[float, float]]
) -> NDArray[np.integer]:
    """Apply whole slopes and intercepts, one pair a slice, without overflow."""
    limits = np.iinfo(volume.dtype)
    largest = max(abs(limits.min), limits.max)
    bound = max(abs(slope) * largest + abs(intercept) for slope, intercept in rescale)
    dtype = np.dtype(np.int32 if bound <= np.iinfo(np.int32).max else np.int64)
    factors = np.array(rescale).astype(dtype)
    scaled: NDArray[np.integer] = np.multiply(volume, factors[:, :1, None], dtype=dtype)
    return np.add(scaled, factors[:, 1:, None], out=scaled)


def _smallest_type(volume: NDArray[np.integer]) -> NDArray[np.generic]:
    low, high = int(volume.min()), int(volume.max())
    for dtype in INTEGER_TYPES:
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            same_size = volume.dtype.itemsize == np.dtype(dtype).itemsize
            return volume.view(dtype) if same_size else volume.astype(dtype)
    return volume.astype(np.float32)


class _LightDataset(pydicom.Dataset):
    """A dataset of pixels alone, whose copies share its elements: decoding changes none of them."""

    def __deepcopy__(self, memo: dict[int, Any] | None) -> Self:
        return copy(self)


def _light_datasets(
    datasets: Sequence[pydicom.Dataset], frames: Sequence[Frame], *, with_rescale: bool
) -> list[pydicom.Dataset]:
    """One small dataset a slice, pixels only: dicom2nifti copies each of them."""
    decoded: dict[int, NDArray[np.generic]] = {}
    result: list[pydicom.Dataset] = []
    for frame in frames:
        source = datasets[frame.dataset]
        if "PixelData" not in source:
            raise DataRefused("pixels_missing", instance_number=instance_number(source) or "absent")
        light = _LightDataset()
        for keyword in PIXEL_KEYWORDS:
            if keyword in source:
                light[keyword] = source[keyword]
        if with_rescale and "ModalityLUTSequence" not in source:
            light.RescaleSlope = 1.0 if frame.slope is None else frame.slope
            light.RescaleIntercept = frame.intercept or 0.0
        if "PerFrameFunctionalGroupsSequence" in source:
            if frame.dataset not in decoded:
                decoded[frame.dataset] = _decode_frames(source)
            light.file_meta = pydicom.dataset.FileMetaDataset()
            light.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            light.PixelData = decoded[frame.dataset][frame.index].tobytes()
            light.BitsStored, light.HighBit = light.BitsAllocated, light.BitsAllocated - 1
        else:
            light.file_meta = source.file_meta
            light["PixelData"] = source["PixelData"]
        result.append(light)
    return result


def _decode_frames(dataset: pydicom.Dataset) -> NDArray[np.generic]:
    """Stored values with axes frame, row, column."""
    try:
        pixels = np.asarray(dataset.pixel_array)
    except (ValueError, RuntimeError, AttributeError, NotImplementedError, TypeError) as error:
        raise _undecodable(error) from error
    return pixels.reshape(-1, dataset.Rows, dataset.Columns)


def _undecodable(error: Exception) -> DataRefused:
    return DataRefused("pixels_undecodable", error_type=without_text(error))


def _ras_affine(
    geometry: SeriesGeometry, first: NDArray[np.float64], step: float
) -> NDArray[np.float64]:
    """4 × 4 matrix from index (column, row, slice) to RAS mm; the axes are at right angles."""
    lps = np.eye(4)
    scale = np.array([geometry.spacing[1], geometry.spacing[0], step])
    lps[:3, :3] = geometry.grid_cosines.T * scale
    lps[:3, 3] = first
    return LPS_TO_RAS @ lps


def _canonical(volume: NDArray[np.generic], affine: NDArray[np.float64]) -> sitk.Image:
    """Image in closest-canonical RAS order, from axes slice, row, column."""
    codes = nib.io_orientation(affine)
    turned = nib.apply_orientation(volume.T, codes)
    affine = affine @ nib.orientations.inv_ornt_aff(codes, volume.T.shape)
    return image_from_array(np.ascontiguousarray(turned.T), affine)
