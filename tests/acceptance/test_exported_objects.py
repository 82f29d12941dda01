"""Exported objects of real series: no voxel differs, for us and for programs of others."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.formats.lesion_export import ExportOptions, export_mask, read_placed_series
from cta_data.formats.nifti.geometry import NO_CHOICE
from cta_data.formats.nifti.image import read_image
from cta_data.formats.roi_masks import write_roi_masks

PATIENTS = ("STS_002", "STS_003")
SHAPES = ("hollow_sphere", "torus")
"""Shapes with holes; those without are slower to read than they are telling."""
NEWER = ("CLOSEDPLANAR_XOR", "Information Object Not found", "SegmentNumber not monotonically")
"""What a validator of 2022 does not know yet: contours by exclusive or, and label maps."""


def run(program: str, *words: object) -> str:
    """Run a program of others; skip where it is not installed. Returns all that it printed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([found, *map(str, words)], capture_output=True, text=True)
    return done.stdout + done.stderr


def voxels(path: Path, like: Path) -> np.ndarray:
    """A mask on the grid of another, whatever the order of its voxels."""
    image, target = read_image(path), read_image(like)
    moved = sitk.Resample(
        image, target, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor
    )
    return sitk.GetArrayFromImage(moved) > 0


@pytest.fixture(scope="module")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Published masks, and the series that they were made on."""
    found = []
    for patient in PATIENTS:
        folder = shared_data / f"rt_ibsi_val_{patient}"
        mask = folder / "nifti" / patient / "MR_T1_mask.nii.gz"
        found.append((mask, folder / "dicom" / patient / "MR_T1" / "image"))
    shapes = shared_data / "rt_rtmask_conformance"
    series = tmp_path_factory.mktemp("refct")
    with tarfile.open(shapes / "refct.tar.xz") as packed:
        packed.extractall(series, filter="data")
    [images] = series.iterdir()
    return found + [(shapes / "groundtruth" / f"{name}.nii.gz", images) for name in SHAPES]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("number", range(len(PATIENTS) + len(SHAPES)))
def test_published_masks_come_back(
    cases: list[tuple[Path, Path]], number: int, tmp_path: Path
) -> None:
    """A published mask, as structure set and back by `rasterize`, is itself."""
    mask, series = cases[number]
    out, back = tmp_path / "out.dcm", tmp_path / "back.nii.gz"
    wanted = voxels(mask, mask)
    for holes in ("keyhole", "xor"):
        export_mask(mask, series, out, ExportOptions(holes=holes), overwrite=True)  # type: ignore[arg-type]
        write_roi_masks(
            *(out, series, back, ".*"),
            check_reference=True,
            choice=NO_CHOICE,
            overwrite=True,
            note=pytest.fail,
        )
        assert np.array_equal(voxels(back, mask), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, len(PATIENTS)])
def test_plastimatch_reads_the_same_voxels(
    cases: list[tuple[Path, Path]], number: int, tmp_path: Path
) -> None:
    """Plastimatch fills keyholes as we do; it knows no contours by exclusive or."""
    mask, series = cases[number]
    export_mask(mask, series, tmp_path / "out.dcm", ExportOptions())
    run(
        *("plastimatch", "convert", "--input", tmp_path / "out.dcm", "--referenced-ct", series),
        *("--output-prefix", tmp_path / "masks", "--prefix-format", "nii.gz"),
    )
    [back] = (tmp_path / "masks").iterdir()
    assert np.array_equal(voxels(back, mask), voxels(mask, mask))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_dcmqi_reads_the_same_voxels(
    cases: list[tuple[Path, Path]], kind: str, tmp_path: Path
) -> None:
    """Dcmqi reads segments where they were."""
    mask, series = cases[0]
    export_mask(mask, series, tmp_path / "out.dcm", ExportOptions("seg", segments=kind))  # type: ignore[arg-type]
    run(
        *("segimage2itkimage", "--inputDICOM", tmp_path / "out.dcm", "-t", "nifti"),
        *("--outputDirectory", tmp_path),
    )
    assert np.array_equal(voxels(tmp_path / "1.nii.gz", mask), voxels(mask, mask))


@pytest.mark.parametrize(
    "options",
    [
        ExportOptions(),
        ExportOptions(holes="xor"),
        ExportOptions("seg"),
        ExportOptions("seg", segments="labelmap"),
        ExportOptions(allow_empty=True),
    ],
)
def test_the_validator_finds_no_error(
    cases: list[tuple[Path, Path]], options: ExportOptions, tmp_path: Path
) -> None:
    """Dciodvfy finds no error, but what is newer than it is."""
    mask, series = cases[0]
    if options.allow_empty:
        empty = read_image(mask) * 0
        mask = tmp_path / "empty.nii.gz"
        sitk.WriteImage(empty, str(mask))
    export_mask(mask, series, tmp_path / "out.dcm", options)
    found = run("dciodvfy", tmp_path / "out.dcm").splitlines()
    errors = [line for line in found if line.startswith("Error")]
    assert [line for line in errors if not any(newer in line for newer in NEWER)] == []


def test_a_series_of_a_scanner_with_many_frames(shared_data: Path, tmp_path: Path) -> None:
    """An enhanced object of a scanner is a series that lesions can be exported for."""
    packed = shared_data / "mr_siemens_xa30_enhanced_t1" / "In.tar.xz"
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    files = [path for path in sorted(tmp_path.rglob("*")) if path.suffix in (".dcm", ".IMA", "")]
    series = next(path for path in files if path.is_file())
    grid = read_placed_series(series).grid
    labels = np.zeros(grid.size[::-1], np.uint8)
    middle = tuple(n // 2 for n in labels.shape)
    labels[middle] = labels[middle[0] + 1, middle[1], middle[2]] = 1
    sitk.WriteImage(grid.image(labels), str(tmp_path / "mask.nii.gz"))
    for kind in ("rtstruct", "seg"):
        made = export_mask(
            tmp_path / "mask.nii.gz", series, tmp_path / f"{kind}.dcm", ExportOptions(kind)
        )
        assert (made.n_lesions, made.n_voxels) == (1, 2)
