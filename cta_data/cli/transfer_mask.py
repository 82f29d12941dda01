"""The command `transfer-mask`: one mask from one technique to another, no study needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import NiftiFormOption, Output, form_choice, require_suffix
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.terminal.output import print_errors, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.formats.mask_file_transfer import MaskFileTransfer


def transfer_mask(
    mask: Annotated[Path, Argument(help="Mask or labels, delineated on the moving image.")],
    moving_image: Annotated[Path, Argument(help="Image on which the mask was delineated.")],
    fixed_image: Annotated[Path, Argument(help="Image to carry the mask to.")],
    out: Annotated[Path, Argument(help="The mask on the grid of the fixed image.")],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    transform: Annotated[
        Path | None,
        Option(
            "--transform",
            help="ITK transform: points of the fixed image to points of the moving image. "
            "Without it the images are registered.",
        ),
    ] = None,
    kind: Annotated[
        str, Option("--kind", help="rigid or affine, where the images are registered.")
    ] = "rigid",
    nifti_form: NiftiFormOption = "",
) -> int:
    """Transfer a mask to another technique, lesion by lesion."""
    from cta_data.formats.mask_file_transfer import transfer_mask_file

    require_suffix(out, [".nii.gz"])
    done = transfer_mask_file(
        mask,
        moving_image,
        fixed_image,
        out,
        transform=transform,
        kind=kind,
        choice=form_choice(nifti_form),
        overwrite=output.overwrite,
        note=print_errors,
    )
    output.show(lambda: _content(done), _lines(done))
    lost = any(lesion.lost_reason for lesion in done.lesions)
    return EXIT_FAILED if lost or not done.accepted else EXIT_OK


def _content(done: MaskFileTransfer) -> dict[str, object]:
    lesions = [vars(lesion) for lesion in done.lesions]
    return {
        "accepted": done.accepted,
        "reasons": [str(reason) for reason in done.reasons],
        "reason_codes": [reason.code for reason in done.reasons],
        "lesions": lesions,
    }


def _lines(done: MaskFileTransfer) -> Iterator[str | Table]:
    rows = []
    for lesion in done.lesions:
        notes = lesion.lost_reason or ", ".join(lesion.flags)
        volumes = (f"{lesion.volume_drawn_mm3:.1f}", f"{lesion.volume_mm3:.1f}")
        rows.append([str(lesion.id), *volumes, f"{lesion.volume_ratio:.3f}", notes])
    yield table_of("lesion", "volume drawn mm³", "volume mm³", "ratio", "notes", rows=rows)
    yield from (f"The registration is not accepted: {reason}" for reason in done.reasons)
