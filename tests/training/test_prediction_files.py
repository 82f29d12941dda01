"""What is written of a predicted case, by known answers on tilted and turned grids."""

from __future__ import annotations

import csv
from pathlib import Path

import cc3d
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from cta_data.training.nnunet import prediction_files
from cta_data.training.nnunet.prediction_files import (
    COLUMNS,
    LESIONS,
    predicted_lesions,
    write_lesion_table,
    write_prediction,
)

SPACING = (0.8, 1.0, 2.0)
ORIGIN = (-31.5, 12.25, 70.0)
SIZE = (30, 24, 20)
LARGE = (slice(4, 7), slice(10, 14), slice(20, 24))
"""48 voxels (z, y, x), in the middle of 5, 11.5 and 21.5."""
SMALL = (slice(12, 14), slice(3, 5), slice(6, 8))
"""8 voxels, in the middle of 12.5, 3.5 and 6.5."""
GRIDS = {
    "straight": np.eye(3),
    "turned": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "flipped": np.diag([-1.0, 1, -1]),
    "tilted": Rotation.from_euler("zyx", [30, -17, 8], degrees=True).as_matrix(),
}


def grid_image(direction: np.ndarray, seed: int = 0) -> sitk.Image:
    """Return a noisy image on a grid."""
    values = np.random.default_rng(seed).normal(100, 5, SIZE[::-1]).astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(direction.ravel().tolist())
    return image


def two_lesions() -> np.ndarray:
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[SMALL] = 1
    mask[LARGE] = 1
    return mask


def ras_of(direction: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    """Return where a place of the grid lies, by the definition of ITK's geometry."""
    lps = np.array(ORIGIN) + direction @ (np.array(SPACING) * [x, y, z])
    return lps * [-1, -1, 1]


def read_table(folder: Path) -> list[dict[str, str]]:
    with open(folder / LESIONS, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_case(
    folder: Path,
    name: str,
    image: sitk.Image,
    mask: np.ndarray,
    probability: np.ndarray | None = None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"source_{name}.nii.gz"
    sitk.WriteImage(image, str(source))
    write_prediction(name, source, mask, folder / "out", probability)


@pytest.mark.parametrize("name", GRIDS)
def test_two_lesions_are_measured_where_they_are(tmp_path: Path, name: str) -> None:
    """Volumes, centroids and diameters are those of the boxes, on any grid; the larger is first."""
    direction = GRIDS[name]
    write_case(tmp_path, "case", grid_image(direction), two_lesions())
    assert write_lesion_table(tmp_path / "out", ["case"]) == 2
    large, small = read_table(tmp_path / "out")
    assert tuple(large) == COLUMNS
    known = (
        (large, "1", 48, (21.5, 11.5, 5), (4, 4, 3)),
        (small, "2", 8, (6.5, 3.5, 12.5), (2,) * 3),
    )
    for row, number, voxels, centre, box in known:
        assert (row["case"], row["lesion_id"], int(row["n_voxels"])) == ("case", number, voxels)
        assert float(row["volume_mm3"]) == pytest.approx(voxels * 1.6, rel=1e-5)
        assert float(row["volume_cm3"]) == pytest.approx(voxels * 1.6e-3, rel=1e-5)
        diameter = np.linalg.norm(np.array(box) * SPACING)
        assert float(row["max_diameter_mm"]) == pytest.approx(diameter, rel=1e-5)
        found = [float(row[f"centroid_{axis}_ras_mm"]) for axis in "xyz"]
        assert found == pytest.approx(ras_of(direction, *centre), abs=2e-3)
        assert row["largest_probability"] == "n/a"


@pytest.mark.parametrize("name", GRIDS)
def test_masks_lie_on_the_grid_of_the_image(tmp_path: Path, name: str) -> None:
    """Mask, instances and probability have the image's geometry and the voxels they should."""
    image, mask = grid_image(GRIDS[name]), two_lesions()
    probability = np.where(mask, 0.75, 0.125).astype(np.float32)
    probability[LARGE][1, 1, 1] = 0.96875
    write_case(tmp_path, "case", image, mask, probability)
    out = tmp_path / "out"
    paths = ("case.nii.gz", "instances/case_dseg.nii.gz", "probabilities/case.nii.gz")
    written, instances, kept = (sitk.ReadImage(str(out / path)) for path in paths)
    source = sitk.ReadImage(str(tmp_path / "source_case.nii.gz"))
    for one in (written, instances, kept):
        assert one.GetSize() == source.GetSize()
        for what in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(one, what)() == pytest.approx(getattr(source, what)(), abs=1e-5)
    assert written.GetPixelID() == sitk.sitkUInt8
    assert (sitk.GetArrayFromImage(written) == mask).all()
    expected = np.zeros_like(mask)
    expected[LARGE], expected[SMALL] = 1, 2
    assert (sitk.GetArrayFromImage(instances) == expected).all()
    assert (sitk.GetArrayFromImage(kept) == probability).all()
    write_lesion_table(out, ["case"])
    assert [row["largest_probability"] for row in read_table(out)] == ["0.96875", "0.75"]


def test_contrast_is_that_of_the_image(tmp_path: Path) -> None:
    """A lesion 40 above its surroundings of 5 noise stands out by 8; without noise, n/a."""
    mask = two_lesions()
    for name, noise in (("noisy", 1.0), ("flat", 0.0)):
        image = grid_image(GRIDS["tilted"])
        values = 100 + noise * (sitk.GetArrayFromImage(image) - 100) + 40 * mask
        bright = sitk.GetImageFromArray(values.astype(np.float32))
        bright.CopyInformation(image)
        write_case(tmp_path, name, bright, mask)
    write_lesion_table(tmp_path / "out", ["noisy", "flat"])
    rows = read_table(tmp_path / "out")
    assert float(rows[0]["cnr"]) == pytest.approx(8, rel=0.25)
    assert {row["cnr"] for row in rows if row["case"] == "flat"} == {"n/a"}


def test_the_table_has_all_cases_in_the_order_asked_for(tmp_path: Path) -> None:
    """Rows come by case, then by size; parts of the table do not stay beside it."""
    image = grid_image(GRIDS["straight"])
    for name in ("b", "a"):
        write_case(tmp_path, name, image, two_lesions())
    assert write_lesion_table(tmp_path / "out", ["b", "missing", "a"]) == 4
    rows = [(row["case"], row["lesion_id"]) for row in read_table(tmp_path / "out")]
    assert rows == [("b", "1"), ("b", "2"), ("a", "1"), ("a", "2")]
    assert not list((tmp_path / "out").rglob("*.json"))


def test_a_case_without_lesions_is_written_whole(tmp_path: Path) -> None:
    """An empty mask is a result: an empty mask, no row, and a picture."""
    image = grid_image(GRIDS["tilted"])
    write_case(tmp_path, "case", image, np.zeros(SIZE[::-1], np.uint8))
    out = tmp_path / "out"
    assert write_lesion_table(out, ["case"]) == 0
    assert (out / LESIONS).read_text("utf-8") == "\t".join(COLUMNS) + "\n"
    for path in ("case.nii.gz", "instances/case_dseg.nii.gz"):
        assert not sitk.GetArrayFromImage(sitk.ReadImage(str(out / path))).any()
    with Image.open(out / "previews" / "case.png") as picture:
        picture.load()
        assert min(picture.size) > 100


def pixels(folder: Path, name: str) -> np.ndarray:
    with Image.open(folder / "out" / "previews" / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def orange(folder: Path, name: str) -> int:
    """Return how many pixels of a preview are of an outline's colour."""
    red, green, blue = np.moveaxis(pixels(folder, name), -1, 0)
    return int(((red - blue > 120) & (red > green)).sum())


@pytest.mark.parametrize("name", GRIDS)
def test_the_preview_outlines_the_lesions(tmp_path: Path, name: str) -> None:
    """A lesion far from the middle is cut and outlined, however the grid lies in the patient."""
    image = grid_image(GRIDS[name])
    for case, box in (("none", None), ("large", LARGE), ("small", SMALL)):
        mask = np.zeros(SIZE[::-1], np.uint8)
        if box:
            mask[box] = 1
        write_case(tmp_path, case, image, mask)
    assert orange(tmp_path, "none") == 0
    assert orange(tmp_path, "small") > 20
    assert orange(tmp_path, "large") > 20


def test_a_preview_shows_no_more_lesions_than_fit(tmp_path: Path) -> None:
    """Ten lesions need a larger picture than two; thirty need none larger than ten."""
    image = grid_image(GRIDS["tilted"])
    sizes = []
    for case, spots in (("two", 2), ("ten", 10), ("thirty", 30)):
        mask = np.zeros(SIZE[::-1], np.uint8)
        for number in range(spots):
            mask[2 * (number % 10), 2 + 6 * (number // 10), number % 10] = 1
        write_case(tmp_path, case, image, mask)
        sizes.append(pixels(tmp_path, case).size)
    assert sizes[0] < sizes[1] == sizes[2]


def test_the_same_case_makes_the_same_files(tmp_path: Path) -> None:
    """Written twice, every file is equal byte for byte: clocks are in none."""
    image = grid_image(GRIDS["tilted"])
    for folder in ("first", "second"):
        write_case(tmp_path / folder, "case", image, two_lesions())
    names = {p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.*")}
    assert len(names) >= 5
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_voxels_that_touch_at_a_corner_are_one_lesion() -> None:
    """Lesions are 26-connected, as the article has them."""
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[1, 1, 1] = mask[2, 2, 2] = 1
    mask[4, 4, 2] = 1
    image = sitk.GetImageFromArray(np.zeros((6, 6, 6), np.float32))
    assert [row["n_voxels"] for row in predicted_lesions("c", image, mask).rows] == [2, 1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.0, 0.4))
def test_lesions_are_the_components_by_falling_size(seed: int, density: float) -> None:
    """Any mask: every voxel of it is in one lesion, and lesions are cc3d's components by size."""
    generator = np.random.default_rng(seed)
    mask = (generator.random((7, 8, 9)) < density).astype(np.uint8)
    image = sitk.GetImageFromArray(generator.random(mask.shape).astype(np.float32))
    found = predicted_lesions("case", image, mask)
    assert ((found.labels > 0) == (mask > 0)).all()
    sizes = [row["n_voxels"] for row in found.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert [row["lesion_id"] for row in found.rows] == list(range(1, len(sizes) + 1))
    other, count = cc3d.connected_components(mask, connectivity=26, return_N=True)
    assert len(sizes) == count
    pairs = {(int(a), int(b)) for a, b in zip(found.labels.ravel(), other.ravel(), strict=True)}
    assert len(pairs - {(0, 0)}) == count
    assert sizes == [int((found.labels == number).sum()) for number in range(1, count + 1)]


def test_more_lesions_than_16_bits_keep_their_own_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that has learnt nothing predicts dust: no two grains of it share a number."""
    monkeypatch.setattr(prediction_files, "measure_lesions", lambda labels, image: ())
    mask = np.zeros((82, 82, 82), np.uint8)
    mask[::2, ::2, ::2] = 1
    image = sitk.GetImageFromArray(mask)
    found = predicted_lesions("case", image, mask)
    assert len(np.unique(found.labels)) == 41**3 + 1
