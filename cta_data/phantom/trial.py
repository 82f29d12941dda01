"""A small trial of digital patients, written as a hospital's export beside its truth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cta_data.errors import ConfigurationError
from cta_data.phantom.annotations import annotate
from cta_data.phantom.export import hospital
from cta_data.phantom.export.annotations import (
    WrittenAnnotation,
    write_annotations,
    write_annotations_truth,
)
from cta_data.phantom.export.dicom import WrittenSeries
from cta_data.phantom.export.identity import PatientIdentity, make_identity
from cta_data.phantom.export.truth import write_truth
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient
from cta_data.phantom.readers_plan import ReadersPlan
from cta_data.phantom.writing import done, require_unused


@dataclass(frozen=True)
class WrittenPatient:
    """What `write_patient` left on disk. `raw` is the patient's export, `truth` its truth.

    `structure_set` and `lesions_drawn` are those of the patient's own reader; `annotations` are
    all, that one first.
    """

    patient_id: str
    seed: int
    quality: str
    lesions: int
    lesions_drawn: int
    raw: Path
    truth: Path
    series: dict[str, list[Path]]
    structure_set: Path
    registration: Path | None
    annotations: tuple[WrittenAnnotation, ...]


def write_trial(
    folder: Path,
    *,
    n_naq: int,
    n_haq: int,
    seed: int = 0,
    voxel_sizes: VoxelSizes | None = None,
    phases: tuple[str, ...] = ("none", "early", "late"),
    workers: int = 1,
    readers: ReadersPlan | None = None,
) -> list[WrittenPatient]:
    """Write a trial into `folder/raw` (the export) and `folder/truth/<PatientID>`.

    Groups alternate while both last. The bytes do not depend on `workers`, the number of processes.
    With a plan of `readers`, patients have several annotations; everything else is as without.

    Raises
    ------
    ConfigurationError
        When there is no patient to make, `folder` already holds a trial, or the plan needs more
        patients.
    """
    if n_naq < 0 or n_haq < 0 or n_naq + n_haq == 0 or workers < 1:
        raise ConfigurationError(
            "phantom_trial_counts_invalid", n_naq=n_naq, n_haq=n_haq, workers=workers
        )
    require_unused(folder)
    qualities = list(_alternating(n_naq, n_haq))
    plans = readers.of_patients(qualities) if readers else [None] * len(qualities)
    jobs = list(zip(range(len(qualities)), qualities, plans, strict=True))
    write = partial(
        _write_numbered, folder=folder, trial_seed=seed, voxel_sizes=voxel_sizes, phases=phases
    )
    return done(write, jobs, min(workers, len(jobs)))


def _alternating(n_naq: int, n_haq: int) -> Iterator[str]:
    for i in range(max(n_naq, n_haq)):
        if i < n_naq:
            yield "NAQ"
        if i < n_haq:
            yield "HAQ"


def _write_numbered(
    job: tuple[int, str, ReadersPlan | None],
    *,
    folder: Path,
    trial_seed: int,
    voxel_sizes: VoxelSizes | None,
    phases: tuple[str, ...],
) -> WrittenPatient:
    index, quality, readers = job
    # Fifth patients share a remainder with the first: mixing in the pair keeps the groups from
    # always getting the same motion and registration.
    patient_seed = trial_seed * 100_000 + index + index // 4
    return write_patient(
        folder,
        seed=patient_seed,
        quality=quality,
        voxel_sizes=voxel_sizes,
        phases=phases,
        readers=readers,
    )


def write_patient(
    folder: Path,
    *,
    seed: int,
    quality: str = "HAQ",
    voxel_sizes: VoxelSizes | None = None,
    phases: tuple[str, ...] = ("none", "early", "late"),
    readers: ReadersPlan | None = None,
) -> WrittenPatient:
    """Make one patient and write its export below `folder/raw` and its truth below `folder/truth`.

    With a plan of `readers`, of whose numbers of patients 1 means this one, the patient has several
    annotations: a structure set for each, and the files annotations.json and links.json beside the
    truth.

    Raises
    ------
    ConfigurationError
        When a voxel size, the quality or a phase is impossible, or the plan needs more patients.
    FileExistsError
        When the patient is already there.
    """
    plan = readers.of_patients([quality])[0] if readers else None
    patient = generate_patient(seed, quality=quality, voxel_sizes=voxel_sizes, phases=phases)
    who = make_identity(seed)
    raw = folder / "raw" / _meaningless(who, "patient")
    raw.mkdir(parents=True)
    rng = np.random.default_rng([seed, 0xF11E])
    frames = _frames_of_reference(who, patient)
    series: dict[str, WrittenSeries] = {}
    for key, image in patient.images.items():
        technique = key.split("-")[0]
        paths = _file_names(raw, who, key, image.GetSize()[2])
        grid = patient.grids[technique]
        series[key] = hospital.write_series(who, key, frames[technique], image, grid, paths)
    annotations = annotate(patient, plan)
    path_of = partial(_structure_set, raw, who)
    written = write_annotations(who, patient, series["CT"], annotations, path_of)
    registration = _write_registration(who, patient, series, raw)
    _write_clutter(rng, who, patient, series, raw, frames["MPRAGE"])
    truth = folder / "truth" / who.patient_id
    write_truth(who, patient, truth, set(written[0].roi_numbers))
    if plan:
        write_annotations_truth(patient, annotations, written, truth)
    return WrittenPatient(
        patient_id=who.patient_id,
        seed=seed,
        quality=quality,
        lesions=len(patient.lesions),
        lesions_drawn=len(patient.drawn),
        raw=raw,
        truth=truth,
        series={key: written.paths for key, written in series.items()},
        structure_set=written[0].structure_set,
        registration=registration,
        annotations=tuple(written),
    )


def _structure_set(raw: Path, who: PatientIdentity, number: int) -> Path:
    """The file of a structure set of a patient, by its number from 0."""
    return raw / _meaningless(who, "rt", *([number] if number else [])) / "RS0001.dcm"


def _frames_of_reference(who: PatientIdentity, patient: DigitalPatient) -> dict[str, str]:
    mprage = who.uid("frame", "MPRAGE")
    space = who.uid("frame", "SPACE") if patient.space_moved else mprage
    return {"MPRAGE": mprage, "SPACE": space, "CT": who.uid("frame", "CT")}


def _meaningless(who: PatientIdentity, *parts: object) -> str:
    """A folder name of eight characters that says nothing, the same for the same seed."""
    text = f"{who.seed}/{'/'.join(str(p) for p in parts)}"
    return hashlib.sha256(text.encode()).hexdigest()[:8].upper()


def _file_names(raw: Path, who: PatientIdentity, key: str, count: int) -> list[Path]:
    """File names in slice order; some numbers are shuffled, some have no extension."""
    rng = np.random.default_rng([who.seed, sum(key.encode())])
    folder = raw / _meaningless(who, key, "outer") / _meaningless(who, key)
    folder.mkdir(parents=True)
    numbers = rng.permutation(count) if rng.random() < 0.5 else np.arange(count)
    extension = str(rng.choice([".dcm", "", ".IMA"]))
    return [folder / f"I{int(n):07d}{extension}" for n in numbers]


def _write_registration(
    who: PatientIdentity, patient: DigitalPatient, series: dict[str, WrittenSeries], raw: Path
) -> Path | None:
    """The Spatial Registration object of a patient who has one: an entry for each MR frame."""
    if not patient.has_registration:
        return None
    path = raw / _meaningless(who, "reg") / "RE0001"
    mprages = [written for key, written in series.items() if key.startswith("MPRAGE")]
    moving = [(mprages[-1], patient.between("MPRAGE", "CT"))]
    others = mprages[:-1]
    if patient.space_moved:
        moving.append((series["SPACE"], patient.between("SPACE", "CT")))
    else:
        others = [*others, series["SPACE"]]
    hospital.write_registration(who, series["CT"], moving, others, path)
    return path


def _write_clutter(
    rng: np.random.Generator,
    who: PatientIdentity,
    patient: DigitalPatient,
    series: dict[str, WrittenSeries],
    raw: Path,
    frame_uid: str,
) -> None:
    """Localizer, presentation state, dose report, and copies of files of two series."""
    paths = _file_names(raw, who, "localizer", 3)
    hospital.write_localizer(who, patient, frame_uid, paths)
    odds = raw / _meaningless(who, "odds")
    hospital.write_presentation_state(who, series["SPACE"], odds / "PR0001")
    hospital.write_dose_report(who, series["CT"], odds / "SR0001.dcm")
    hospital.copy_some(rng, series["CT"], raw / _meaningless(who, "copies", 1), 3)
    hospital.copy_some(rng, series["SPACE"], raw / _meaningless(who, "copies", 2), 2)
