"""The whole way from raw files to training sets, on a small digital trial."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.trial_study import COMMAND, SETTINGS, add_raw, build_all

from cta_data.bids.validation import validate
from cta_data.engine import Report, RunOptions
from cta_data.phantom import WrittenPatient
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.study import layout
from cta_data.study.study import Study

pytestmark = pytest.mark.slow

Trial = tuple[Path, list[WrittenPatient]]
Built = tuple[Study, Report]


def copy_of(study: Study, folder: Path) -> Study:
    """Copy a study so that a test may change it."""
    shutil.copytree(study.root, folder / "study", symlinks=True)
    return Study(folder / "study")


def tree(study: Study) -> str:
    """Return all names and contents (annex keys, blobs) of the study and its datasets."""
    listed = []
    for path in (".", "datasets/internal", "datasets/internal/derivatives/cta"):
        done = subprocess.run(
            ["git", "ls-tree", "-r", "HEAD"],
            cwd=study.root / path,
            capture_output=True,
            text=True,
            check=True,
        )
        listed += [line for line in done.stdout.splitlines() if not line.startswith("160000")]
    return "\n".join(listed)


def commits(study: Study) -> int:
    """Return the number of commits of the study."""
    done = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"],
        cwd=study.root,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def statuses(report: Report) -> Counter[tuple[str, str]]:
    """Count units by step and status."""
    return Counter((record.unit.step, record.status) for record in report.records)


def test_every_unit_is_accounted_for(built: Built, trial: Trial) -> None:
    """Subjects in the source = rows in `subjects`, and every step gives each a status."""
    study, report = built
    assert not report.failures
    counts = statuses(report)
    for step in ("convert", "register", "transfer", "strip", "measure"):
        assert counts[(step, "ok")] == len(trial[1])
    subjects = study.subjects()
    assert len(subjects) == len(trial[1])
    assert set(subjects.partition) <= {"train", "test"}
    assert Counter(subjects.qualities.map(" ".join)) == {"NAQ": 3, "HAQ": 3}


def test_every_drawn_lesion_arrives_on_both_grids(built: Built, trial: Trial) -> None:
    """Each lesion that a reader drew is in `lesions` on both grids, or listed as lost."""
    study, _ = built
    lesions = study.lesions()
    table = study.root / study.sourcedata_path("internal") / "subjects.tsv"
    labels = {
        row["source_id"]: row["subject"]
        for row in csv.DictReader(table.open(encoding="utf-8"), delimiter="\t")
    }
    for patient in trial[1]:
        truth = json.loads((patient.truth / "lesions.json").read_text("utf-8"))
        drawn = [lesion["roi_name"] for lesion in truth if lesion["roi_name"]]
        assert len(drawn) == patient.lesions_drawn
        for grid in ("MPRAGE", "SPACE"):
            rows = lesions[(lesions.subject == labels[patient.patient_id]) & (lesions.grid == grid)]
            # The cohort is restricted: a number stands in the place of a name.
            assert len(rows) == rows.source_roi.nunique() == len(drawn)
            assert rows.source_roi.str.fullmatch(r"ROI \d+").all()
            assert ((rows.n_voxels > 0) | rows.lost_reason.notna()).all()


def test_registration_finds_the_true_transforms(built: Built, trial: Trial) -> None:
    """Every accepted transform is within 1 mm of the truth 60 mm around the head's centre."""
    study, _ = built
    table = study.root / study.sourcedata_path("internal") / "subjects.tsv"
    rows = list(csv.DictReader(table.open(encoding="utf-8"), delimiter="\t"))
    patients = {row["subject"]: row["source_id"] for row in rows}
    truth = {patient.patient_id: patient.truth for patient in trial[1]}
    sources = set()
    for row in study.transforms().itertuples():
        found = sitk.ReadTransform(str(study.root / row.path))
        name = f"from-{row.moving}_to-{row.fixed}_mode-image_xfm.tfm"
        true = sitk.ReadTransform(str(truth[patients[row.subject]] / name))
        image = study.images().query(f"subject == '{row.subject}' and technique == '{row.fixed}'")
        centre = read_centre(study.root / image.iloc[0].path)
        for offset in np.vstack([np.eye(3), -np.eye(3)]) * 60:
            point = (centre + offset).tolist()
            error = np.subtract(found.TransformPoint(point), true.TransformPoint(point))
            assert np.linalg.norm(error) < 1.0, (row.subject, row.moving, row.source)
        sources.add(row.source)
    assert sources == {"computed", "dicom_reg", "identity"}


def read_centre(path: Path) -> np.ndarray:
    """Return the centre of an image's field of view, LPS mm."""
    image = sitk.ReadImage(str(path))
    middle = [(size - 1) / 2 for size in image.GetSize()]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(middle))


def test_a_second_build_does_nothing(built: Built, tmp_path: Path) -> None:
    """Nothing changed: every unit is `notneeded`, and there is no new commit."""
    study = copy_of(built[0], tmp_path)
    before = commits(study)
    report = build_all(study)
    assert {record.status for record in report.records} == {"notneeded"}
    assert commits(study) == before


def test_a_touched_structure_set_costs_its_subject_alone(
    built: Built, trial: Trial, tmp_path: Path
) -> None:
    """After one lesion was redrawn, only that subject's units and its builds run."""
    study = copy_of(built[0], tmp_path)
    patient = trial[1][0]
    dataset = pydicom.dcmread(patient.structure_set)
    names = {roi.ROINumber: roi.ROIName for roi in dataset.StructureSetROISequence}
    lesion = next(
        roi
        for roi in dataset.ROIContourSequence
        if names[roi.ReferencedROINumber].lower().startswith("gtv")
    )
    for contour in lesion.ContourSequence:
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        centre = points.mean(axis=0)
        contour.ContourData = [f"{v:.3f}" for v in (centre + 1.2 * (points - centre)).ravel()]
    raw = tmp_path / "raw"
    raw.mkdir()
    dataset.save_as(raw / "structure_set")
    add_raw(study, raw, replace=True)
    study = Study(study.root)
    report = build_all(study)
    ran = {(r.unit.step, r.unit.subject) for r in report.records if r.status != "notneeded"}
    touched = {subject for _, subject in ran if subject}
    assert len(touched) == 1
    assert {step for step, subject in ran if subject} == {"convert", "transfer", "measure"}
    assert not report.failures


@pytest.fixture(scope="module")
def rerun(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A copy whose derivatives were dropped, after `datalad rerun` of what its record says.

    The study was built by one process; the record has two do it again.
    """
    assert COMMAND[-2:] == ("--jobs", "2")
    study = copy_of(built[0], tmp_path_factory.mktemp("rerun"))
    for path in ("datasets/internal", "datasets/internal/derivatives/cta"):
        subprocess.run(
            ["git", "annex", "drop", "--force", "--quiet", "."], cwd=study.root / path, check=True
        )
    subprocess.run(["datalad", "rerun"], cwd=study.root, check=True, capture_output=True)
    return study


@pytest.mark.thorough
def test_the_record_can_be_run_again(built: Built, rerun: Study) -> None:
    """`datalad rerun` leaves the tree unchanged, also when every derivative was dropped."""
    assert tree(rerun) == tree(built[0])
    images = list((rerun.root / "datasets/internal").glob("sub-*/**/*.nii.gz"))
    assert images
    assert all(path.exists() for path in images)


@pytest.mark.thorough
def test_jobs_do_not_change_the_result(built: Built, rerun: Study) -> None:
    """The same annex keys and tables come out of one process and of two."""
    assert set(rerun.units().status) == {"ok"}
    assert tree(rerun) == tree(built[0])


def test_a_clone_fetches_from_the_original(built: Built, tmp_path: Path) -> None:
    """A clone elsewhere gets one subject, and a build there finds nothing to do."""
    clone = tmp_path / "clone"
    origin = str(built[0].root)
    subprocess.run(["datalad", "clone", origin, str(clone)], check=True, capture_output=True)
    subject = sorted(built[0].subjects().subject)[0]
    subprocess.run(
        ["datalad", "get", f"datasets/internal/sub-{subject}"],
        cwd=clone,
        check=True,
        capture_output=True,
    )
    images = list((clone / f"datasets/internal/sub-{subject}").rglob("*.nii.gz"))
    assert images
    assert all(path.exists() for path in images)
    report = build_all(Study(clone))
    assert {record.status for record in report.records} == {"notneeded"}


def test_the_converted_cohort_is_valid_bids(built: Built) -> None:
    """bids-validator finds no error in the cohort or in what is derived from it."""
    study, _ = built
    assert validate(study.root / "datasets/internal") == []


def test_nnunet_takes_every_build(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nnU-Net's own integrity check accepts each training set, and a set holds no image."""
    pytest.importorskip("nnunetv2", reason="needs the extra `train`")
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    study, _ = built
    folders = sorted((study.root / layout.BUILDS).iterdir())
    assert [folder.name for folder in folders] == [
        f"Dataset{501 + i}_CTA{name}" for i, name in enumerate(SETTINGS)
    ]
    for folder in folders:
        verify_dataset_integrity(str(folder), num_processes=1)
        assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
        splits = json.loads((folder / "splits_final.json").read_text("utf-8"))
        cases = set(json.loads((folder / "dataset.json").read_text("utf-8"))["dataset"])
        assert [set(s["train"]) | set(s["val"]) for s in splits] == [cases] * 2
        assert all(not set(s["train"]) & set(s["val"]) for s in splits)


def test_settings_see_the_right_patients(built: Built) -> None:
    """A and D hold patients drawn on MPRAGE, B and C on SPACE; none trains and tests."""
    study, _ = built
    merged = study.splits().merge(study.subjects(), on=["cohort", "subject"])
    merged["quality"] = merged.qualities.map(" ".join)
    qualities = merged.groupby("setting").quality.unique().apply(list).to_dict()
    assert qualities == {"A": ["NAQ"], "B": ["HAQ"], "C": ["HAQ"], "D": ["NAQ"]}
    partitions = merged.groupby("subject").partition_x.nunique()
    assert (partitions == 1).all()


def test_a_clone_without_the_raw_files_keeps_what_it_has(built: Built, tmp_path: Path) -> None:
    """Where sourcedata is not to be had, nothing is planned anew and no row is lost."""
    shared = copy_of(built[0], tmp_path)
    source = shared.root / shared.sourcedata_path("internal")
    subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
    shutil.rmtree(source)
    clone = tmp_path / "clone"
    subprocess.run(
        ["datalad", "clone", str(shared.root), str(clone)], check=True, capture_output=True
    )
    report = build_all(Study(clone))
    assert {record.status for record in report.records} == {"notneeded"}
    assert len(Study(clone).lesions()) == len(built[0].lesions())


@pytest.mark.thorough
def test_a_setting_of_the_study_s_own_with_another_phase(built: Built, tmp_path: Path) -> None:
    """A setting on the early phase gets brain images of it, and a training set of its own."""
    study = copy_of(built[0], tmp_path)
    path = study.root / "study.toml"
    setting = (
        '\n[build.settings.E]\ntechnique = "MPRAGE"\nquality = "HAQ"\n'
        'contrast_phase = "early"\ndataset_id = 505\n'
    )
    path.write_text(path.read_text("utf-8") + setting, "utf-8")
    study = Study(study.root)
    report = execute(study, [*SUBJECT_STEPS, build_step(study, "E")], RunOptions(command=COMMAND))
    assert not report.failures
    dataset = json.loads(
        (study.root / layout.BUILDS / "Dataset505_CTAE" / "dataset.json").read_text("utf-8")
    )
    images = [case["images"][0] for case in dataset["dataset"].values()]
    assert images
    assert all("acq-mprageEarly" in image and "desc-brain" in image for image in images)
