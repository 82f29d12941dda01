"""Both forms of UMMC show the same patients, each with the defects that the real one has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from helpers.made_once import made_once
from helpers.rasterized import rasterize_roi

from cta_data.formats.dicom.rtdose import read_dose
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.intake.archives import UnpackBudget, UnpackLimits
from cta_data.intake.discover import discover
from cta_data.phantom import WrittenCase, WrittenCohort, write_cohort
from cta_data.phantom.releases.ummc.patient import make_patient
from cta_data.phantom.scanner import sampling

STEM = re.compile(r"^GK\.(\d{3})_(\d+)_(.+)\.nrrd$")


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WrittenCohort]:
    def make(folder: Path) -> dict[str, WrittenCohort]:
        return {
            form: write_cohort(folder / form, "ummc", form=form, patients=3, seed=2, voxel_mm=2.0)
            for form in ("dicom", "nrrd")
        }

    return made_once(tmp_path_factory, "ummc_forms", make)


def _truth(case: WrittenCase) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(case.truth.read_text())
    return loaded


def _masks(case: WrittenCase) -> dict[str, Path]:
    """Mask files of a course of the package, by what follows patient and course."""
    parsed = {path: STEM.match(path.name) for path in case.image.parent.iterdir()}
    assert all(parsed.values())
    return {
        match[3]: path
        for path, match in parsed.items()
        if match and match[3] != "MR_t1" and "dose" not in match[3]
    }


def _sheets(written: WrittenCohort) -> dict[str, pd.DataFrame]:
    return pd.read_excel(
        written.raw / "Brain-TR-GammaKnife-Clinical-Information.xlsx", sheet_name=None
    )


def test_both_forms_have_the_same_truth(forms: dict[str, WrittenCohort]) -> None:
    """Cases, names, label maps, facts and the workbook do not depend on the form."""
    dicom, nrrd = (forms[form] for form in ("dicom", "nrrd"))
    names = sorted(path.name for path in dicom.truth.iterdir())
    assert names == sorted(path.name for path in nrrd.truth.iterdir())
    for name in names:
        assert (dicom.truth / name).read_bytes() == (nrrd.truth / name).read_bytes()
    workbook = "Brain-TR-GammaKnife-Clinical-Information.xlsx"
    assert (dicom.raw / workbook).read_bytes() == (nrrd.raw / workbook).read_bytes()


def test_contours_filled_are_the_masks(forms: dict[str, WrittenCohort]) -> None:
    """Rasterised on the package's image, the regions of a structure set are its masks."""
    for dicom, nrrd in zip(forms["dicom"].cases, forms["nrrd"].cases, strict=True):
        assert dicom.label is not None
        image = sitk.ReadImage(str(nrrd.image))
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(nrrd.label_map)))
        masks = _masks(nrrd)
        regions = {roi.name: roi for roi in read_structure_set(dicom.label).rois}
        assert next(iter(regions)) == "Skull" and list(regions)[-1] == "*Rt thalamus"
        for lesion in _truth(nrrd)["lesions"]:
            name = lesion["name"]
            stem = f"L{name}" if int(nrrd.session) < 3 else "L_" + re.sub(r"\W+", "", name)
            mask = sitk.ReadImage(str(masks.pop(stem)))
            assert np.allclose(mask.GetOrigin(), image.GetOrigin())
            voxels = sitk.GetArrayFromImage(mask)
            assert np.array_equal(voxels > 0, truth == lesion["number"])
            filled = rasterize_roi(regions[name], image).mask(image)
            assert np.array_equal(sitk.GetArrayFromImage(filled), voxels), name
        assert not masks


def test_series_and_dose_are_those_of_the_package(forms: dict[str, WrittenCohort]) -> None:
    """The slices of a series are the image of the package, and the doses agree to 1 mGy."""
    for dicom, nrrd in zip(forms["dicom"].cases, forms["nrrd"].cases, strict=True):
        image = sitk.ReadImage(str(nrrd.image))
        files = [pydicom.dcmread(path) for path in sorted(dicom.image.iterdir())]
        assert np.array_equal(
            np.stack([ds.pixel_array for ds in files]), sitk.GetArrayFromImage(image)
        )
        assert [float(v) for v in files[0].ImagePositionPatient] == list(image.GetOrigin())
        (path,) = dicom.image.parent.glob("28641.000000-Comp Dose-*/1-1.dcm")
        dose = read_dose(pydicom.dcmread(path))
        packaged = sitk.ReadImage(str(next(nrrd.image.parent.glob("*_dose.nrrd"))))
        assert np.allclose(dose.GetOrigin(), packaged.GetOrigin())
        assert np.allclose(dose.GetSpacing(), packaged.GetSpacing())
        assert dose.GetSpacing() != image.GetSpacing()
        gray = sitk.GetArrayFromImage(packaged)
        assert np.allclose(sitk.GetArrayFromImage(dose), gray, atol=1e-3)
        assert gray.max() > 15.0


def test_dcm2niix_converts_every_series(forms: dict[str, WrittenCohort], tmp_path: Path) -> None:
    """One volume per course, with the voxels and the corners of the package's image."""
    program = Path(sys.executable).parent / "dcm2niix"
    for dicom, nrrd in list(zip(forms["dicom"].cases, forms["nrrd"].cases, strict=True))[:3]:
        out = tmp_path / f"{dicom.source_id}{dicom.session}"
        out.mkdir()
        subprocess.run(
            [program, "-b", "n", "-z", "n", "-f", "volume", "-o", out, dicom.image],
            check=True,
            capture_output=True,
        )
        assert [path.name for path in out.iterdir()] == ["volume.nii"]
        converted = sitk.DICOMOrient(sitk.ReadImage(str(out / "volume.nii")), "LPS")
        image = sitk.ReadImage(str(nrrd.image))
        assert np.allclose(converted.GetOrigin(), image.GetOrigin(), atol=1e-3)
        assert np.array_equal(sitk.GetArrayFromImage(converted), sitk.GetArrayFromImage(image))


def test_intake_sees_one_of_each_kind_in_every_study(
    forms: dict[str, WrittenCohort], tmp_path: Path
) -> None:
    """A study holds one MR, one RTSTRUCT and one RTDOSE of one frame; dates give the course."""
    written = forms["dicom"]
    found = discover(written.raw, tmp_path, UnpackBudget(UnpackLimits()), ("PatientName",))
    assert not found.problems
    studies: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for instance in found.instances:
        ds = pydicom.dcmread(instance.path, stop_before_pixels=True)
        key = (str(ds.PatientID), str(ds.StudyDate))
        uids = (str(ds.Modality), str(ds.FrameOfReferenceUID))
        studies.setdefault(key, set()).add(uids)
    for kinds in studies.values():
        assert sorted(kind for kind, _ in kinds) == ["MR", "RTDOSE", "RTSTRUCT"]
        assert len({frame for _, frame in kinds}) == 1
    by_date = sorted(studies)
    told = [(c.source_id, str(_truth(c)["study_date"]).replace("-", "")) for c in written.cases]
    assert by_date == sorted(told) and told == sorted(told)


def test_folders_sort_against_the_dates(forms: dict[str, WrittenCohort]) -> None:
    """Whoever takes the order of folders for that of courses is wrong in every such patient."""
    several = {}
    for case in forms["dicom"].cases:
        several.setdefault(case.source_id, []).append(case.image.parent.name)
    several = {subject: names for subject, names in several.items() if len(names) > 1}
    assert len(several) == 2
    for names in several.values():
        assert sorted(names) == names[::-1]


def test_the_table_of_series_names_every_folder(forms: dict[str, WrittenCohort]) -> None:
    """metadata.csv lists each series, with backslashes, and the number of its files."""
    root = forms["dicom"].raw / "manifest-1678464337678"
    table = pd.read_csv(root / "metadata.csv")
    folders = {path.parent for path in root.rglob("*.dcm")}
    listed = {root.joinpath(*place.split("\\")[1:]): n for place, n in zip(
        table["File Location"], table["Number of Images"], strict=True)}  # fmt: skip
    assert set(listed) == folders and len(folders) == 3 * len(forms["dicom"].cases)
    assert all(len(list(folder.iterdir())) == n for folder, n in listed.items())


def test_a_later_image_shows_what_earlier_courses_treated(
    forms: dict[str, WrittenCohort],
) -> None:
    """Old lesions are there and not drawn: as bright as before, at the same place of the head."""
    cases = {(c.source_id, c.session): c for c in forms["nrrd"].cases}
    first, later = cases["GK_270", "1"], cases["GK_270", "3"]
    assert _truth(later)["treated_before"] == first.n_lesions + cases["GK_270", "2"].n_lesions
    assert later.n_lesions == 1
    patient = make_patient(2, 2, 2.0)
    old = [drawn.lesion for drawn in patient.courses[0].drawn]
    levels = []
    for course in (patient.courses[0], patient.courses[2]):
        where = sampling.label_map(course.view.grid, course.view.pose, old) > 0
        assert not course.labels[where].any() or course.number == 1
        levels.append(np.percentile(course.image[where], 80))
    brain = sampling.smooth_brain_mask(
        patient.anatomy, patient.courses[2].view.grid, patient.courses[2].view.pose
    )
    assert levels[1] == pytest.approx(levels[0], rel=0.1)
    assert levels[1] > 1.1 * np.median(patient.courses[2].image[brain > 0])
    names = {lesion["name"] for lesion in _truth(later)["lesions"]}
    assert names.isdisjoint(lesion["name"] for lesion in _truth(first)["lesions"])


def test_the_workbook_has_the_columns_and_the_blanks(forms: dict[str, WrittenCohort]) -> None:
    """Three sheets; four columns without a header and with nothing; trailing blanks; rows mixed."""
    written = forms["nrrd"]
    sheets = _sheets(written)
    assert list(sheets) == ["course_level", "lesion_level", "pt_level"]
    courses = sheets["course_level"]
    assert list(courses.columns[6:]) == [f"Unnamed: {k}" for k in range(6, 10)]
    blank = courses.iloc[:, 6:].astype(object).fillna("").astype(str)
    assert (blank.apply(lambda column: column.str.strip()) == "").all(axis=None)
    assert list(courses.loc[courses.unique_pt_id == 270, "Course #"]) == [3, 1, 2]
    assert courses["Diagnosis (Only want Mets)"].str.endswith(" ").all()
    for case in written.cases:
        row = courses[courses.unique_pt_id == int(case.source_id[3:])].iloc[0]
        truth = _truth(case)
        assert row["Gender"].strip()[0] == truth["sex"]
        assert row["Age at Diagnosis"] == truth["age_years"]
        assert row["Primary Diagnosis"].strip() == truth["primary"]
    assert list(sheets["pt_level"].columns) == ["unique_pt_id"]


def test_the_workbook_differs_from_the_files_as_told(forms: dict[str, WrittenCohort]) -> None:
    """Case in 147, a date in 270, a file without row: all else is spelled as the files are."""
    written = forms["nrrd"]
    files = {
        f"GK.{case.source_id[3:]}_{case.session}_{stem}"
        for case in written.cases
        for stem in _masks(case)
    }
    rows = set(_sheets(written)["lesion_level"]["Lesion Name in NRRD files"])
    assert files - rows == {
        "GK.147_2_LLantfront", "GK.270_3_L_RtOccipital11302018", "GK.270_1_Lunnamed",
    }  # fmt: skip
    assert rows - files == {"GK.147_2_Llantfront", "GK.270_3_L_RtOccipital"}
    assert {"GK.103_1_LPost op  Cavity", "GK.103_1_LLt Frontal + vertex"} <= files & rows


def test_the_calvarial_lesion_lies_outside_the_brain(forms: dict[str, WrittenCohort]) -> None:
    """A brain mask holds no voxel of it, and nearly all of the other lesions of its course."""
    case = forms["nrrd"].cases[0]
    patient = make_patient(0, 2, 2.0)
    view = patient.courses[0].view
    brain = sampling.smooth_brain_mask(patient.anatomy, view.grid, view.pose) > 0
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(case.label_map)))
    for lesion in _truth(case)["lesions"]:
        inside = brain[labels == lesion["number"]].mean()
        assert inside == 0.0 if lesion["name"] == "2_Lt_Front_Calv" else inside > 0.9
        if lesion["name"] == "2_Lt_Front_Calv":
            x, y, z = lesion["centroid_ras_mm"]
            assert x < -15.0 and y > 0.0 and z > 15.0
