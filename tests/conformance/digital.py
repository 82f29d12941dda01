"""Digital patients as the internal trial and the external cohorts deliver them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
from conformance.raw_cohort import RawCohort, RawSession, Role
from helpers.raw_volumes import RawVolume

from cta_data.phantom import VoxelSizes, WrittenCase, WrittenPatient, write_cohort, write_trial

SIZES = VoxelSizes(mprage=3.0, space=3.0, ct_in_plane=3.0, ct_slice=3.0)
TRIAL_ROLES: Mapping[str, Role] = {
    "MPRAGE-none": ("MPRAGE", "none"),
    "MPRAGE-early": ("MPRAGE", "early"),
    "MPRAGE-late": ("MPRAGE", "late"),
    "SPACE": ("SPACE", "late"),
    "CT": ("CT", "none"),
}
SUSM_ROLES: Mapping[Role, str] = {
    ("MPRAGE", "post"): "0 bravo",
    ("SPACE", "none"): "1 t1_pre",
    ("SPACE", "post"): "2 t1_gd",
    ("FLAIR", "post"): "3 flair",
}
SUSM_SPACING = (0.94, 0.94, 1.0)
SEXES = {"F": "female", "M": "male"}
UNKNOWN = {"age": "n/a", "sex": "n/a"}


def make_trial(folder: Path, *, n_naq: int, n_haq: int, seed: int) -> list[WrittenPatient]:
    """Write the trial's digital patients in small size."""
    return write_trial(folder, n_naq=n_naq, n_haq=n_haq, seed=seed, voxel_sizes=SIZES)


def write_internal(folder: Path) -> RawCohort:
    """Write two patients of the trial: one drawn on MPRAGE, one on SPACE."""
    patients = make_trial(folder, n_naq=1, n_haq=1, seed=5)
    victim = patients[1]
    return RawCohort(
        folder / "raw",
        tuple(_trial_session(patient) for patient in patients),
        (victim.patient_id, "1"),
        victim.series["MPRAGE-late"][7],
    )


def _trial_session(patient: WrittenPatient) -> RawSession:
    rows = json.loads((patient.truth / "lesions.json").read_text("utf-8"))
    identity = json.loads((patient.truth / "patient.json").read_text("utf-8"))["identity"]
    names = tuple(row["drawn"]["roi_names"]["GTV"] for row in rows if row["drawn"])
    return RawSession(
        patient.patient_id,
        "1",
        {TRIAL_ROLES[k]: RawVolume("dicom", tuple(v)) for k, v in patient.series.items()},
        mask=RawVolume("contours", (patient.structure_set,)),
        n_lesions=len(names),
        lesions=names,
        step_mm=SIZES.ct_slice,
        person={"age": str(identity["age_years"]), "sex": SEXES[identity["sex"]]},
    )


def write_susm(folder: Path, form: str) -> RawCohort:
    """Write SUSM: two labelled patients and Mets_307, which has neither mask nor FLAIR."""
    written = write_cohort(
        folder, "susm", form=form, patients=3, seed=1, voxel_mm=3.0 if form == "nifti" else 4.0
    )
    sessions = []
    for case in written.cases:
        number = case.source_id.removeprefix("Mets_")
        images = _susm_images(case, form)
        seg = case.label
        sessions.append(
            RawSession(
                case.source_id,
                "1",
                images,
                label=f"susm{number}",
                mask=_susm_volume(seg, form, (255,) if form == "png" else (1,)) if seg else None,
                n_lesions=case.n_lesions if case.annotated else 0,
                excluded="" if case.annotated else "no annotation was delivered",
                missing=() if ("FLAIR", "post") in images else ("FLAIR (post)",),
                person=UNKNOWN,
            )
        )
    victim = written.cases[1]
    damaged = victim.image / "7.png" if form == "png" else victim.image
    public = ("seg.nii", "seg.nii.gz")  # the ending of every name of labels
    return RawCohort(
        written.raw, tuple(sessions), (victim.source_id, "1"), damaged, public_names=public
    )


def _susm_images(case: WrittenCase, form: str) -> dict[Role, RawVolume]:
    images = {}
    for role, names in SUSM_ROLES.items():
        folder, stem = names.split()
        ending = "".join(case.image.suffixes)
        path = case.image.parent / (folder if form == "png" else stem + ending)
        if path.exists():
            images[role] = _susm_volume(path, form)
    return images


def _susm_volume(path: Path, form: str, values: tuple[int, ...] = ()) -> RawVolume:
    if form == "nifti":
        return RawVolume("nifti", (path,), values)
    return RawVolume("png", tuple(path.glob("*.png")), values, SUSM_SPACING)


def write_ynhh(folder: Path) -> RawCohort:
    """Write YNHH: a lesion with a core, several lesions, and a case of oedema alone."""
    written = write_cohort(folder, "ynhh", patients=3, seed=1, voxel_mm=3.0)
    stems = {
        ("MPRAGE", "post"): "t1c",
        ("MPRAGE", "none"): "t1n",
        ("FLAIR", "none"): "t2f",
        ("T2", "none"): "t2w",
    }
    sessions = []
    for case in written.cases:
        assert case.label
        truth = json.loads(case.truth.read_text("utf-8"))
        start = str(case.image).removesuffix("t1c.nii.gz")
        sessions.append(
            RawSession(
                case.source_id,
                case.session,
                {
                    role: RawVolume("nifti", (Path(f"{start}{stem}.nii.gz"),))
                    for role, stem in stems.items()
                },
                label=case.source_id.removeprefix("BraTS-MET-"),
                mask=RawVolume("nifti", (case.label,), (1, 3)),
                n_lesions=case.n_lesions,
                person={"age": str(truth["age_years"]), "sex": SEXES[truth["sex"]]},
            )
        )
    victim = written.cases[1]
    return RawCohort(written.raw, tuple(sessions), (victim.source_id, victim.session), victim.image)


def write_ummc(folder: Path, form: str) -> RawCohort:
    """Write UMMC: a patient of one course and one of two; both forms show the same."""
    written = write_cohort(folder, "ummc", form=form, patients=2, seed=1, voxel_mm=3.0)
    sessions = tuple(_ummc_session(case, form) for case in written.cases)
    victim = written.cases[0]
    damaged = victim.image if form == "nrrd" else sorted(victim.image.iterdir())[9]
    return RawCohort(written.raw, sessions, (victim.source_id, victim.session), damaged)


def _ummc_session(case: WrittenCase, form: str) -> RawSession:
    truth = json.loads(case.truth.read_text("utf-8"))
    names = tuple(lesion["name"] for lesion in truth["lesions"])
    if form == "nrrd":
        image = RawVolume("nrrd", (case.image,))
        dose = RawVolume("nrrd", tuple(case.image.parent.glob("*_dose.nrrd")))
        mask = RawVolume("nrrd", tuple(case.image.parent.glob("*_L*.nrrd")), (1,))
    else:
        assert case.label
        image = RawVolume("dicom", tuple(case.image.iterdir()))
        dose = RawVolume("dose", tuple(case.image.parent.glob("28641.*/1-1.dcm")))
        mask = RawVolume("contours", (case.label,))
    return RawSession(
        case.source_id,
        case.session,
        {("MPRAGE", "post"): image, ("DOSE", "none"): dose},
        label=case.source_id.removeprefix("GK_"),
        mask=mask,
        n_lesions=case.n_lesions,
        lesions=names,
        step_mm=3.0,
        excluded="" if case.session == "1" else "a later course of treatment",
        person={"age": str(truth["age_years"]), "sex": SEXES[truth["sex"]]},
    )


def write_ukhd(folder: Path) -> RawCohort:
    """Write UKHD: two patients; enhancing tumour is 2 and oedema is 1."""
    written = write_cohort(folder, "ukhd", patients=2, seed=1, voxel_mm=3.0)
    channels = {("MPRAGE", "none"): 0, ("MPRAGE", "post"): 1, ("FLAIR", "none"): 2}
    sessions = []
    for case in written.cases:
        assert case.label
        start = str(case.image).removesuffix("1.nii.gz")
        images = {
            role: RawVolume("nifti", (Path(f"{start}{channel}.nii.gz"),))
            for role, channel in channels.items()
        }
        sessions.append(
            RawSession(
                case.source_id,
                "1",
                images,
                mask=RawVolume("nifti", (case.label,), (2,)),
                n_lesions=case.n_lesions,
                person=UNKNOWN,
            )
        )
    victim = written.cases[1]
    return RawCohort(written.raw, tuple(sessions), (victim.source_id, "1"), victim.image)


def decide_ukhd(card: str) -> str:
    """Fill in the codes of labels, which only the owner of the data knows."""
    card = card.replace("# lesion_values = [1] ", "lesion_values = [2] ")
    return card.replace("# other_values = { 2 =", "other_values = { 1 =")


def headers_of(series: tuple[Path, ...]) -> list[pydicom.Dataset]:
    """Read a series in the order of its positions along the normal of its slices."""
    slices = [pydicom.dcmread(path) for path in series]
    iop = np.array(slices[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(iop[:3], iop[3:])
    return sorted(slices, key=lambda ds: float(normal @ np.array(ds.ImagePositionPatient, float)))
