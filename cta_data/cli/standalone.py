"""Commands that need no study: rasterize and transfer-mask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cta_data.cli.options import JsonOption, NiftiFormOption, OverwriteOption, form_choice
from cta_data.destinations import require_file_place, require_folder_place
from cta_data.engine.records import EXIT_FAILED
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.given_paths import require_given, require_given_file
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    import SimpleITK as sitk

    from cta_data.imaging.rasterization.rasterize import RasterizedRoi


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("rasterize")(rasterize)
    app.command("transfer-mask")(transfer_mask)


def rasterize(
    rtstruct: Annotated[Path, typer.Argument(help="DICOM structure set.")],
    image: Annotated[Path, typer.Argument(help="NIfTI file, or folder with the DICOM series.")],
    out: Annotated[
        Path, typer.Argument(help="Mask (.nii.gz) of all chosen ROIs, or a folder: one file a ROI.")
    ],
    roi: Annotated[
        str, typer.Option("--roi", help="Regular expression that is found in the ROI's name.")
    ] = ".*",
    reference_check: Annotated[
        bool,
        typer.Option(help="Refuse contours that do not belong to the image."),
    ] = True,
    nifti_form: NiftiFormOption = "",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> int:
    """Turn the contours of one structure set into masks on the grid of an image.

    Masks of a NIfTI image have its order of voxels; those of a DICOM series are in RAS order, as
    all images that this program makes of DICOM.
    """
    from cta_data.formats.dicom.rtstruct import read_structure_set
    from cta_data.formats.reference_image import read_reference_image
    from cta_data.imaging.rasterization.rasterize import REFUSED
    from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set

    _check_pattern(roi)
    _check_masks_output(out)
    require_given_file(rtstruct, "the structure set")
    require_given(image)
    _require_masks_place(out, (rtstruct, image), (), overwrite=overwrite)
    structure_set = read_structure_set(rtstruct)
    for number in structure_set.orphans:
        error_console().print(f"warning: contours of ROI number {number} belong to no ROI")
    referenced = structure_set.referenced_series_uids
    grid, identity = read_reference_image(image, referenced, form_choice(nifti_form))
    try:
        rasterized = rasterize_structure_set(
            structure_set, grid, identity, roi, check_reference=reference_check
        )
    except DataRefused as error:
        # Who gave two paths is told which of them it was, not what the file calls itself.
        raise DataRefused(
            error.what, where=str(rtstruct), why=error.why, next_step=error.next_step
        ) from error
    made = [one for one in rasterized if one.status != REFUSED]
    files = [_mask_name(one) for one in made]
    _require_masks_place(out, (rtstruct, image), files, overwrite=overwrite)
    written = _write_masks(made, grid, out) if made else {}
    _print_rois(rasterized, written, as_json=as_json)
    return 0 if all(one.status == "ok" for one in rasterized) else EXIT_FAILED


def transfer_mask(
    mask: Annotated[Path, typer.Argument(help="Mask or labels, drawn on the moving image.")],
    moving_image: Annotated[Path, typer.Argument(help="Image that the mask was drawn on.")],
    fixed_image: Annotated[Path, typer.Argument(help="Image to carry the mask to.")],
    out: Annotated[Path, typer.Argument(help="The mask on the grid of the fixed image.")],
    transform: Annotated[
        Path | None,
        typer.Option(
            "--transform",
            help="ITK transform: points of the fixed image to points of the moving image. "
            "Without it the images are registered.",
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="rigid or affine, where the images are registered.")
    ] = "rigid",
    nifti_form: NiftiFormOption = "",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> int:
    """Carry one mask from one technique to another, lesion by lesion."""
    from cta_data.formats.nifti.image import read_image, write_image
    from cta_data.formats.reference_image import read_reference_image
    from cta_data.imaging.lesions.mask_transfer import transfer_mask as carry

    _check_output(out)
    require_given_file(mask, "the mask")
    require_given(moving_image, fixed_image)
    if transform is not None:
        require_given_file(transform, "the transform")
    require_file_place(out, (mask, moving_image, fixed_image, transform), overwrite=overwrite)
    choice = form_choice(nifti_form)
    moving, _ = read_reference_image(moving_image, choice=choice)
    fixed, _ = read_reference_image(fixed_image, choice=choice)
    labels = _in_voxel_order_of(moving, read_image(mask, choice))
    used, accepted, reasons = _transform(transform, fixed, moving, kind)
    result = carry(labels, moving, fixed, used)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_image(result.mask, out)
    lesions = [vars(lesion) for lesion in result.per_lesion]
    if as_json:
        print_json({"accepted": accepted, "reasons": reasons, "lesions": lesions})
    else:
        table = Table("lesion", "volume drawn mm³", "volume mm³", "ratio", "notes", box=None)
        for lesion in result.per_lesion:
            notes = lesion.lost_reason or ", ".join(lesion.flags)
            drawn, volume = f"{lesion.volume_drawn_mm3:.1f}", f"{lesion.volume_mm3:.1f}"
            table.add_row(str(lesion.id), drawn, volume, f"{lesion.volume_ratio:.3f}", notes)
        console().print(table)
        for reason in reasons:
            console().print(f"The registration is not accepted: {reason}")
    lost = any(lesion.lost_reason for lesion in result.per_lesion)
    return EXIT_FAILED if lost or not accepted else 0


def _in_voxel_order_of(image: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """Permute and flip a mask's axes into the order of its image: no voxel moves in space."""
    import SimpleITK as sitk

    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return sitk.DICOMOrient(mask, code)


def _transform(
    path: Path | None, fixed: sitk.Image, moving: sitk.Image, kind: str
) -> tuple[sitk.Transform, bool, list[str]]:
    """Return the transform that was given or found, and whether it is accepted."""
    import SimpleITK as sitk

    from cta_data.formats.transforms import read_transform

    if path is not None:
        return read_transform(path), True, []
    if kind not in ("rigid", "affine"):
        raise ConfigurationError(f"unknown kind {kind!r}", next_step="Use rigid or affine")
    from cta_data.formats.voxel_values import usable_values
    from cta_data.imaging.registration.register import RegistrationSettings, register_images

    for image, name in ((fixed, "the fixed image"), (moving, "the moving image")):
        usable_values(sitk.GetArrayViewFromImage(image), where=name)
    # All but the kind as in a study: the same pair gives the same voxels.
    settings = RegistrationSettings(kind=kind)
    result = register_images(fixed, moving, settings, lambda note: error_console().print(note))
    return result.transform, result.accepted, list(result.reasons)


def _write_masks(rois: list[RasterizedRoi], image: sitk.Image, out: Path) -> dict[int, str]:
    """Write one mask of all ROIs, or one a ROI into a folder; return the files by ROI number.

    A region that was refused has no mask: an empty one would say that there is nothing.
    """
    from cta_data.formats.nifti.image import write_image

    if _is_one_mask(out):
        _check_output(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_image(_union(rois, image), out)
        return {one.number: str(out) for one in rois}
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    for one in rois:
        path = out / _mask_name(one)
        write_image(one.mask(image), path)
        written[one.number] = str(path)
    return written


def _union(rois: list[RasterizedRoi], image: sitk.Image) -> sitk.Image:
    """Return one mask of all ROIs on the grid of an image."""
    import numpy as np
    import SimpleITK as sitk

    union = np.zeros(image.GetSize()[::-1], dtype=np.uint8)
    for one in rois:
        own = one.mask(image)  # a view does not keep the image alive that it looks into
        union |= sitk.GetArrayViewFromImage(own)
    mask = sitk.GetImageFromArray(union)
    mask.CopyInformation(image)
    return mask


def _is_one_mask(out: Path) -> bool:
    return out.name.endswith((".nii", ".nii.gz"))


def _mask_name(one: RasterizedRoi) -> str:
    label = re.sub(r"\W+", "_", one.name).strip("_") or "roi"
    return f"{one.number:03d}_{label}.nii.gz"


def _require_masks_place(
    out: Path, inputs: tuple[Path, ...], names: list[str] | tuple[()], *, overwrite: bool
) -> None:
    if _is_one_mask(out):
        require_file_place(out, inputs, overwrite=overwrite)
    else:
        require_folder_place(out, inputs, names, overwrite=overwrite)


def _print_rois(rois: list[RasterizedRoi], written: dict[int, str], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "number": one.number,
                    "name": one.name,
                    "status": one.status,
                    "n_voxels": one.n_voxels,
                    "volume_mm3": one.volume_mm3,
                    "volume_drawn_mm3": one.volume_drawn_mm3,
                    "reference": one.reference.kind,
                    "notes": list(one.notes),
                    "file": written.get(one.number),
                }
                for one in rois
            ]
        )
        return
    table = Table("ROI", "status", "voxels", "volume mm³", "belongs by", "notes", box=None)
    for one in rois:
        voxels, volume = str(one.n_voxels), f"{one.volume_mm3:.1f}"
        notes = "; ".join(one.notes)
        table.add_row(one.name, one.status, voxels, volume, one.reference.kind, notes)
    console().print(table)


def _check_masks_output(out: Path) -> None:
    """Refuse the name of another kind of file, which would else become a folder of that name."""
    if out.suffix and not out.is_dir():
        _check_output(out)


def _check_output(out: Path) -> None:
    if not out.name.endswith(".nii.gz"):
        raise ConfigurationError(
            "the output is a .nii.gz file", where=str(out), next_step="Name it so"
        )


def _check_pattern(pattern: str) -> None:
    from cta_data.patterns import require_pattern

    try:
        require_pattern(pattern)
    except ValueError as error:
        raise ConfigurationError(str(error), where="--roi") from error
