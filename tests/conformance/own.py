"""A user's own cohorts, each read by a card alone: NIfTI, BIDS, RTSTRUCT and DICOM SEG."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from conformance.digital import SEXES, headers_of, make_trial
from conformance.raw_cohort import RawCohort, RawSession
from helpers.command_line import run_cta
from helpers.raw_volumes import RawVolume, onto_axes
from helpers.segmentation_objects import make_segmentation
from scipy import ndimage

from cta_data.phantom import WrittenCase, WrittenPatient, write_cohort

NAMES = ("Hinterhuber Xaver", "Obermoser Theres")
EVERY_NEIGHBOUR = np.ones((3, 3, 3), dtype=bool)


def write_clinic(folder: Path) -> RawCohort:
    """Write a clinic's NIfTI files: names of patients in paths, in NIfTI and in gzip headers."""
    written = write_cohort(folder / "digital", "ukhd", patients=2, seed=2, voxel_mm=3.0)
    export, sessions = folder / "export", []
    table = ["patient;sex;age;phone"]
    for name, case in zip(NAMES, written.cases, strict=True):
        visit = export / name / "visit 3"
        visit.mkdir(parents=True)
        channels = str(case.image).removesuffix("1.nii.gz")
        _named_copy(case.image, visit / "t1 post.nii.gz", name)
        _named_copy(Path(f"{channels}2.nii.gz"), visit / "flair.nii.gz", name)
        assert case.label
        mask = visit / f"drawn by {name.split()[0]}.nii.gz"
        _named_copy(case.label, mask, name)
        table.append(f"{name};{case.person.sex};{case.person.age_years};0170-998877")
        sessions.append(
            RawSession(
                name,
                "3",
                {
                    ("MPRAGE", "post"): RawVolume("nifti", (visit / "t1 post.nii.gz",)),
                    ("FLAIR", "none"): RawVolume("nifti", (visit / "flair.nii.gz",)),
                },
                mask=RawVolume("nifti", (mask,), (2,)),
                n_lesions=case.n_lesions,
                person={"age": str(case.person.age_years), "sex": SEXES[case.person.sex]},
            )
        )
    (export / "patients.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    secrets = tuple(part for name in NAMES for part in name.split())
    damaged = export / NAMES[1] / "visit 3" / "t1 post.nii.gz"
    return RawCohort(export, tuple(sessions), (NAMES[1], "3"), damaged, secrets, ("patients.csv",))


def _named_copy(source: Path, target: Path, name: str) -> None:
    """Copy an image with a patient's name where programs put it."""
    content = bytearray(gzip.decompress(source.read_bytes()))
    content[148:228] = name.encode().ljust(80, b"\0")
    with target.open("wb") as raw, gzip.GzipFile(f"{name}.nii", "wb", fileobj=raw) as packed:
        packed.write(content)


def write_bids(folder: Path) -> RawCohort:
    """Write a BIDS dataset: raw T1w, masks below derivatives, participants.tsv, a session each."""
    written = write_cohort(folder / "digital", "ynhh", patients=2, seed=3, voxel_mm=3.0)
    export = folder / "export"
    sessions = [_bids_session(export, f"A{n}x", case) for n, case in enumerate(written.cases, 1)]
    rows = [f"{s.source_id}\t{s.person['sex'][0].upper()}\t{s.person['age']}" for s in sessions]
    table = "\n".join(["participant_id\tsex\tage", *rows]) + "\n"
    (export / "participants.tsv").write_text(table, encoding="utf-8")
    description = {"Name": "A BIDS dataset", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (export / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    victim = sessions[1]
    damaged = victim.images["MPRAGE", "post"].paths[0]
    public = ("participants.tsv", "dataset_description.json")
    return RawCohort(
        export, tuple(sessions), (victim.source_id, "pre"), damaged, public_names=public
    )


def _bids_session(export: Path, label: str, case: WrittenCase) -> RawSession:
    stem = f"sub-{label}_ses-pre"
    image = export / f"sub-{label}" / "ses-pre" / "anat" / f"{stem}_T1w.nii.gz"
    mask = export / "derivatives" / "lesions" / f"sub-{label}" / "ses-pre" / "anat"
    mask = mask / f"{stem}_label-lesion_mask.nii.gz"
    for path in (image, mask):
        path.parent.mkdir(parents=True)
    shutil.copyfile(case.image, image)
    assert case.label
    codes = nib.load(case.label)
    lesion = np.isin(np.asanyarray(codes.dataobj), (1, 3)).astype(np.uint8)
    nib.save(nib.Nifti1Image(lesion, codes.affine), mask)
    return RawSession(
        f"sub-{label}",
        "pre",
        {("MPRAGE", "post"): RawVolume("nifti", (image,))},
        label=label,
        mask=RawVolume("nifti", (mask,), (1,)),
        n_lesions=case.n_lesions,
        person={"age": str(case.person.age_years), "sex": SEXES[case.person.sex]},
    )


def write_openms(folder: Path, shared: Path) -> RawCohort:
    """Lay out patient12 as published, with its mask brought to the first FLAIR as users have to."""
    export = folder / "export"
    shutil.copytree(shared / "nii_openms_p12" / "raw", export)
    patient = export / "patient12"
    there = sitk.ReadTransform(str(patient / "study1_FLAIR_to_common_space.txt"))
    sitk.WriteTransform(there.GetInverse(), str(folder / "to_common.tfm"))
    common, mask = patient / "gt.nii.gz", patient / "study1_gt.nii.gz"
    carried = folder / "carried.nii.gz"
    words = (common, common, patient / "study1_FLAIR.nii.gz", carried)
    outcome = run_cta("transfer-mask", *words, "--transform", folder / "to_common.tfm")
    assert outcome.code == 0, outcome.text
    labels = nib.load(carried)
    lesion = (np.asanyarray(labels.dataobj) > 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(lesion, labels.affine), mask)
    sessions = tuple(
        RawSession(
            "patient12",
            str(visit),
            {
                ("T1", "none"): RawVolume("nifti", (patient / f"study{visit}_T1W.nii.gz",)),
                ("FLAIR", "none"): RawVolume("nifti", (patient / f"study{visit}_FLAIR.nii.gz",)),
            },
            label="12",
            mask=RawVolume("nifti", (mask,), (1,)) if visit == 1 else None,
            n_lesions=ndimage.label(lesion, EVERY_NEIGHBOUR)[1] if visit == 1 else 0,
            excluded="" if visit == 1 else "no annotation was delivered",
        )
        for visit in (1, 2)
    )
    damaged = patient / "study2_T1W.nii.gz"
    return RawCohort(export, sessions, ("patient12", "2"), damaged)


def write_sarcoma(folder: Path, shared: Path) -> RawCohort:
    """Lay out T1 and structure set of STS_002 and STS_003 as a planning system exports them."""
    export, sessions = folder / "export", []
    for number in ("002", "003"):
        source = shared / f"rt_ibsi_val_STS_{number}" / "dicom" / f"STS_{number}" / "MR_T1"
        target = Path(shutil.copytree(source, export / number))
        slices = tuple(sorted((target / "image").iterdir()))
        places = [float(ds.ImagePositionPatient[2]) for ds in headers_of(slices)]
        sessions.append(
            RawSession(
                f"STS_{number}",
                "1",
                {("T1", "none"): RawVolume("dicom", slices)},
                mask=RawVolume("contours", tuple((target / "mask").iterdir())),
                n_lesions=1,
                lesions=("GTV_Mass_MR_T1",),
                step_mm=abs(places[-1] - places[0]) / (len(places) - 1),
                person={"sex": {"002": "male", "003": "female"}[number]},
            )
        )
    damaged = sessions[1].images["T1", "none"].paths[3]
    return RawCohort(export, tuple(sessions), ("STS_003", "1"), damaged)


def write_segmented(folder: Path) -> RawCohort:
    """Write planning MR of two patients, each with a DICOM SEG of its lesions and an organ."""
    patients = make_trial(folder / "digital", n_naq=2, n_haq=0, seed=8)
    sessions = [_segmented_session(patient, folder / "export") for patient in patients]
    victim = sessions[1]
    damaged = victim.images["MPRAGE", "late"].paths[5]
    return RawCohort(folder / "export", tuple(sessions), (victim.source_id, "1"), damaged)


def _segmented_session(patient: WrittenPatient, export: Path) -> RawSession:
    target = export / f"{len(list(export.glob('*')))}"
    target.mkdir(parents=True)
    slices = tuple(
        Path(shutil.copyfile(path, target / f"{n:04d}.dcm"))
        for n, path in enumerate(patient.series["MPRAGE-late"])
    )
    image = RawVolume("dicom", slices)
    voxels, affine = image.read()
    truth = nib.load(patient.truth / "lesions_MPRAGE.nii.gz")
    labels, _ = onto_axes((np.asanyarray(truth.dataobj), truth.affine), affine)
    assert labels.shape == voxels.shape
    present = [int(n) for n in np.unique(labels) if n]
    ventricle = np.zeros_like(labels, dtype=bool)
    ventricle[tuple(n // 2 for n in labels.shape)] = not labels[tuple(n // 2 for n in labels.shape)]
    segments = [labels == n for n in present] + [ventricle]
    # highdicom wants slice, row and column; the series was read as column, row and slice.
    masks = np.stack([segment.transpose(2, 1, 0) for segment in segments], axis=-1)
    names = [*(f"Metastasis {n}" for n in present), "Ventricle"]
    written = make_segmentation(headers_of(slices), masks.astype(np.uint8), names)
    # highdicom dates it today, and today's date is in every log.
    written.ContentDate = written.InstanceCreationDate = written.SeriesDate = "20200103"
    path = target / "segmentation.dcm"
    written.save_as(path)
    identity = json.loads((patient.truth / "patient.json").read_text("utf-8"))["identity"]
    return RawSession(
        patient.patient_id,
        "1",
        {("MPRAGE", "late"): image},
        mask=RawVolume("seg", (path,), tuple(range(1, len(present) + 1))),
        n_lesions=len(present),
        person={"age": str(identity["age_years"]), "sex": SEXES[identity["sex"]]},
    )
