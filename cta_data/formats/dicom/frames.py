"""The slices of a DICOM series, whether each has a file of its own or all share one.

A classic series has one slice a dataset; an enhanced multi-frame object has many, with their place
in functional groups. Both become a list of `Frame`, so that everything after knows one form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pydicom

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.coded_values import codes_of
from cta_data.formats.voxel_values import require_plausible_scale

LOCALIZER_TYPES = frozenset({"LOCALIZER", "PROJECTION IMAGE", "SCOUT"})


@dataclass(frozen=True)
class Frame:
    """One slice: where it lies, and where its pixels are.

    Attributes
    ----------
    position
        Centre of the first pixel, LPS mm.
    orientation
        Cosines along a row (x, y, z), then along a column.
    spacing
        Distance between rows, distance between columns, mm.
    dataset, index
        Dataset (its number in the series) and frame in it (from 0).
    slope, intercept
        Stored value × slope + intercept is the value; None where the header gives none.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    rows: int
    columns: int
    dataset: int
    index: int
    slope: float | None
    intercept: float | None
    is_localizer: bool
    header_tilt_degrees: float | None


def read_frames(datasets: Sequence[pydicom.Dataset]) -> list[Frame]:
    """List every slice of a series, in the order of the datasets.

    Raises
    ------
    DataRefused
        When there is no dataset, or one is no image, is a mosaic or colour image, or does not say
        where its slices lie.
    """
    if not datasets:
        raise DataRefused("series_empty")
    frames: list[Frame] = []
    for number, dataset in enumerate(datasets):
        where = _where(dataset, number)
        try:
            _require_grey_image(dataset, where)
            _require_whole_bits(dataset, where)
            if "PerFrameFunctionalGroupsSequence" in dataset:
                frames += _enhanced_frames(dataset, number, where)
            else:
                frames.append(_classic_frame(dataset, number, where))
        except (ValueError, TypeError, AttributeError) as error:
            raise DataRefused(
                "dicom_header_unreadable", where=where, error_type=without_text(error)
            ) from error
    return frames


def instance_number(dataset: pydicom.Dataset) -> int | None:
    """Return an image's number in its series; None where there is none that is a number."""
    try:
        return int(dataset.InstanceNumber)
    except (AttributeError, TypeError, ValueError):
        return None


def _where(dataset: pydicom.Dataset, number: int) -> str:
    instance = instance_number(dataset)
    told = "" if instance is None else f" (instance number {instance})"
    return f"image {number + 1}{told}"


def _image_type(dataset: pydicom.Dataset) -> set[str]:
    value = dataset.get("ImageType") or []
    return {str(item).upper() for item in ([value] if isinstance(value, str) else value)}


def _require_grey_image(dataset: pydicom.Dataset, where: str) -> None:
    if "Rows" not in dataset or "Columns" not in dataset:
        raise DataRefused("image_size_missing", where=where)
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise DataRefused(
            "image_in_colour",
            where=where,
            photometric_interpretation=_kind_of_grey(dataset),
            samples_per_pixel=int(dataset.SamplesPerPixel),
        )
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if not photometric.startswith("MONOCHROME"):
        raise DataRefused(
            "photometric_interpretation_unsupported",
            where=where,
            photometric=_kind_of_grey(dataset),
        )
    if photometric.strip() != "MONOCHROME2":
        # PS3.3 C.7.6.3.1.2: its lowest values are white, so that bright tissue has low values.
        raise DataRefused("image_inverted", where=where)
    if "MOSAIC" in _image_type(dataset):
        raise DataRefused("image_is_mosaic", where=where)


def _kind_of_grey(dataset: pydicom.Dataset) -> str:
    """Return what the values of pixels mean, where the header says it in the standard's words."""
    keyword = "PhotometricInterpretation"
    return ", ".join(codes_of(keyword, str(dataset.get(keyword, "")))) or f"an unknown {keyword}"


def _require_whole_bits(dataset: pydicom.Dataset, where: str) -> None:
    """Refuse bits that contradict each other: which of them are the value is not known then."""
    allocated, stored = (int(dataset.get(f"Bits{name}") or 0) for name in ("Allocated", "Stored"))
    high = int(dataset.get("HighBit", stored - 1))
    if "PixelData" in dataset and not (0 < stored <= allocated and high == stored - 1):
        raise DataRefused(
            "pixel_bits_inconsistent", where=where, allocated=allocated, stored=stored, high=high
        )


def _classic_frame(dataset: pydicom.Dataset, number: int, where: str) -> Frame:
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise DataRefused("functional_groups_missing", where=where, n_frames=dataset.NumberOfFrames)
    slope, intercept = _scale(dataset, where)
    return Frame(
        position=_numbers(dataset, "ImagePositionPatient", 3, where),
        orientation=_numbers(dataset, "ImageOrientationPatient", 6, where),
        spacing=_numbers(dataset, "PixelSpacing", 2, where),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        dataset=number,
        index=0,
        slope=slope,
        intercept=intercept,
        is_localizer=bool(LOCALIZER_TYPES & _image_type(dataset)),
        header_tilt_degrees=_optional(dataset, "GantryDetectorTilt"),
    )


def _enhanced_frames(dataset: pydicom.Dataset, number: int, where: str) -> Iterator[Frame]:
    per_frame = dataset.PerFrameFunctionalGroupsSequence
    expected = int(dataset.get("NumberOfFrames") or 1)
    if len(per_frame) != expected:
        raise DataRefused(
            "frame_count_inconsistent", where=where, expected=expected, n_per_frame=len(per_frame)
        )
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    is_localizer = bool(LOCALIZER_TYPES & _image_type(dataset))
    for index, own in enumerate(per_frame):
        places = (own, shared, dataset)
        place = f"{where}, frame {index + 1}"
        values = _group(places, "PixelValueTransformationSequence", "RescaleSlope")
        tilt = _group(places, "CTTableDynamicsSequence", "GantryDetectorTilt")
        plane = _group(places, "PlanePositionSequence", "ImagePositionPatient")
        axes = _group(places, "PlaneOrientationSequence", "ImageOrientationPatient")
        pixels = _group(places, "PixelMeasuresSequence", "PixelSpacing")
        slope, intercept = _scale(values, place)
        yield Frame(
            position=_numbers(plane, "ImagePositionPatient", 3, place),
            orientation=_numbers(axes, "ImageOrientationPatient", 6, place),
            spacing=_numbers(pixels, "PixelSpacing", 2, place),
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            dataset=number,
            index=index,
            slope=slope,
            intercept=intercept,
            is_localizer=is_localizer,
            header_tilt_degrees=_optional(tilt, "GantryDetectorTilt"),
        )


def _group(places: tuple[pydicom.Dataset, ...], sequence: str, keyword: str) -> pydicom.Dataset:
    """The functional group that holds `keyword`: the frame's own, else shared, else the top."""
    for place in places:
        items = place.get(sequence)
        if items and keyword in items[0]:
            return items[0]
        if keyword in place:
            return place
    return pydicom.Dataset()


def _numbers(dataset: pydicom.Dataset, keyword: str, count: int, where: str) -> tuple[float, ...]:
    value = dataset.get(keyword)
    if value is None or len(value) != count:
        raise DataRefused("image_position_missing", where=where, keyword=keyword)
    numbers = tuple(map(float, value))
    if not all(map(math.isfinite, numbers)):
        raise DataRefused(
            "image_position_not_a_number", where=where, keyword=keyword, numbers=str(numbers)
        )
    return numbers


def _scale(dataset: pydicom.Dataset, where: str) -> tuple[float | None, float | None]:
    """Slope and intercept, None where the header gives none."""
    slope, intercept = (_optional(dataset, f"Rescale{name}") for name in ("Slope", "Intercept"))
    require_plausible_scale(1.0 if slope is None else slope, intercept or 0.0, where=where)
    return slope, intercept


def _optional(dataset: pydicom.Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    return None if value is None or value == "" else float(value)
