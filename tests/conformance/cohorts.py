"""The cohorts that the conformance suite holds against its checks: a new card is a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from conformance import digital, own
from conformance.raw_cohort import RawCohort

from cta_data.cohorts import shipped_card_text

CARDS = Path(__file__).parent / "cards"


def as_it_is(card: str) -> str:
    """Leave a card as it is."""
    return card


@dataclass(frozen=True)
class ConformanceCase:
    """A cohort in one form of delivery.

    Attributes
    ----------
    name
        What the checks are called after.
    cohort
        Name of the cohort; its card is that of `cards/`, or the one of the package.
    write
        Writes the raw form into a folder; takes the folder of shared real data as well where
        `real` says so.
    mask_values
        Values that masks may hold as delivered.
    decide
        Fills in what the package's card leaves to the owner of the data.
    settings
        Changes of study.toml: text to text that takes its place.
    real
        Folders of shared real data that it needs; it is skipped where they are not there.
    """

    name: str
    cohort: str
    write: Callable[..., RawCohort]
    mask_values: frozenset[int] = frozenset()
    decide: Callable[[str], str] = as_it_is
    settings: Mapping[str, str] = field(default_factory=dict)
    real: tuple[str, ...] = ()

    def card_text(self) -> str:
        """Return the text of the cohort's card."""
        own_card = CARDS / f"{self.cohort}.toml"
        text = own_card.read_text("utf-8") if own_card.is_file() else shipped_card_text(self.cohort)
        return self.decide(text)

    def __str__(self) -> str:
        return self.name


CASES = (
    ConformanceCase("internal", "internal", digital.write_internal),
    ConformanceCase(
        "susm-png", "susm", partial(digital.write_susm, form="png"), frozenset({0, 255})
    ),
    ConformanceCase(
        "susm-nifti", "susm", partial(digital.write_susm, form="nifti"), frozenset({0, 1})
    ),
    ConformanceCase("ynhh", "ynhh", digital.write_ynhh, frozenset({0, 1, 2, 3})),
    ConformanceCase(
        "ummc-nrrd", "ummc", partial(digital.write_ummc, form="nrrd"), frozenset({0, 1})
    ),
    ConformanceCase("ummc-dicom", "ummc", partial(digital.write_ummc, form="dicom")),
    ConformanceCase(
        "ukhd", "ukhd", digital.write_ukhd, frozenset({0, 1, 2}), decide=digital.decide_ukhd
    ),
    ConformanceCase("user-nifti", "clinic", own.write_clinic, frozenset({0, 1, 2})),
    ConformanceCase("user-bids", "bidsin", own.write_bids, frozenset({0, 1})),
    ConformanceCase("user-dicom-seg", "segmented", own.write_segmented),
    ConformanceCase(
        "user-dicom-rtstruct-real",
        "sarcoma",
        own.write_sarcoma,
        settings={
            "[registration]": '[transfer]\ngrids = ["T1"]\n\n[registration]\nhub = "T1"',
            'backend = "morphology"': 'backend = "none"',
        },
        real=("rt_ibsi_val_STS_002", "rt_ibsi_val_STS_003"),
    ),
    ConformanceCase(
        "user-nifti-real",
        "openms",
        own.write_openms,
        frozenset({0, 1}),
        settings={
            "[registration]": '[transfer]\ngrids = ["T1", "FLAIR"]\n\n[registration]\nhub = "T1"',
        },
        real=("nii_openms_p12",),
    ),
)
"""Every cohort in every form, and a user's own of every kind."""
