"""Lesions as DICOM objects of the series that they belong to."""

from __future__ import annotations

from pathlib import Path

from cta_data.api.volume import Volume, require_one_frame, require_volume
from cta_data.destinations import require_file_place
from cta_data.formats.dicom.derived_objects import Origin
from cta_data.formats.dicom.rtstruct_writing import Holes, StructureSetText
from cta_data.formats.dicom.segmentation_writing import SegmentKind
from cta_data.formats.lesion_export import (
    ExportedFile,
    ExportOptions,
    lesions_on_series,
    make_object,
    read_placed_series,
    write_object,
)
from cta_data.given_paths import given_path, require_given


def write_structure_set(
    labels: Volume,
    series: Path | str,
    path: Path | str,
    *,
    name: str = "Lesion",
    origin: Origin | None = None,
    holes: Holes = "keyhole",
    instances: str = "auto",
    interpreted_type: str = "",
    overwrite: bool = False,
) -> ExportedFile:
    """Write lesions as a DICOM structure set: one ROI each, contours on the edges of voxels.

    `rasterize` gives the same voxels back. The same input gives the same bytes.

    Parameters
    ----------
    labels
        Lesion numbers, or a mask, on the grid of the series, in any order of the axes.
    series
        Folder of the DICOM series, or one multi-frame file.
    name
        Before the number of each ROI.
    origin
        Who or what delineated.
    holes
        `keyhole` or `xor` (contours of type CLOSEDPLANAR_XOR).
    instances
        `values` (each value is a lesion), `components`, or `auto`: components of a mask of one
        value.
    interpreted_type
        RT ROI Interpreted Type, such as `GTV`.

    Raises
    ------
    ConfigurationError
        The series is not there, or the file is there with other content.
    DataRefused
        The grids or the frames of reference differ, there is no lesion, or the series is no
        regular volume.
    """
    options = ExportOptions(
        "rtstruct",
        origin or Origin(),
        StructureSetText(name, interpreted_type=interpreted_type),
        holes=holes,
        instances=instances,
    )
    return _write(labels, given_path(series), given_path(path), options, overwrite=overwrite)


def write_segmentation(
    labels: Volume,
    series: Path | str,
    path: Path | str,
    *,
    name: str = "Lesion",
    origin: Origin | None = None,
    kind: SegmentKind = "binary",
    instances: str = "auto",
    overwrite: bool = False,
) -> ExportedFile:
    """Write lesions as a DICOM segmentation: one segment each, coded as metastasis of the brain.

    Parameters
    ----------
    kind
        `binary` (frames of each segment) or `labelmap`. Other parameters are those of
        `write_structure_set`.

    Raises
    ------
    ConfigurationError
        The series is not there, or the file is there with other content.
    DataRefused
        The grids or the frames of reference differ, there is no lesion, or the series is no
        regular volume.
    """
    text = StructureSetText(name)
    options = ExportOptions("seg", origin or Origin(), text, segments=kind, instances=instances)
    return _write(labels, given_path(series), given_path(path), options, overwrite=overwrite)


def _write(
    labels: Volume, series: Path, path: Path, options: ExportOptions, *, overwrite: bool
) -> ExportedFile:
    require_volume(labels, "labels")
    require_given(series)
    require_file_place(path, (series,), overwrite=True)
    placed = read_placed_series(series)
    own = str(placed.datasets[0].get("FrameOfReferenceUID", ""))
    require_one_frame({"labels": labels.frame, "series": own})
    lesions = lesions_on_series(labels.to_sitk(), placed, options)
    made = make_object(lesions, placed, options)
    return write_object(made, lesions, path, (series,), overwrite=overwrite)
