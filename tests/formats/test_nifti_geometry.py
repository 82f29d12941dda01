"""Where a NIfTI header puts its voxels: forms, pixdim and unit that agree, or a refusal."""

from __future__ import annotations

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from scipy.spatial.transform import Rotation

from cta_data.errors import DataRefused
from cta_data.formats.nifti.copy import place_nifti
from cta_data.formats.nifti.geometry import FormChoice, grid_of_itk
from cta_data.formats.nifti.image import read_grid, read_image
from cta_data.formats.reference_image import read_reference_image
from cta_data.imaging.geometry.grid import distance_of_grids_mm, same_grid
from cta_data.scoring.mask_files import read_mask

SIZE = (12, 10, 8)
VOXELS = np.ones(SIZE, np.uint8)
VOXELS[0, 0, 0] = 0
TRUE = np.array([[-1.3, 0, 0, 20], [0, -1.3, 0, 30], [0, 0, 5.0, -10], [0, 0, 0, 1]])
QFORM_CODE, BITPIX, PIXDIM, SFORM = 252, 72, 80, 280


def written(
    path: Path,
    *,
    qform: np.ndarray | None = None,
    sform: np.ndarray | None = None,
    pixdim: tuple[float, ...] | None = None,
    unit: int = 2,
) -> Path:
    """A file with a header made by hand: a form that is not given has code 0."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(SIZE)
    header.set_qform(qform, 1 if qform is not None else 0)
    header.set_sform(sform, 1 if sform is not None else 0)
    if pixdim is not None:
        header["pixdim"][1:4] = pixdim
    header["xyzt_units"], header["vox_offset"], header["magic"] = unit, 352, b"n+1"
    path.write_bytes(header.binaryblock + bytes(4) + VOXELS.tobytes(order="F"))
    return path


READERS = {
    "convert": lambda path: place_nifti(path, path.with_name("placed.nii.gz")),
    "image": read_image,
    "grid": read_grid,
    "score": read_mask,
    "rasterize": read_reference_image,
}


@pytest.mark.parametrize("reader", list(READERS))
def test_two_forms_that_contradict_each_other_are_refused(tmp_path: Path, reader: str) -> None:
    """1.3 × 1.3 × 5 mm in the qform and the identity as sform: both are spelled out."""
    path = written(tmp_path / "x.nii", qform=TRUE, sform=np.eye(4))
    with pytest.raises(DataRefused, check=has_reason("nifti_forms_contradict")) as refused:
        READERS[reader](path)
    assert "sform: 1 × 1 × 1 mm" in refused.value.why
    assert "qform: 1.3 × 1.3 × 5 mm" in refused.value.why


@pytest.mark.parametrize(("form", "spacing"), [("qform", (1.3, 1.3, 5)), ("sform", (1, 1, 1))])
def test_who_says_which_is_right_gets_it_everywhere(
    tmp_path: Path, form: str, spacing: tuple[float, ...]
) -> None:
    """The form that was chosen counts, and the copy says nothing else to any reader."""
    source = written(tmp_path / "x.nii", qform=TRUE, sform=np.eye(4))
    choice = FormChoice(form)  # type: ignore[arg-type]
    assert read_image(source, choice).GetSpacing() == pytest.approx(spacing)
    assert read_mask(source, None, choice).grid.spacing == pytest.approx(spacing)
    target = tmp_path / "placed.nii.gz"
    placed = place_nifti(source, target, choice)
    assert any(form in note for note in placed.notes)
    assert same_grid(placed.grid, read_image(target))
    assert same_grid(placed.grid, grid_of_itk(target))
    header = nib.load(target).header
    assert header.get_zooms() == pytest.approx(spacing)
    assert np.allclose(header.get_sform(), header.get_qform(), atol=1e-5)


@pytest.mark.parametrize("reader", list(READERS))
@pytest.mark.parametrize("pixdim", [(4.0, 2.0, 2.0), (1.0, 1.0, 1.0)])
def test_a_pixdim_against_the_sform_is_refused(
    tmp_path: Path, reader: str, pixdim: tuple[float, ...]
) -> None:
    """ITK takes the spacing from pixdim, nibabel from the sform: they must not see two images."""
    path = written(tmp_path / "x.nii", sform=np.diag([2.0, 2, 2, 1]), pixdim=pixdim)
    with pytest.raises(DataRefused, check=has_reason("nifti_forms_contradict")) as refused:
        READERS[reader](path)
    assert "sform: 2 × 2 × 2 mm" in refused.value.why
    assert "pixdim: " + " × ".join(f"{v:g}" for v in pixdim) in refused.value.why


def test_the_sform_may_be_said_to_be_right_against_pixdim(tmp_path: Path) -> None:
    """Then the copy's pixdim is the sform's, so that nnU-Net's reader sees 2 × 2 × 2 mm."""
    source = written(tmp_path / "x.nii", sform=np.diag([2.0, 2, 2, 1]), pixdim=(4.0, 2.0, 2.0))
    assert grid_of_itk(source).spacing == pytest.approx((4, 2, 2))
    place_nifti(source, tmp_path / "placed.nii.gz", FormChoice("sform"))
    assert grid_of_itk(tmp_path / "placed.nii.gz").spacing == pytest.approx((2, 2, 2))
    with pytest.raises(
        DataRefused,
        check=has_reason(
            "nifti_forms_contradict", chosen="the qform, which is to count, places no volume; "
        ),
    ):
        read_image(source, FormChoice("qform"))


@pytest.mark.parametrize(("unit", "length"), [(1, 1e-3), (3, 1e3), (0, 1.0), (2, 1.0)])
def test_every_unit_gives_true_lengths(tmp_path: Path, unit: int, length: float) -> None:
    """Metres and micrometres become mm for every reader, and in the copy's header."""
    affine = TRUE.copy()
    affine[:3] *= length
    source = written(tmp_path / "x.nii", qform=affine, sform=affine, unit=unit)
    target = tmp_path / "placed.nii.gz"
    grids = [
        read_image(source),
        read_grid(source),
        read_mask(source).grid,
        place_nifti(source, target).grid,
        read_image(target),
        grid_of_itk(target),
    ]
    truth = read_image(written(tmp_path / "mm.nii", qform=TRUE, sform=TRUE))
    assert truth.GetSpacing() == pytest.approx((1.3, 1.3, 5))
    assert all(grid.GetSpacing() == pytest.approx((1.3, 1.3, 5)) for grid in grids)
    if length != 1:
        assert nib.load(target).header.get_xyzt_units()[0] == "mm"
        assert np.allclose(nib.load(target).affine, TRUE, atol=1e-4)


@pytest.mark.parametrize(
    ("unit", "code"), [(5, "nifti_unit_unknown"), (1, "voxel_spacing_implausible")]
)
def test_a_unit_that_cannot_be_is_refused(tmp_path: Path, unit: int, code: str) -> None:
    """No such unit, or voxels of more than a metre."""
    path = written(tmp_path / "x.nii", qform=TRUE, sform=TRUE, unit=unit)
    for read in READERS.values():
        with pytest.raises(DataRefused, check=has_reason(code)):
            read(path)


@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0, np.pi - 1e-3, np.pi - 1e-5, np.pi])
def test_the_rounding_of_a_quaternion_is_no_contradiction(tmp_path: Path, angle: float) -> None:
    """Any rotation that nibabel stores in both forms is read, and the copies agree."""
    for seed in range(20):
        axis = np.random.default_rng(seed).normal(size=3)
        affine = np.eye(4)
        affine[:3, :3] = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
        affine[:3, :3] *= 25  # the image is as long as a head
        source = written(tmp_path / "x.nii", qform=affine, sform=affine)
        target = tmp_path / "placed.nii.gz"
        assert same_grid(place_nifti(source, target).grid, read_image(source))
        assert distance_of_grids_mm(read_image(target), sitk.ReadImage(str(target))) <= 0.5


@pytest.mark.parametrize("shear", [2e-5, 5e-4])
def test_a_sform_that_itk_does_not_read_is_written_anew(tmp_path: Path, shear: float) -> None:
    """Cosines that were rounded become a rotation in the copy, which every reader takes."""
    affine = TRUE.copy()
    affine[0, 1] += shear
    source = written(tmp_path / "x.nii", sform=affine, pixdim=(1.3, 1.3, 5))
    placed = place_nifti(source, tmp_path / "placed.nii.gz")
    assert same_grid(placed.grid, grid_of_itk(tmp_path / "placed.nii.gz"))


@pytest.mark.parametrize("reader", list(READERS))
@pytest.mark.parametrize("bits", [0, 16, 32])
def test_datatype_against_bitpix_is_refused(tmp_path: Path, reader: str, bits: int) -> None:
    """One says a byte a voxel and the other says more: nothing tells what the voxels are."""
    path = written(tmp_path / "x.nii", sform=np.eye(4), qform=np.eye(4))
    content = bytearray(path.read_bytes())
    struct.pack_into("<h", content, BITPIX, bits)
    path.write_bytes(content)
    with pytest.raises(DataRefused, check=has_reason("nifti_datatype_inconsistent")) as refused:
        READERS[reader](path)
    assert f"bitpix says {bits}" in refused.value.why


@pytest.mark.parametrize("lengths", [(1e30, 1, 1), (1, 1e-9, 1), (1, 1, 1000)])
def test_lengths_that_no_image_has_are_refused(tmp_path: Path, lengths: tuple[float, ...]) -> None:
    """What was found is named."""
    affine = np.diag([*lengths, 1.0])
    path = written(tmp_path / "x.nii", sform=affine, pixdim=lengths)
    with pytest.raises(DataRefused):
        read_image(path)
