"""Made-up identities: what a hospital's headers say about a patient, easy to grep for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.uid import generate_uid

from cta_data.phantom.tables import table


@dataclass(frozen=True)
class PatientIdentity:
    """One patient's identity and the root of all UIDs. Dates are YYYYMMDD, times in seconds."""

    seed: int
    patient_id: str
    name: str
    birth_date: str
    sex: str
    age_years: int
    weight_kg: float
    institution: str
    referring_physician: str
    accession: int
    mr_date: str
    ct_date: str
    mr_start_s: int
    ct_start_s: int

    def uid(self, *parts: object) -> str:
        """A UID that depends on the seed and on `parts` alone."""
        return str(generate_uid(entropy_srcs=["cta_data.phantom", str(self.seed), repr(parts)]))


def make_identity(seed: int) -> PatientIdentity:
    """Draw an identity; 576 consecutive seeds have 576 different family names."""
    rng = np.random.default_rng([seed, 0x1D])
    starts, ends = table("identities", "family_start"), table("identities", "family_end")
    start, end = divmod(seed % (len(starts) * len(ends)), len(ends))
    sex = "F" if rng.random() < 0.5 else "M"
    age = int(np.clip(round(rng.normal(62.0, 9.0)), 25, 88))
    year, month, day = (
        2019 + int(rng.integers(4)),
        int(rng.integers(1, 13)),
        int(rng.integers(1, 27)),
    )
    birth = f"{year - age - 1}{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
    given = _one_of(rng, "given", sex)
    return PatientIdentity(
        seed=seed,
        patient_id=f"HWS{(seed * 7919 + 31_415_927) % 100_000_000:08d}",
        name=f"{starts[start]}{ends[end]}^{given}",
        birth_date=birth,
        sex=sex,
        age_years=age,
        weight_kg=float(round(rng.normal(76.0, 12.0), 1)),
        institution=_one_of(rng, "hospitals"),
        referring_physician=_one_of(rng, "physicians"),
        accession=int(rng.integers(10_000_000, 99_999_999)),
        mr_date=f"{year}{month:02d}{day:02d}",
        ct_date=f"{year}{month:02d}{day + int(rng.integers(0, 3)):02d}",
        mr_start_s=int(rng.integers(7 * 3600, 15 * 3600)),
        ct_start_s=int(rng.integers(16 * 3600, 18 * 3600)),
    )


def _one_of(rng: np.random.Generator, *keys: str) -> str:
    names: list[str] = table("identities", *keys)
    return names[int(rng.integers(len(names)))]


def dicom_time(seconds: float) -> str:
    """Seconds of the day as a DICOM time, HHMMSS.FFFFFF."""
    whole = int(seconds)
    fraction = round((seconds - whole) * 1_000_000)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{fraction:06d}"
