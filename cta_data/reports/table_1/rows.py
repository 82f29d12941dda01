"""The rows of Table 1: their names, how they are grouped, and what they are called in print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cta_data.cohorts.clinical.vocabulary import PRIMARY_TUMOUR

Kind = Literal["count", "spread", "mean_sd"]

SEXES = ("female", "male")


@dataclass(frozen=True)
class PrintedLine:
    """One printed line, made of one or several rows of the long form.

    `spread` is a centre with quartiles, or with the SD where the paper gives that; `mean_sd` is a
    mean with its SD.
    """

    group: str
    label: str
    rows: tuple[str, ...]
    kind: Kind = "count"
    decimals: int = 0
    optional: bool = False
    """Whether the line is left out where it is nought everywhere."""


def _counts(
    group: str, labels: dict[str, str], *, optional: bool = False
) -> tuple[PrintedLine, ...]:
    return tuple(
        PrintedLine(group, label, (row,), optional=optional) for row, label in labels.items()
    )


AGE = ("age_centre", "age_q1", "age_q3", "age_sd")
VOLUME = "lesion_volume_{}_cm3"
LINES: tuple[PrintedLine, ...] = (
    *_counts(
        "Patients",
        {
            "patients": "Patients",
            "patients_with_public_annotations": "with annotations",
            "sessions": "Sessions evaluated",
        },
    ),
    *_counts("Sex", {"female": "Female", "male": "Male"}),
    *_counts("Sex", {"sex_other": "Other", "sex_not_given": "Not given"}, optional=True),
    PrintedLine("Age", "Years: median (quartiles) or mean ± SD", AGE, "spread", decimals=1),
    *_counts("Age", {"age_not_given": "Not given"}, optional=True),
    *_counts("Primary tumour", {f"primary_{name}": name.capitalize() for name in PRIMARY_TUMOUR}),
    *_counts(
        "Primary tumour",
        {"primary_unrecognised": "Not of the vocabulary", "primary_not_given": "Not given"},
        optional=True,
    ),
    *_counts(
        "Prior radiotherapy of the brain",
        {
            "prior_none": "None",
            "prior_srs": "Stereotactic radiosurgery",
            "prior_wbrt": "Whole-brain radiotherapy",
        },
    ),
    *_counts(
        "Prior radiotherapy of the brain",
        {"prior_unrecognised": "Not of the vocabulary", "prior_not_given": "Not given"},
        optional=True,
    ),
    *_counts("Lesions", {"lesions": "Lesions"}),
    *_counts("Lesions", {"lesions_lost": "Lost on the grid (not in the volumes)"}, optional=True),
    PrintedLine(
        "Lesions",
        "Volume, cm³: median (quartiles)",
        tuple(VOLUME.format(name) for name in ("median", "q1", "q3")),
        "spread",
        decimals=2,
    ),
    PrintedLine(
        "Lesions",
        "Volume, cm³: mean ± SD",
        tuple(VOLUME.format(name) for name in ("mean", "sd")),
        "mean_sd",
        decimals=2,
    ),
)
