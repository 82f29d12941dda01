"""External cohorts are written as their releases are described, and agree with their truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from helpers.made_once import made_once
from helpers.refusals import has_reason
from PIL import Image
from scipy import ndimage

from cta_data.errors import ConfigurationError
from cta_data.phantom import WrittenCase, WrittenCohort, write_cohort
from cta_data.phantom.releases import cohort as external

VOXEL_MM = 2.5
Write = Callable[..., WrittenCohort]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Cohorts of three patients, each written once."""

    def write(name: str, form: str = "") -> WrittenCohort:
        def make(folder: Path) -> WrittenCohort:
            return write_cohort(folder, name, form=form, patients=3, seed=1, voxel_mm=VOXEL_MM)

        return made_once(tmp_path_factory, f"released_{name}{form}", make)

    return write


def _truth(case: WrittenCase) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(case.truth.read_text())
    return loaded


def _array(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def _stack(folder: Path) -> np.ndarray:
    names = sorted(folder.iterdir(), key=lambda path: int(path.stem))
    return np.stack([np.asarray(Image.open(path).convert("L")) for path in names])


@pytest.mark.parametrize("name", ["susm", "ynhh", "ummc", "ukhd"])
def test_the_truth_is_that_of_its_label_map(cohort: Write, name: str) -> None:
    """Count, volume and centroid of every lesion are those of the components of the label map.

    Components are the lesions whether corners join voxels or only faces do.
    """
    for case in cohort(name).cases:
        truth, image = _truth(case), nibabel.load(case.label_map)
        labels = np.asarray(image.dataobj)
        for structure in (np.ones((3, 3, 3)), None):
            assert ndimage.label(labels, structure)[1] == case.n_lesions == truth["n_lesions"]
        volume = abs(np.linalg.det(image.affine[:3, :3]))
        for lesion in truth["lesions"]:
            where = np.argwhere(labels == lesion["number"])
            centroid = image.affine[:3, :3] @ where.mean(axis=0) + image.affine[:3, 3]
            assert lesion["volume_mm3"] == pytest.approx(len(where) * volume, rel=1e-4)
            assert np.allclose(lesion["centroid_ras_mm"], centroid, atol=1e-3)


def test_susm_slices_are_numbered_without_padding(cohort: Write) -> None:
    """Five folders hold the same consecutive numbers, one more than ten, none padded."""
    written = cohort("susm", "png")
    case = written.cases[0]
    folder = case.image.parent
    assert folder.parent.name == "mets_stanford_releaseMask_train"
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "3", "seg"]
    count = len(list(case.image.iterdir()))
    assert count > 10
    for part in folder.iterdir():
        assert {path.name for path in part.iterdir()} == {f"{k}.png" for k in range(count)}


def test_susm_masks_in_numeric_order_are_the_truth(cohort: Write) -> None:
    """Slices by number, 255 for lesions, 0.94 × 0.94 × 1 mm from the origin: that is the truth."""
    for case in cohort("susm", "png").cases:
        truth = sitk.ReadImage(str(case.label_map))
        assert truth.GetSpacing() == pytest.approx((0.94, 0.94, 1.0))
        assert truth.GetOrigin() == pytest.approx((0.0, 0.0, 0.0))
        if case.label is None:
            assert not case.annotated and not (case.image.parent / "seg").exists()
            continue
        mask = _stack(case.label)
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(mask > 127, sitk.GetArrayFromImage(truth) > 0)


def test_susm_has_a_patient_in_colour(cohort: Write) -> None:
    """One patient's slices have three equal channels; the others have one."""
    modes = [Image.open(case.image / "0.png").mode for case in cohort("susm", "png").cases]
    assert sorted(modes) == ["L", "L", "RGB"]


@pytest.mark.parametrize(("form", "flair"), [("png", "3"), ("nifti", "flair.*")])
def test_susm_307_has_no_flair_and_no_annotation(cohort: Write, form: str, flair: str) -> None:
    """The patient without FLAIR is among the unlabelled ones, and the only one without it."""
    cases = cohort("susm", form).cases
    lacking = [case for case in cases if not list(case.image.parent.glob(flair))]
    assert [case.source_id for case in lacking] == ["Mets_307"]
    assert [case.source_id for case in cases if not case.annotated] == ["Mets_307"]
    assert "test" in lacking[0].image.parent.parent.name


def test_susm_nifti_is_the_patients_of_the_slices(cohort: Write) -> None:
    """Both forms show the same masks; NIfTI has 0 and 1, and one patient's files end in .nii."""
    endings = set()
    for nifti, png in zip(cohort("susm", "nifti").cases, cohort("susm", "png").cases, strict=True):
        endings.add("".join(nifti.image.suffixes))
        assert nifti.source_id == png.source_id
        if nifti.label and png.label:
            mask = _array(nifti.label)
            assert set(np.unique(mask)) == {0, 1}
            assert np.array_equal(mask > 0, _stack(png.label) > 127)
            scaled = _array(nifti.image) * (255.0 / _array(nifti.image).max())
            assert np.abs(_stack(png.image) - scaled).max() <= 0.51
    assert endings == {".nii", ".nii.gz"}


def test_susm_spreadsheet_has_numbers_and_free_text(cohort: Write) -> None:
    """One row a patient, keyed by the number in the folder's name."""
    written = cohort("susm", "png")
    (path,) = written.raw.glob("*.xlsx")
    table = pd.read_excel(path)
    assert list(table.columns) == ["Patient ID", "Primary cancer type"]
    primary = {f"Mets_{row[0]:03d}": row[1] for row in table.itertuples(index=False)}
    assert primary == {case.source_id: _truth(case)["primary"] for case in written.cases}


def test_ynhh_lies_in_the_atlas(cohort: Write) -> None:
    """Files are named after their folder, and lie on the axes and the corner of BraTS images."""
    for case in cohort("ynhh").cases:
        folder = case.image.parent
        assert folder.name == f"{case.source_id}-000"
        assert folder.parts[-3] == "PKG - Pretreat-MetsToBrain-Masks"
        stems = {path.name.removeprefix(f"{folder.name}-") for path in folder.iterdir()}
        assert stems == {f"{s}.nii.gz" for s in ("t1c", "t1n", "t2f", "t2w", "seg")}
        for path in folder.iterdir():
            image = nibabel.load(path)
            assert image.shape == tuple(round(n / VOXEL_MM) for n in (240, 240, 155))
            assert np.allclose(np.diag(image.affine), [-VOXEL_MM, -VOXEL_MM, VOXEL_MM, 1.0])
            assert np.allclose(image.affine[:3, 3], [0.0, 239.0, 0.0])


def test_ynhh_codes_are_core_oedema_and_rim(cohort: Write) -> None:
    """Codes 1 and 3 together are the lesions of the truth; the third case has oedema alone."""
    first, _, third = cohort("ynhh").cases
    codes = [_array(case.label) for case in cohort("ynhh").cases if case.label]
    assert set(np.unique(codes[0])) == {0, 1, 2, 3}
    assert set(np.unique(codes[2])) == {0, 2}
    assert first.n_lesions > 0 and third.n_lesions == 0
    for case, values in zip(cohort("ynhh").cases, codes, strict=True):
        assert np.array_equal(np.isin(values, [1, 3]), _array(case.label_map) > 0)


def test_lesions_take_up_contrast(cohort: Write) -> None:
    """Enhancing voxels gain more from the agent than the rest of the brain does."""
    case = cohort("ynhh").cases[0]
    after = _array(case.image).astype(float)
    before = _array(case.image.with_name(case.image.name.replace("t1c", "t1n")))
    rim, brain = _array(case.label) == 3, before > 0
    assert np.median((after - before)[rim]) > 3 * np.median((after - before)[brain])


@pytest.mark.parametrize("name", ["susm", "ynhh", "ukhd"])
def test_nothing_is_left_outside_the_brain(cohort: Write, name: str) -> None:
    """Skull-stripped images are 0 in all but one body, which holds every lesion."""
    form = "nifti" if name == "susm" else ""
    for case in cohort(name, form).cases:
        image = _array(case.image) > 0
        sizes = np.bincount(ndimage.label(image)[0].ravel())[1:]
        assert sizes.max() > 0.999 * image.sum()
        assert 0.02 < image.mean() < 0.45
        assert image[_array(case.label_map) > 0].all()


def test_ynhh_workbook_is_joined_by_header(cohort: Write) -> None:
    """The sheet `Data` has a row for every folder, in another order than the folders."""
    written = cohort("ynhh")
    table = pd.read_excel(
        written.raw / "Pretreat-MetsToBrain-Masks_clin_20230918.xlsx", sheet_name="Data"
    )
    assert list(table.columns[:2]) == ["BraTS_MET_ID", "Death"]
    ids = [f"{case.source_id}-000" for case in written.cases]
    assert list(table["BraTS_MET_ID"]) != ids and sorted(table["BraTS_MET_ID"]) == sorted(ids)
    table = table.set_index("BraTS_MET_ID")
    for case in written.cases:
        row, truth = table.loc[f"{case.source_id}-000"], _truth(case)
        assert (row["Sex"], row["Age"], row["Primary"]) == (
            truth["sex"], truth["age_years"], truth["primary"],
        )  # fmt: skip


def test_ukhd_codes_are_not_the_likely_ones(cohort: Write) -> None:
    """Enhancing tumour is 2, oedema is 1; four channels and a label by nnU-Net's names."""
    written = cohort("ukhd")
    assert {path.name for path in written.raw.iterdir()} == {
        "imagesTr", "imagesTs", "labelsTr", "labelsTs",
    }  # fmt: skip
    found: set[int] = set()
    for case in written.cases:
        values = _array(case.label)
        found |= set(np.unique(values).tolist())
        assert np.array_equal(values == 2, _array(case.label_map) > 0)
        before, after, _, difference = (
            _array(case.image.with_name(f"{case.source_id}_000{k}.nii.gz")) for k in range(4)
        )
        assert np.array_equal(difference, after - before)
        axes = nibabel.aff2axcodes(nibabel.load(case.image).affine)
        assert axes == ("L", "A", "S")
    assert found == {0, 1, 2}


def test_two_processes_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes depend on the arguments alone, not on the number of processes."""
    monkeypatch.setattr(external, "_PATIENTS_A_WORKER", 1)
    kept = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        write_cohort(folder, "ynhh", patients=2, voxel_mm=4.0, workers=workers)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        kept.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert kept[0] == kept[1] and len(kept[0]) == 15


@pytest.mark.parametrize(
    "arguments",
    [
        {"cohort": "other"},
        {"cohort": "susm", "form": "dicom"},
        {"cohort": "ukhd", "patients": 0},
        {"cohort": "ukhd", "workers": 0},
        {"cohort": "ukhd", "voxel_mm": 9.0},
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    """Unknown cohorts and forms, no patients and odd voxels are told before anything is made."""
    with pytest.raises(ConfigurationError):
        write_cohort(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing is written over what is there."""
    (tmp_path / "raw").mkdir()
    with pytest.raises(ConfigurationError, check=has_reason("phantom_folder_not_empty")):
        write_cohort(tmp_path, "ukhd")
