"""The command `rasterize`: one structure set, no study needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import NiftiFormOption, Output, form_choice
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.formats.roi_masks import RoiMask


def rasterize(
    rtstruct: Annotated[Path, Argument(help="DICOM structure set.")],
    image: Annotated[Path, Argument(help="NIfTI file, or folder with the DICOM series.")],
    out: Annotated[
        Path, Argument(help="Mask (.nii.gz) of all chosen ROIs, or a folder: one file a ROI.")
    ],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    roi: Annotated[
        str, Option("--roi", help="Regular expression that is found in the ROI's name.")
    ] = ".*",
    reference_check: Annotated[
        bool, Option(help="Refuse contours that do not belong to the image.")
    ] = True,
    nifti_form: NiftiFormOption = "",
) -> int:
    """Make masks from the contours of a structure set, on an image.

    Masks of a NIfTI image have its order of voxels; those of a DICOM series are in RAS order, as
    all images that this program makes of DICOM.
    """
    from cta_data.formats.roi_masks import write_roi_masks
    from cta_data.patterns import require_pattern

    try:
        require_pattern(roi)
    except ValueError as error:
        raise ConfigurationError("pattern_invalid", where="--roi", error=str(error)) from error
    made = write_roi_masks(
        rtstruct,
        image,
        out,
        roi,
        check_reference=reference_check,
        choice=form_choice(nifti_form),
        overwrite=output.overwrite,
        note=print_errors,
    )
    output.show(lambda: [_content(one) for one in made], [_table(made)])
    return EXIT_OK if all(one.roi.status == "ok" for one in made) else EXIT_FAILED


def _content(made: RoiMask) -> dict[str, object]:
    names = ("number", "name", "status", "n_voxels", "volume_mm3", "volume_drawn_mm3")
    content = {name: getattr(made.roi, name) for name in names}
    reference, notes = made.roi.reference.kind, list(made.roi.notes)
    return content | {"reference": reference, "notes": notes, "file": made.file}


def _table(made: list[RoiMask]) -> Table:
    rows = []
    for one in (mask.roi for mask in made):
        numbers = [str(one.n_voxels), f"{one.volume_mm3:.1f}"]
        rows.append([one.name, one.status, *numbers, one.reference.kind, "; ".join(one.notes)])
    names = ("ROI", "status", "voxels", "volume mm³", "belongs by", "notes")
    return table_of(*names, rows=rows)
