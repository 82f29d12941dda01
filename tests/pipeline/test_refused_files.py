"""Plain files that say something else than they hold: each costs its own session, and says why."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.plain_study import plain_card

from cta_data.formats.nifti.geometry import grid_of_itk
from cta_data.study.study import Study

pytestmark = pytest.mark.slow

AFFINE = np.array([[-1.3, 0, 0, 20], [0, -1.3, 0, 30], [0, 0, 5.0, -10], [0, 0, 0, 1]])
GREY = np.zeros((12, 12, 12), np.float32)
GREY[2:10, 2:10, 2:10] = np.arange(512).reshape(8, 8, 8) + 1
LESION = np.zeros(GREY.shape, np.uint8)
LESION[3:5, 3:5, 3:5] = 1


def image(values: np.ndarray, sform: np.ndarray = AFFINE, unit: int = 2) -> nib.Nifti1Image:
    scale = {2: 1.0, 3: 1000.0}[unit]
    made = nib.Nifti1Image(values, None)
    for place, affine in ((made.set_qform, AFFINE), (made.set_sform, sform)):
        stored = affine.copy()
        stored[:3] *= scale
        place(stored, 1)
    made.header["xyzt_units"] = unit
    return made


def broken(value: float, where: object) -> np.ndarray:
    values = GREY.copy()
    values[where] = value
    return values


CASES = {  # no two have the same image
    "right": (image(GREY), ""),
    "micrometres": (image(GREY * 2, unit=3), ""),
    "forms": (image(GREY * 3, np.eye(4)), "geometry.nifti_form"),
    "fewnan": (image(broken(np.nan, (0, slice(0, 4), 0))), "geometry.replace_not_finite"),
    "allnan": (image(broken(np.nan, ...)), "1728 of 1728"),
    "infinite": (image(broken(np.inf, (5, 5, 5))), "1 of 1728"),
    "constant": (image(broken(3.0, ...)), "same value"),
    "nrrd": (None, "4 of 1728"),
}
CHOSEN = {"forms": 'nifti_form = "qform"', "fewnan": "replace_not_finite = 0"}


def write(folder: Path, case: str) -> None:
    folder.mkdir(parents=True)
    made, _ = CASES[case]
    if made is None:
        nrrd = sitk.GetImageFromArray(broken(np.nan, (0, slice(0, 4), 0)))
        sitk.WriteImage(nrrd, str(folder / "t1.nrrd"))
        mask = sitk.GetImageFromArray(LESION)
        sitk.WriteImage(mask, str(folder / "seg.nii.gz"))
        return
    nib.save(made, folder / "t1.nii.gz")
    mask = nib.Nifti1Image(LESION, None, made.header)
    mask.set_data_dtype(np.uint8)
    nib.save(mask, folder / "seg.nii.gz")


def convert(work: Path, cases: list[str], geometry: str = "") -> Study:
    for case in cases:
        write(work / "raw" / case, case)
    card = work / "mine.toml"
    card.write_text(plain_card("mine", geometry=geometry, ending=r"(nii\.gz|nrrd)"), "utf-8")
    new_study(work / "study", own="mine")
    place = ("--study", str(work / "study"))
    added = run_cta("add", "mine", work / "raw", "--card", card, *place)
    assert added.code == 0, added.text
    run_cta("convert", *place)
    return Study(work / "study")


def outcomes(study: Study) -> dict[str, tuple[str, str]]:
    """Status and reason by case."""
    units = study.query(
        "select subject, status, coalesce(reason, '') reason from units where step = 'convert'"
    )
    return {row["subject"]: (row["status"], row["reason"]) for row in units.to_dict("records")}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return convert(tmp_path_factory.mktemp("refused"), list(CASES))


@pytest.mark.parametrize("case", list(CASES))
def test_each_costs_its_own_session(converted: Study, case: str) -> None:
    """What is right is converted; the rest is refused with what was found, or who can decide."""
    status, reason = outcomes(converted)[case]
    told = CASES[case][1]
    assert status == ("impossible" if told else "ok")
    assert told in reason


def test_micrometres_become_millimetres_everywhere(converted: Study) -> None:
    """Tables and nnU-Net's reader see the voxels that the file without a trick in it has."""
    rows = converted.query("select path, spacing_mm from images order by subject")
    assert [[round(v, 3) for v in row] for row in rows["spacing_mm"]] == [[1.3, 1.3, 5.0]] * 2
    for path in rows["path"]:
        assert grid_of_itk(converted.root / path).spacing == pytest.approx((1.3, 1.3, 5))


@pytest.mark.parametrize("case", list(CHOSEN))
def test_the_card_decides(tmp_path: Path, case: str) -> None:
    """The setting that the refusal names makes the session pass, and is noted."""
    study = convert(tmp_path, [case], CHOSEN[case])
    assert outcomes(study) == {case: ("ok", "")}
    [row] = study.query("select path, spacing_mm, notes from images").to_dict("records")
    assert [round(v, 3) for v in row["spacing_mm"]] == [1.3, 1.3, 5.0]
    assert len(row["notes"]) > 0
    assert np.isfinite(nib.load(study.root / row["path"]).get_fdata()).all()
