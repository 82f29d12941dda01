"""`cta-data score`: two masks, two folders, real data, and what cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta

from cta_data.formats.nifti.image import read_image

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def mask_of(*lesions: tuple[int, int]) -> np.ndarray:
    """A mask (x, y, z) with bars along x: first voxel and length."""
    voxels = np.zeros((40, 12, 8), np.uint8)
    for number, (start, length) in enumerate(lesions):
        voxels[start : start + length, 3 * number + 1, 4] = 1
    return voxels


def write(
    path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE, slope: float | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, affine)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
    return path


def scored(*words: object) -> dict:
    outcome = run_cta("score", *words, "--json")
    assert outcome.code == 0, outcome.text
    return dict(json.loads(outcome.out))


def test_two_files_give_the_documented_json(tmp_path: Path) -> None:
    """All keys of the reference are there, with undefined as null and options spelled out."""
    a = write(tmp_path / "a.nii.gz", mask_of((2, 6), (20, 5)))
    b = write(tmp_path / "b.nii.gz", mask_of((4, 6)))
    told = scored(a, b)
    assert told["convention"] == "article"
    assert told["options"]["connectivity"] == 26 and told["options"]["threshold"] == 0.1
    [case] = told["cases"]
    assert (case["case"], case["tp"], case["fp"], case["fn"]) == ("a", 1, 0, 1)
    assert case["pairs"] == [
        {
            "reference_lesion": 1,
            "predicted_lesion": 1,
            "dice": pytest.approx(8 / 12),
            "intersection_voxels": 4,
            "reference_voxels": 6,
            "predicted_voxels": 6,
            "detected": True,
        }
    ]
    assert case["missed"] == [
        {
            "reference_lesion": 2,
            "voxels": 5,
            "volume_mm3": 10.0,
            "centroid_ras_mm": [22.0, 4.0, 8.0],
        }
    ]
    assert case["false"] == []
    assert told["summary"]["f1"] == {
        "n": 1,
        "n_undefined": 0,
        "mean": pytest.approx(2 / 3),
        "sd": None,
        "median": pytest.approx(2 / 3),
        "q1": pytest.approx(2 / 3),
        "q3": pytest.approx(2 / 3),
    }
    nothing = scored(a, write(tmp_path / "none.nii.gz", mask_of()))
    assert nothing["cases"][0]["ppv"] is None


@pytest.mark.parametrize("convention", ["article", "tables"])
def test_storage_does_not_matter(tmp_path: Path, convention: str) -> None:
    """Other order or direction of axes, floats, a slope, NIfTI-2, NRRD: the same scores, ids."""
    voxels = mask_of((2, 6), (20, 5), (9, 9))
    a = write(tmp_path / "a.nii.gz", voxels)
    expected = scored(
        a, write(tmp_path / "b.nii", mask_of((4, 6), (26, 3))), "--convention", convention
    )
    image = nib.Nifti1Image(mask_of((4, 6), (26, 3)), AFFINE)
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("PSL")
        )
    )
    nib.save(turned, tmp_path / "turned.nii.gz")
    nib.save(nib.Nifti2Image(np.asarray(image.dataobj), AFFINE), tmp_path / "two.nii")
    doubled = np.asarray(image.dataobj).astype(np.int16) * 4
    for name in ("itk.nrrd", "raw.nrrd"):
        packed = name == "itk.nrrd"
        sitk.WriteImage(read_image(tmp_path / "turned.nii.gz"), str(tmp_path / name), packed)
    others = [
        tmp_path / "itk.nrrd",
        tmp_path / "raw.nrrd",
        tmp_path / "turned.nii.gz",
        tmp_path / "two.nii",
        write(tmp_path / "float.nii.gz", np.asarray(image.dataobj).astype(np.float32)),
        write(tmp_path / "slope.nii.gz", doubled, slope=0.25),
        write(tmp_path / "big.nii.gz", np.asarray(image.dataobj).astype(">i4")),
    ]
    for other in others:
        found = scored(a, other, "--convention", convention)
        assert found["cases"] == expected["cases"], other.name


def test_folders_are_paired_by_name(tmp_path: Path) -> None:
    """Cases of one side only are named, exit code 3, the pairs are scored; -j changes nothing.

    Whether a mask is `.nii.gz`, `.nii` or `.nrrd` does not matter.
    """
    for name, shift in (("p1", 0), ("p2", 2), ("p3", 30)):
        write(tmp_path / "ref" / f"{name}.nii.gz", mask_of((2, 6)))
        if name != "p3":
            write(tmp_path / "pred" / f"{name}.nii", mask_of((2 + shift, 6)))
    write(tmp_path / "pred" / "p9.nii.gz", mask_of((2, 6)))
    second = tmp_path / "pred" / "p2.nii"
    sitk.WriteImage(read_image(second), str(second.with_suffix(".nrrd")))
    second.unlink()
    outcome = run_cta("score", tmp_path / "ref", tmp_path / "pred", "--json")
    assert outcome.code == 3
    told = json.loads(outcome.out)
    assert [case["case"] for case in told["cases"]] == ["p1", "p2"]
    assert told["without_prediction"] == ["p3"] and told["without_reference"] == ["p9"]
    assert "p3: there is no prediction of that name" in outcome.text
    both = run_cta("score", tmp_path / "ref", tmp_path / "pred", "--json", "-j", "2")
    assert json.loads(both.out) == told
    table = run_cta("score", tmp_path / "ref", tmp_path / "pred")
    assert "convention article: connectivity 26" in table.text and "sensitivity" in table.out


def test_out_keeps_cases_and_lesions_as_tables(tmp_path: Path) -> None:
    """One row a case; one a lesion of the reference and one a false positive; CSV says the same."""
    a = write(tmp_path / "a.nii.gz", mask_of((2, 6), (20, 5)))
    b = write(tmp_path / "b.nii.gz", mask_of((4, 6), (1, 1), (9, 4)))
    told = scored(a, b, "--out", tmp_path / "s.parquet")["cases"][0]
    [row] = pd.read_parquet(tmp_path / "s.parquet").to_dict("records")
    assert (row["tp"], row["fp"], row["fn"], row["convention"]) == (1, 2, 1, "article")
    lesions = pd.read_parquet(tmp_path / "s.lesions.parquet")
    assert lesions["status"].value_counts().to_dict() == {"detected": 1, "missed": 1, "false": 2}
    assert (len(told["missed"]), len(told["false"])) == (1, 2)
    plain = pd.read_csv(tmp_path / "s.lesions.csv")
    numbers = ["reference_lesion", "predicted_lesion", "dice", "reference_volume_mm3"]
    for name in numbers:
        assert plain[name].to_numpy() == pytest.approx(
            lesions[name].to_numpy(dtype=float, na_value=np.nan), nan_ok=True
        )
    assert pd.read_csv(tmp_path / "s.csv")["tp"].tolist() == [1]


def test_a_pair_under_the_threshold_is_one_missed_and_one_false_lesion(tmp_path: Path) -> None:
    """Seven lesions and false positives are seven rows, and both rows of a pair hold its Dice."""
    a = write(tmp_path / "a.nii.gz", mask_of((2, 20), (30, 5), (40, 4), (50, 4)))
    b = write(tmp_path / "b.nii.gz", mask_of((2, 1), (30, 5), (10, 2), (50, 1)))
    [case] = scored(a, b, "--out", tmp_path / "s.parquet", "--threshold", "0.4")["cases"]
    lesions = pd.read_parquet(tmp_path / "s.lesions.parquet")
    assert len(lesions) == case["n_reference"] + case["fp"]
    assert lesions["status"].tolist().count("detected") == case["tp"]
    assert lesions["status"].tolist().count("missed") == case["fn"]
    weak = lesions[lesions["reference_lesion"].isna() & lesions["dice"].notna()]
    twin = lesions[(lesions["status"] == "missed") & lesions["dice"].notna()]
    assert weak["dice"].tolist() == twin["dice"].tolist() and len(weak)
    assert twin["predicted_lesion"].tolist() == weak["predicted_lesion"].tolist()
    sides = lesions[["reference_volume_mm3", "predicted_volume_mm3"]]
    assert (sides.notna().any(axis=1)).all()


def test_options_change_single_rules_and_say_so(tmp_path: Path) -> None:
    """A threshold as a fraction, another neighbourhood, one label: each is printed."""
    voxels = mask_of((2, 6), (20, 5))
    voxels[20:25, 4, 4] = 2
    a = write(tmp_path / "a.nii.gz", voxels)
    told = scored(a, a, "--label", "2", "--threshold", "2/3", "--connectivity", "6")
    assert told["cases"][0]["n_reference"] == 1
    assert told["convention"] == "article, changed"
    assert told["options"]["threshold"] == pytest.approx(2 / 3)
    assert (told["options"]["connectivity"], told["options"]["label"]) == (6, 2)


@pytest.mark.parametrize("words", [("--label", "1", "--label", "3"), ("--label", "3,1")])
def test_several_labels_are_one_mask(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A rim of 3 around a core of 1 is one lesion, whatever the order; 2 is left out."""
    voxels = mask_of((20, 5))
    voxels[voxels != 0] = 2
    voxels[2:6, 4:7, 4:7] = 3
    voxels[3:5, 5, 5] = 1
    a = write(tmp_path / "a.nii.gz", voxels)
    told = scored(a, a, *words)
    assert told["options"]["label"] == [1, 3]
    assert [pair["reference_voxels"] for pair in told["cases"][0]["pairs"]] == [36]
    assert run_cta("score", a, a, *words).code == 0


def test_a_label_that_no_mask_holds_is_named(tmp_path: Path) -> None:
    """Exit code 3, whatever the other labels are; in the cases of a folder one is enough."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "a.nii.gz", mask_of((2, 6)))
        write(tmp_path / folder / "b.nii.gz", mask_of((2, 6)) * 2)
    folders = (tmp_path / "one", tmp_path / "two")
    for label, absent in (("7", [7]), ("1,7,9", [7, 9]), ("1", []), ("1,2", [])):
        outcome = run_cta("score", *folders, "--label", label, "--json")
        assert json.loads(outcome.out)["absent_labels"] == absent
        assert outcome.code == (3 if absent else 0)
        assert all(f"the label {value} " in outcome.err for value in absent)


def test_panoptica_s_known_answer(shared_data: Path) -> None:
    """Its semantic pair, its settings (IoU of a half, values apart): TP 73, FP 16, FN 14."""
    folder = shared_data / "lab_panoptica/examples/spine_seg/semantic"
    words = ("--threshold", "0.66666", "--label", "each")
    [case] = scored(folder / "ref.nii.gz", folder / "pred.nii.gz", *words)["cases"]
    assert (case["n_reference"], case["n_predicted"]) == (87, 89)
    assert (case["tp"], case["fp"], case["fn"]) == (73, 16, 14)
    assert case["f1"] == pytest.approx(0.829545, abs=1e-6)
    assert case["voxel_dice"] == pytest.approx(0.973164, abs=1e-6)
    dice = [pair["dice"] for pair in case["pairs"] if pair["detected"]]
    assert np.mean(dice) == pytest.approx(0.880218, abs=1e-6)


def test_mistakes_on_the_command_line(tmp_path: Path) -> None:
    """Exit code 1 and one line for each; empty folders match nothing (2), one alone fails (3)."""
    good = write(tmp_path / "a.nii.gz", mask_of((2, 6)))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for words, told in (
        ((good, tmp_path / "absent.nii.gz"), "there is no such file"),
        ((good, tmp_path / "one"), "one is a file and the other a folder"),
        ((good, good, "--convention", "other"), "no convention 'other'"),
        ((good, good, "--connectivity", "8"), "6, 18 or 26"),
        ((good, good, "--threshold", "much"), "the scoring rules are invalid"),
        ((good, good, "--label", "x"), "--label takes a whole number"),
        ((good, good, "--label", "1,"), "--label takes a whole number"),
        ((good, good, "--label", "0"), "--label takes a whole number"),
        ((good, good, "--label", "each", "--label", "1"), "--label takes a whole number"),
        ((good, good, "--out", tmp_path / "s.csv"), "Use one of .parquet"),
    ):
        outcome = run_cta("score", *words)
        assert outcome.code == 1 and told in outcome.text, words
        assert outcome.err.strip().count("\n") == 0
    kept = tmp_path / "kept.parquet"
    kept.write_text("scores of before", "utf-8")
    nothing = run_cta("score", tmp_path / "one", tmp_path / "two", "--out", kept, "--overwrite")
    assert nothing.code == 2 and "no pair" in nothing.text
    assert kept.read_text("utf-8") == "scores of before"
    write(tmp_path / "one" / "a.nii.gz", mask_of((2, 6)))
    alone = run_cta("score", tmp_path / "one", tmp_path / "two")
    assert alone.code == 3 and "a: there is no prediction of that name" in alone.text


def test_surface_distances_come_on_request(tmp_path: Path) -> None:
    """Of the masks and of each pair, in mm; without the option the keys are not there."""
    a = write(tmp_path / "a.nii.gz", mask_of((2, 6), (20, 5)))
    b = write(tmp_path / "b.nii.gz", mask_of((4, 6)))
    [plain] = scored(a, b)["cases"]
    assert "hausdorff_mm" not in plain and "hausdorff_mm" not in plain["pairs"][0]
    [case] = scored(a, b, "--surface-distances", "--out", tmp_path / "s.parquet")["cases"]
    assert case["pairs"][0]["hausdorff_mm"] == pytest.approx(2.0)
    assert case["hausdorff_mm"] > 10
    lesions = pd.read_parquet(tmp_path / "s.lesions.parquet")
    assert lesions["hausdorff_mm"].notna().sum() == 1
    assert pd.read_parquet(tmp_path / "s.parquet")["mean_surface_mm"].notna().all()
    assert "Surface Dice" in run_cta("score", a, b, "--surface-distances").out
    nothing = write(tmp_path / "n.nii.gz", mask_of())
    assert scored(a, nothing, "--surface-distances")["cases"][0]["hausdorff_mm"] is None


def test_two_masks_of_one_case_are_refused(tmp_path: Path) -> None:
    """None of the two is taken in silence."""
    for name in ("a.nii", "a.nii.gz"):
        write(tmp_path / "ref" / name, mask_of((2, 6)))
    write(tmp_path / "pred" / "a.nii.gz", mask_of((2, 6)))
    outcome = run_cta("score", tmp_path / "ref", tmp_path / "pred")
    assert outcome.code == 1 and "a.nii and a.nii.gz" in outcome.text
