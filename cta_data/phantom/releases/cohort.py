"""Digital patients as the external cohorts are distributed, with the traps of the real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cta_data.errors import ConfigurationError
from cta_data.phantom.releases.case import Order, Release, WrittenCase
from cta_data.phantom.releases.changes import ChangesPlan
from cta_data.phantom.releases.susm import RELEASE as SUSM
from cta_data.phantom.releases.ukhd import RELEASE as UKHD
from cta_data.phantom.releases.ummc.release import RELEASE as UMMC
from cta_data.phantom.releases.ynhh import RELEASE as YNHH
from cta_data.phantom.writing import done, require_unused

# A process costs seconds before it makes its first patient.
_PATIENTS_A_WORKER = 4


@dataclass(frozen=True)
class WrittenCohort:
    """What `write_cohort` left on disk: `raw` as distributed, `truth`, cases, and traps laid."""

    raw: Path
    truth: Path
    cases: list[WrittenCase]
    traps: list[str]


WITH_SESSIONS = ("ummc",)
"""Cohorts whose patients have several sessions."""
RELEASES: dict[str, Release] = {"susm": SUSM, "ynhh": YNHH, "ummc": UMMC, "ukhd": UKHD}


def write_cohort(
    folder: Path,
    cohort: str,
    *,
    form: str = "",
    patients: int = 4,
    seed: int = 0,
    voxel_mm: float | None = None,
    workers: int = 1,
    changes: ChangesPlan | None = None,
) -> WrittenCohort:
    """Write a cohort into `folder/raw` as it is distributed, and its truth into `folder/truth`.

    The truth has `<case>.json` and `<case>_labels.nii.gz` for every evaluated image. The bytes
    depend on the arguments but `workers`, the number of processes.

    Parameters
    ----------
    cohort
        `susm`, `ynhh`, `ummc` or `ukhd`.
    form
        `png` or `nifti` (susm), `dicom` or `nrrd` (ummc), `nifti`; empty for the first. Both
        forms of a cohort show the same patients.
    voxel_mm
        Larger voxels for quick tests, 0.8 to 4 mm; None for those of the real cohort. PNG slices
        are read as 0.94 mm whatever they are: their heads are small then.
    changes
        Lesions that change from session to session (ummc alone), in place of those that are drawn
        at random; the truth has `<patient>_changes.json` then.

    Raises
    ------
    ConfigurationError
        An unknown cohort or form, no patients, a voxel size out of range, or a folder in use.
    """
    release, form = _checked(folder, cohort, form, patients, voxel_mm, workers)
    if changes and cohort not in WITH_SESSIONS:
        sessions = tuple(WITH_SESSIONS)
        raise ConfigurationError("phantom_changes_without_sessions", cohort=cohort, known=sessions)
    order = Order(folder, form, patients, seed, voxel_mm, changes=changes)
    orders = [replace(order, index=index) for index in range(patients)]
    write = partial(_write_patient, cohort)
    processes = min(workers, -(-patients // _PATIENTS_A_WORKER))
    cases = [case for written in done(write, orders, processes) for case in written]
    common = release.finish(folder, form, cases)
    traps = [f"{_name(case)}: {trap}" for case in cases for trap in case.traps]
    return WrittenCohort(folder / "raw", folder / "truth", cases, [*common, *traps])


def _write_patient(cohort: str, order: Order) -> list[WrittenCase]:
    # One thread: sums must not depend on their number.
    with threadpool_limits(1):
        return RELEASES[cohort].write_patient(order)


def _name(case: WrittenCase) -> str:
    return f"{case.source_id} {case.session}".strip()


def _checked(
    folder: Path, cohort: str, form: str, patients: int, voxel_mm: float | None, workers: int
) -> tuple[Release, str]:
    release = RELEASES.get(cohort)
    if release is None:
        raise ConfigurationError("phantom_cohort_unknown", cohort=cohort, releases=tuple(RELEASES))
    if form and form not in release.forms:
        raise ConfigurationError(
            "phantom_form_unknown", cohort=cohort, form=form, forms=tuple(release.forms)
        )
    if patients < 1 or workers < 1:
        raise ConfigurationError("phantom_counts_invalid", patients=patients, workers=workers)
    if voxel_mm is not None and not 0.8 <= voxel_mm <= 4.0:
        raise ConfigurationError("cohort_voxel_size_invalid", voxel_mm=voxel_mm)
    require_unused(folder)
    return release, form or release.forms[0]
