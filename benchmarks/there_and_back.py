"""Real masks and structure sets carried to another grid and back: Dice and volume per structure.

Run ``python benchmarks/there_and_back.py FOLDER`` (or set CTA_SHARED_DATA), where FOLDER holds the
real data that the tests use. Nothing is registered: MR of multiple sclerosis goes by its
publishers' transforms from the common space to each visit's FLAIR and T1W, structure sets go to a
turned grid of another voxel size. What is not there is left out and said so.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.nifti.image import read_image
from cta_data.formats.reference_image import read_reference_image
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion, lesions_from_contours
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_from_mask
from cta_data.imaging.lesions.transfer_checks import TransferCheck, check_transfer
from cta_data.imaging.lesions.transfer_limits import TransferLimits

# From Python 3.11.4 on.
SAFELY: dict = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
STRUCTURE_SETS = {
    "STS_002 MR": "rt_ibsi_val_STS_002/dicom/STS_002/MR_T1",
    "STS_002 CT": "rt_ibsi_val_STS_002/dicom/STS_002/CT",
    "STS_003 MR": "rt_ibsi_val_STS_003/dicom/STS_003/MR_T1",
    "STS_003 CT": "rt_ibsi_val_STS_003/dicom/STS_003/CT",
}
TURN_RADIANS = (0.12, -0.09, 0.16)


def carried(
    lesions: Sequence[DrawnLesion], transform: sitk.Transform, target: Grid, drawn_on: Grid
) -> tuple[TransferCheck, ...]:
    """Carry lesions to a grid, and measure them there and back."""
    result = transfer_lesions(lesions, transform, target)
    return check_transfer(lesions, result, transform, drawn_on, TransferLimits())


def turned_grid(grid: Grid) -> tuple[Grid, sitk.Transform]:
    """The same field of view on voxels of 1.1 times the size, turned by some 13 degrees."""
    turn = sitk.Euler3DTransform()
    middle = grid.to_point((np.array(grid.size)[None] - 1) / 2)[0]
    turn.SetCenter(middle.tolist())
    turn.SetRotation(*TURN_RADIANS)
    spacing = np.full(3, 1.1 * float(np.prod(grid.spacing)) ** (1 / 3))
    extent = np.array(grid.size) * grid.spacing * 1.4
    size = np.ceil(extent / spacing).astype(int)
    low = middle - grid.direction @ (spacing * (size - 1) / 2)
    x, y, z = size.tolist()
    return Grid((x, y, z), spacing, low, grid.direction), turn


def multiple_sclerosis(folder: Path) -> None:
    """The mask of changes in the common space, to both visits' FLAIR and T1W."""
    mask = read_image(folder / "gt.nii.gz")
    lesions = lesions_from_mask(mask)
    for visit in (1, 2):
        to_flair = sitk.ReadTransform(str(folder / f"study{visit}_FLAIR_to_common_space.txt"))
        to_t1 = sitk.ReadTransform(str(folder / f"study{visit}_T1W_intrastudy_to_FLAIR.txt"))
        # The files map points of the common space to FLAIR, and points of FLAIR to T1W.
        to_common = to_flair.GetInverse()
        both = sitk.CompositeTransform([to_common, to_t1.GetInverse()])
        for technique, transform in (("FLAIR", to_common), ("T1W", both)):
            target = Grid.of(read_image(folder / f"study{visit}_{technique}.nii.gz"))
            start = time.process_time()
            checks = carried(lesions, transform, target, Grid.of(mask))
            spent = time.process_time() - start
            summary(f"openms p12 visit {visit} {technique}", checks, spent)


def summary(name: str, checks: Sequence[TransferCheck], seconds: float) -> None:
    """One line for many lesions."""
    dice = [c.dice_there_and_back for c in checks if c.dice_there_and_back is not None]
    ratio = [c.volume_ratio for c in checks]
    low, middle, high = np.percentile(ratio, [5, 50, 95])
    lost = sum(c.volume_ratio == 0 for c in checks)
    print(
        f"{name:<28} {len(checks)} lesions, {lost} lost; Dice median {np.median(dice):.3f}, "
        f"least {min(dice):.3f}; volume ratio {middle:.3f} ({low:.3f} to {high:.3f}); "
        f"{seconds:.1f} s CPU"
    )


def structures(name: str, rtstruct: Path, image: Path) -> None:
    """Every region of a structure set, each as a whole."""
    structure_set = read_structure_set(rtstruct)
    reference, _ = read_reference_image(image, structure_set.referenced_series_uids)
    grid = Grid.of(reference)
    target, turn = turned_grid(grid)
    for roi in structure_set.rois:
        if roi.unreadable or not roi.closed_contours:
            continue
        drawn = lesions_from_contours([roi], spacing_mm=grid.spacing.tolist())
        checks = carried(drawn.lesions, turn, target, grid)
        for check in checks:
            part = f" part {check.lesion_id}" if len(checks) > 1 else ""
            dice = check.dice_there_and_back
            print(
                f"{name + ' ' + roi.name + part:<44} Dice {dice:.4f}  volume ratio "
                f"{check.volume_ratio:.4f}  shift {check.centroid_shift_mm:.3f} mm  surface "
                f"{check.surface_distance_mm:.2f} mm"
            )


def main() -> None:
    """Print a line a structure, or a line a grid where there are many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("CTA_SHARED_DATA"))
    root = parser.parse_args().folder
    if root is None or not Path(root).is_dir():
        print("skipped: there is no real data here (CTA_SHARED_DATA)")
        return
    root = Path(root)
    if (root / "nii_openms_p12").is_dir():
        multiple_sclerosis(root / "nii_openms_p12/raw/patient12")
    for name, path in STRUCTURE_SETS.items():
        if (root / path).is_dir():
            [rtstruct] = (root / path / "mask").iterdir()
            structures(name, rtstruct, root / path / "image")
    if (root / "rt_rtutils_sample_phantom").is_dir():
        folder = root / "rt_rtutils_sample_phantom"
        structures("phantom CT", folder / "rt.dcm", folder)
    if (root / "rt_rtmask_conformance").is_dir():
        folder = root / "rt_rtmask_conformance"
        with tempfile.TemporaryDirectory() as scratch:
            with tarfile.open(folder / "refct.tar.xz") as packed:
                packed.extractall(scratch, **SAFELY)
            structures("shapes", folder / "rtstruct/primitives_planar.dcm", Path(scratch) / "refct")


if __name__ == "__main__":
    main()
