"""Conventions of scoring: what is an instance, when it is detected, what an empty mask means."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cta_data.errors import ConfigurationError

CONNECTIVITIES = (6, 18, 26)


@dataclass(frozen=True)
class ChallengeRules:
    """What the scorer of the BraTS-METS challenge adds; see `cta_data.scoring.challenge`.

    Attributes
    ----------
    large_mm3
        A lesion of the reference is large from this volume on, and small below it.
    least_dice
        In the counts of small and of large lesions, one is found where its Dice is at least this.
    penalty_mm
        Hausdorff distance of a missed or a false lesion.
    """

    large_mm3: float = 27.0
    least_dice: Fraction = Fraction(1, 5)
    penalty_mm: float = 373.0

    def found(self, intersection: int, reference: int, predicted: int) -> bool:
        """Return whether the Dice of a pair is high enough, compared in whole numbers."""
        limit = self.least_dice
        return 2 * intersection * limit.denominator >= limit.numerator * (reference + predicted)


@dataclass(frozen=True)
class Convention:
    """One set of rules; every output names it.

    Attributes
    ----------
    connectivity
        Neighbours of a voxel that belong to its component: 6, 18 or 26.
    dilate_voxels
        Radius (voxels) of the ball that both masks are dilated by before components are found; the
        components are then cut back to the masks. 0 for no dilation.
    threshold
        A matched pair is detected where its Dice is above it.
    single_precision
        Whether Dice is compared as a 32-bit float with the threshold as a 64-bit one, so that a
        Dice of exactly 0.1 is above 0.1. Otherwise the comparison is exact, in whole numbers.
    empty_is_perfect
        What a ratio of nothing to nothing is: 1 where it is true, undefined where not.
    challenge
        Further rules, where the lesion-wise Dice is that of the challenge.
    """

    name: str
    connectivity: int = 26
    dilate_voxels: int = 0
    threshold: Fraction = Fraction(1, 10)
    single_precision: bool = False
    empty_is_perfect: bool = False
    challenge: ChallengeRules | None = None

    def __post_init__(self) -> None:
        if self.connectivity not in CONNECTIVITIES:
            raise ValueError(f"connectivity is 6, 18 or 26, not {self.connectivity}")
        if self.dilate_voxels < 0:
            raise ValueError(f"dilate_voxels is {self.dilate_voxels}, at least 0 is needed")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"the threshold is {float(self.threshold):g}, at least 0 and below 1")

    def detected(self, intersection: int, reference: int, predicted: int) -> bool:
        """Return whether two instances that share so many voxels are one and the same finding.

        Parameters
        ----------
        intersection, reference, predicted
            Voxels of both, of the reference and of the prediction.
        """
        if self.single_precision:
            dice = np.float32(2 * intersection) / np.float32(reference + predicted)
            return float(dice) > float(self.threshold)
        limit = self.threshold
        return 2 * intersection * limit.denominator > limit.numerator * (reference + predicted)

    def options(self) -> dict[str, str | int | float | None]:
        """Return the rules as plain values, for outputs."""
        own: dict[str, str | int | float | None] = {
            "connectivity": self.connectivity,
            "dilate_voxels": self.dilate_voxels,
            "threshold": float(self.threshold),
            "comparison": "float32" if self.single_precision else "exact",
            "nothing_of_nothing": 1 if self.empty_is_perfect else None,
        }
        if self.challenge:
            own["large_mm3"] = self.challenge.large_mm3
            own["least_dice"] = float(self.challenge.least_dice)
        return own


ARTICLE = Convention("article")
"""As the article's text says."""

TABLES = Convention(
    "tables",
    connectivity=18,
    dilate_voxels=3,
    single_precision=True,
    empty_is_perfect=True,
)
"""Reproduces the article's printed tables."""

BRATS_METS = Convention("brats-mets-0.0.10", threshold=Fraction(0), challenge=ChallengeRules())
"""As brats-evaluation 0.0.10 scores metastases, at a volume of 27 mm³ and an overlap of 0.2."""

CONVENTIONS = {one.name: one for one in (ARTICLE, TABLES, BRATS_METS)}


def convention_named(name: str) -> Convention:
    """Return a convention by its name.

    Raises
    ------
    ConfigurationError
        There is none of that name; the message names those there are.
    """
    if name not in CONVENTIONS:
        raise ConfigurationError("convention_unknown", name=name, conventions=tuple(CONVENTIONS))
    return CONVENTIONS[name]
