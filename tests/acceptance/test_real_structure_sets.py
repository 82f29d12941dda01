"""Real structure sets through the command line: known masks, thresholds of others, refusals."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from helpers.archives import extract_all
from helpers.command_line import CARD, Cta
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from cta_data.study.study import Study

RULES = """
[[series]]
technique = "LIMBT1"
where = { Modality = "^MR$" }

[annotations]
[[annotations.rois]]
pattern = "^GTV_Mass"
lesion = true

[[annotations.drawn_on]]
technique = "LIMBT1"
where = { Modality = "RTSTRUCT" }

[groups.HAQ]
drawn_on = "LIMBT1"
"""


def of_limb(study: Path) -> str:
    """Return a new study's configuration with the one technique of a limb."""
    toml = (study / "study.toml").read_text("utf-8")
    return toml.replace(
        "[registration]", '[transfer]\ngrids = ["LIMBT1"]\n\n[registration]\nhub = "LIMBT1"'
    )


SHAPES = ("sphere", "cube", "cylinder", "ellipsoid", "torus", "hollow_sphere", "straw")


def voxels(path: Path) -> NDArray[np.bool_]:
    """A mask with axes in LPS order."""
    return np.asarray(
        sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")) > 0
    )


@pytest.mark.parametrize("subject", ["STS_002", "STS_003"])
@pytest.mark.parametrize("reference", ["dicom", "nifti"])
@pytest.mark.parametrize("modality", ["MR_T1", "CT"])
def test_published_masks(
    cta: Cta, shared_data: Path, tmp_path: Path, subject: str, reference: str, modality: str
) -> None:
    """No voxel differs, on the DICOM series and on the NIfTI image alike."""
    root = shared_data / f"rt_ibsi_val_{subject}"
    folder = root / "dicom" / subject / modality
    (structure_set,) = (folder / "mask").iterdir()
    published = root / "nifti" / subject
    image = folder / "image" if reference == "dicom" else published / f"{modality}_image.nii.gz"
    if not image.exists():
        image = published / f"{modality}_mask.nii.gz"
    out = tmp_path / "mask.nii.gz"
    outcome = cta("rasterize", structure_set, image, out, "--roi", "GTV")
    assert outcome.code == 0, outcome.text
    ours, theirs = voxels(out), voxels(published / f"{modality}_mask.nii.gz")
    assert theirs.sum() > 10_000
    assert np.count_nonzero(ours != theirs) == 0


@pytest.fixture(scope="module")
def shapes(cta: Cta, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of the analytic shapes, made from the structure set and the DICOM series."""
    folder = tmp_path_factory.mktemp("shapes")
    root = shared_data / "rt_rtmask_conformance"
    with tarfile.open(root / "refct.tar.xz") as packed:
        extract_all(packed, folder)
    contours = root / "rtstruct" / "primitives_planar.dcm"
    outcome = cta("rasterize", contours, folder / "refct", folder / "masks", "--json")
    assert outcome.code == 0, outcome.text
    assert {row["name"] for row in json.loads(outcome.out)} == set(SHAPES)
    return folder / "masks"


def distances(mask: NDArray[np.bool_], surface: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distances (voxels of 1 mm) from the surface of one mask to that of another."""
    return np.asarray(distance_transform_edt(~surface)[mask & ~binary_erosion(mask)])


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_conformance_thresholds(shared_data: Path, shapes: Path, name: str) -> None:
    """Dice, surface Dice, distances and volume are within the thresholds of the set's makers."""
    root = shared_data / "rt_rtmask_conformance"
    limits = yaml.safe_load((root / "default_thresholds.yaml").read_text("utf-8"))
    limit = limits["defaults"] | limits["primitives"].get(name, {})
    (path,) = shapes.glob(f"???_{name}.nii.gz")
    ours, theirs = voxels(path), voxels(root / "groundtruth" / f"{name}.nii.gz")
    assert ours.shape == theirs.shape
    found = np.nonzero(ours | theirs)
    box = tuple(slice(axis.min() - 3, axis.max() + 4) for axis in found)
    ours, theirs = ours[box], theirs[box]
    there = distances(ours, theirs & ~binary_erosion(theirs))
    back = distances(theirs, ours & ~binary_erosion(ours))
    both = np.concatenate([there, back])
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) >= limit["dice"]
    assert np.mean(both <= 1.0) >= limit["surface_dice_1mm"]
    assert max(np.percentile(there, 95), np.percentile(back, 95)) <= limit["hd95_mm"]
    assert (there.mean() + back.mean()) / 2 <= limit["msd_mm"]
    assert abs(ours.sum() / theirs.sum() - 1) <= limit["volume_rel_err"]


def test_one_mask_of_a_large_image_on_its_own_grid(
    cta: Cta, shared_data: Path, tmp_path: Path
) -> None:
    """One file for the chosen ROI, voxel for voxel on the grid of the NIfTI image."""
    root = shared_data / "rt_rtmask_conformance"
    truth = root / "groundtruth" / "cube.nii.gz"
    out = tmp_path / "cube.nii.gz"
    contours = root / "rtstruct" / "primitives_planar.dcm"
    assert cta("rasterize", contours, truth, out, "--roi", "^cube$").code == 0
    ours, theirs = sitk.ReadImage(str(out)), sitk.ReadImage(str(truth))
    assert np.allclose(ours.GetOrigin(), theirs.GetOrigin(), atol=1e-4)
    assert np.allclose(ours.GetDirection(), theirs.GetDirection(), atol=1e-6)
    assert np.array_equal(sitk.GetArrayFromImage(ours) > 0, sitk.GetArrayFromImage(theirs) > 0)


@pytest.mark.parametrize("name", ["invalid_reference_rt", "non_existent_reference_rt"])
def test_wrong_references_are_refused(
    cta: Cta, shared_data: Path, tmp_path: Path, name: str
) -> None:
    """Exit code 3, the file is named, and nothing is written."""
    folder = shared_data / "rt_rtutils_mock" / "tests" / "mock_data"
    out = tmp_path / "masks"
    outcome = cta("rasterize", folder / f"{name}.dcm", folder, out)
    assert outcome.code == 3
    assert f"{name}.dcm: the image lacks slices" in outcome.text
    assert "1 of 3 referenced slices" in outcome.text
    assert not out.exists()


def test_another_patient_s_image_is_refused(cta: Cta, shared_data: Path, tmp_path: Path) -> None:
    """Contours of one image are never put on another without being told to."""
    tests = shared_data / "rt_rtutils_mock" / "tests"
    outcome = cta("rasterize", tests / "mock_data" / "rt.dcm", tests / "oriented_data", tmp_path)
    assert outcome.code == 3
    assert "belongs to another image" in outcome.text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"structure_set": "absent.dcm"}, "absent.dcm: there is no such file"),
        ({"image": "absent"}, "absent: there is no such file"),
        ({"out": "mask.mha"}, "Use one of .nii.gz"),
        ({"roi": "(["}, "is not a regular expression"),
    ],
)
def test_mistakes_on_the_command_line(
    cta: Cta, shared_data: Path, tmp_path: Path, changed: dict[str, str], told: str
) -> None:
    """Exit code 1, in one line that says what was wrong."""
    folder = shared_data / "rt_rtutils_mock" / "tests" / "mock_data"
    structure_set = folder / changed.get("structure_set", "rt.dcm")
    image = folder / changed["image"] if "image" in changed else folder
    out = tmp_path / changed.get("out", "mask.nii.gz")
    outcome = cta("rasterize", structure_set, image, out, "--roi", changed.get("roi", ".*"))
    assert outcome.code == 1
    assert told in outcome.text
    assert outcome.err.strip().count("\n") == 0


@pytest.mark.slow
def test_a_structure_set_through_a_study(
    cta: Cta, new_study: Callable[[str], Path], shared_data: Path, tmp_path: Path
) -> None:
    """With a user's card and names, the lesion has the volume of the published mask (0.5 %)."""
    study, card = new_study("limb"), tmp_path / "limb.toml"
    card.write_text(CARD.format(name="limb") + RULES, "utf-8")
    toml = of_limb(study)
    toml = toml.replace('backend = "morphology"', 'backend = "none"')
    (study / "study.toml").write_text(toml, "utf-8")
    root = shared_data / "rt_ibsi_val_STS_002"
    source = root / "dicom" / "STS_002" / "MR_T1"
    assert cta("add", "limb", source, "--id", "002", "--card", card, study=study).code == 0
    for step in ("convert", "register", "transfer", "strip", "measure"):
        outcome = cta(step, "limb", study=study)
        assert outcome.code == 0, outcome.text
    (lesion,) = Study(study).lesions().to_dict("records")
    published = sitk.ReadImage(str(root / "nifti" / "STS_002" / "MR_T1_mask.nii.gz"))
    volume = sitk.GetArrayFromImage(published).sum() * np.prod(published.GetSpacing())
    assert lesion["source_roi"] == "GTV_Mass_MR_T1"
    assert lesion["grid"] == "LIMBT1" and lesion["quality"] == "HAQ"
    assert lesion["volume_mm3"] == pytest.approx(volume, rel=0.005)
    assert lesion["transfer_volume_ratio"] == pytest.approx(1, abs=0.005)


TWO_MODALITIES = """
[geometry]
shows_head = false

[[series]]
technique = "LIMBT1"
where = { Modality = "^MR$" }

[[series]]
technique = "CT"
where = { Modality = "^CT$" }

[annotations]
[[annotations.rois]]
pattern = "^GTV_Mass"
lesion = true

[[annotations.drawn_on]]
technique = "LIMBT1"
where = { SeriesDescription = "_MR_T1_" }

[[annotations.drawn_on]]
technique = "CT"
where = { SeriesDescription = "_CT_" }

[groups.HAQ]
drawn_on = "LIMBT1"

[groups.NAQ]
drawn_on = "CT"
"""


@pytest.mark.slow
@pytest.mark.thorough
def test_structure_sets_of_two_modalities_are_two_annotations(
    cta: Cta, new_study: Callable[[str], Path], shared_data: Path, tmp_path: Path
) -> None:
    """One tumour that was contoured on MR and on CT: two annotations, whose lesions are one."""
    study, card = new_study("limb"), tmp_path / "limb.toml"
    card.write_text(CARD.format(name="limb") + TWO_MODALITIES, "utf-8")
    toml = of_limb(study)
    (study / "study.toml").write_text(toml, "utf-8")
    source = shared_data / "rt_ibsi_val_STS_002" / "dicom" / "STS_002"
    assert cta("add", "limb", source, "--id", "002", "--card", card, study=study).code == 0
    for step in ("convert", "register", "transfer"):
        outcome = cta(step, "limb", study=study)
        assert outcome.code == 0, outcome.text
    rows = Study(study).table("annotations")
    found = {(row.annotation, row.drawn_on, row.space) for row in rows.itertuples()}
    assert found == {("HAQ", "LIMBT1", "LIMBT1"), ("NAQ", "CT", "CT")}
    outcome = cta("agreement", "--json", study=study)
    assert outcome.code == 0, outcome.text
    (link,) = json.loads(outcome.out)["lesions"]
    assert (link["first"], link["second"], link["how"]) == ("HAQ", "NAQ", "overlap")
    assert link["centroid_distance_mm"] < 1 and link["dice"] > 0.95
