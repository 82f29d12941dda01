"""Agreement of two annotations over all cases, and by lesion volume."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cta_data.scoring.agreement.cases import LinkedCase, PairSurfaces
from cta_data.scoring.agreement.figures import (
    LimitsOfAgreement,
    Resampling,
    cohens_kappa,
    mean_figure,
    positive_agreement,
    sums_by_patient,
    volume_differences,
    volume_ratios,
)
from cta_data.scoring.lesion_links import LinkedLesions
from cta_data.scoring.models.curves import EDGES_CM3
from cta_data.scoring.size_classes import is_within
from cta_data.scoring.statistics import RESAMPLES, SEED, Interval

EVERY_VOLUME_CM3 = (0.0, math.inf)


@dataclass(frozen=True)
class LesionCounts:
    """How many lesions were found by whom.

    Attributes
    ----------
    both
        Pairs: a lesion of each annotation, linked by overlap or distance.
    by_distance
        Those of `both` that share no voxel.
    first_only, second_only
        Lesions of one annotation alone.
    splits, merges
        Further parts of a lesion that is in `both` already: the second (split) or first (merge)
        annotation has several where the other has one. They are in no figure of agreement, since
        both readers saw that lesion.
    unmarked
        Candidates that neither marked, in cases with candidates; None where no case has any.
    """

    both: int
    by_distance: int
    first_only: int
    second_only: int
    splits: int
    merges: int
    unmarked: int | None

    @property
    def n_first(self) -> int:
        """Lesions of the first annotation."""
        return self.both + self.merges + self.first_only

    @property
    def n_second(self) -> int:
        """Lesions of the second annotation."""
        return self.both + self.splits + self.second_only


@dataclass(frozen=True)
class ClassAgreement:
    """Agreement on the lesions of one class of volume.

    Every figure is over lesions, with a bootstrap interval that draws whole patients; `n` of an
    interval is the number of patients that contribute. NaN is undefined, never 0. Figures of pairs
    include pairs by distance, and of a split or merged lesion the one part that is paired.

    Attributes
    ----------
    from_cm3, to_cm3
        Limits of the class, the upper one not included. The volume of a pair is the mean of both,
        so that it does not depend on which annotation is first; that of another lesion is its own.
    patients
        With a lesion or unmarked candidate in this class.
    positive_agreement
        2·both / (2·both + first_only + second_only).
    kappa
        Cohen's κ, of the cases with candidates; None where no case has any.
    dice
        Mean Dice of pairs.
    mean_surface_mm, hausdorff95_mm, surface_dice_0_5mm, surface_dice_1mm
        Means over pairs of what `PairSurfaces` describes.
    volume_difference_mm3, volume_ratio
        Bland–Altman figures of second − first and of second / first.
    """

    from_cm3: float
    to_cm3: float
    patients: int
    counts: LesionCounts
    positive_agreement: Interval
    kappa: Interval | None
    dice: Interval
    mean_surface_mm: Interval
    hausdorff95_mm: Interval
    surface_dice_0_5mm: Interval
    surface_dice_1mm: Interval
    volume_difference_mm3: LimitsOfAgreement
    volume_ratio: LimitsOfAgreement

    @property
    def f1(self) -> Interval:
        """F1 of either annotation against the other: the same number as positive agreement."""
        return self.positive_agreement


@dataclass(frozen=True)
class Agreement:
    """Agreement of two annotations.

    Attributes
    ----------
    cases, patients
        All that were given.
    cases_without_lesions
        Cases in which neither annotation has a lesion: no figure contains them.
    cases_with_candidates
        Cases that κ is computed from.
    overall, classes
        Over all lesions, and by class of volume in ascending order.
    """

    cases: int
    patients: int
    cases_without_lesions: int
    cases_with_candidates: int
    overall: ClassAgreement
    classes: tuple[ClassAgreement, ...]


@dataclass(frozen=True)
class _Lesion:
    """A link, its patient and surfaces, and whether its case has candidates."""

    patient: str
    link: LinkedLesions
    surfaces: PairSurfaces | None
    judged: bool


def summarise_agreement(
    cases: Sequence[LinkedCase],
    edges_cm3: Sequence[float] = EDGES_CM3,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Agreement:
    """Return the agreement of two annotations over many cases.

    The order of cases has no influence: they are taken by patient and name, since it is their order
    that decides which of them a seed draws.

    Parameters
    ----------
    cases
        In which first and second are the same two annotations (or readers, or qualities).
    edges_cm3
        Limits of the volume classes, ascending.

    Raises
    ------
    ValueError
        A confidence that is not between 0 and 1.
    """
    resampling = Resampling(confidence, resamples, seed)
    cases = sorted(cases, key=lambda case: (case.patient, case.case))
    lesions = [
        _Lesion(case.patient, link, surfaces, case.unmarked_mm3 is not None)
        for case in cases
        for link, surfaces in zip(case.links, case.surfaces, strict=True)
    ]
    judged = [case for case in cases if case.unmarked_mm3 is not None]
    unmarked = [(case.patient, mm3) for case in judged for mm3 in case.unmarked_mm3 or ()]

    def of_class(low: float, high: float) -> ClassAgreement:
        inside = [one for one in lesions if is_within(one.link.volume_mm3 / 1000, low, high)]
        neither = [who for who, mm3 in unmarked if is_within(mm3 / 1000, low, high)]
        return _of_class((low, high), inside, neither if judged else None, resampling)

    return Agreement(
        cases=len(cases),
        patients=len({case.patient for case in cases}),
        cases_without_lesions=sum(not case.links for case in cases),
        cases_with_candidates=len(judged),
        overall=of_class(*EVERY_VOLUME_CM3),
        classes=tuple(of_class(low, high) for low, high in pairwise(edges_cm3)),
    )


def _of_class(
    limits_cm3: tuple[float, float],
    lesions: Sequence[_Lesion],
    unmarked: Sequence[str] | None,
    resampling: Resampling,
) -> ClassAgreement:
    """Compute the figures of one class; ``unmarked`` is the patient of each such candidate."""
    pairs = [(one.patient, one.link, one.surfaces) for one in lesions if one.surfaces is not None]
    patients = [who for who, _, _ in pairs]
    volumes = (
        [link.first_volume_mm3 for _, link, _ in pairs],
        [link.second_volume_mm3 for _, link, _ in pairs],
        patients,
        resampling,
    )
    alone = [one.patient for one in lesions if one.link.how in ("first_only", "second_only")]

    def mean_of(name: str) -> Interval:
        return mean_figure([getattr(one, name) for _, _, one in pairs], patients, resampling)

    return ClassAgreement(
        from_cm3=limits_cm3[0],
        to_cm3=limits_cm3[1],
        patients=len({one.patient for one in lesions} | set(unmarked or ())),
        counts=_counts(lesions, unmarked),
        positive_agreement=positive_agreement(patients, alone, resampling),
        kappa=None if unmarked is None else _kappa(lesions, unmarked, resampling),
        dice=mean_figure([link.dice for _, link, _ in pairs], patients, resampling),
        mean_surface_mm=mean_of("mean_mm"),
        hausdorff95_mm=mean_of("hausdorff95_mm"),
        surface_dice_0_5mm=mean_of("surface_dice_0_5mm"),
        surface_dice_1mm=mean_of("surface_dice_1mm"),
        volume_difference_mm3=volume_differences(*volumes),
        volume_ratio=volume_ratios(*volumes),
    )


def _counts(lesions: Sequence[_Lesion], unmarked: Sequence[str] | None) -> LesionCounts:
    how = Counter(one.link.how for one in lesions)
    return LesionCounts(
        both=how["overlap"] + how["distance"],
        by_distance=how["distance"],
        first_only=how["first_only"],
        second_only=how["second_only"],
        splits=how["split"],
        merges=how["merge"],
        unmarked=None if unmarked is None else len(unmarked),
    )


def _kappa(lesions: Sequence[_Lesion], unmarked: Sequence[str], resampling: Resampling) -> Interval:
    """κ over the lesions of cases with candidates, and the candidates that neither marked."""
    columns = {"overlap": 0, "distance": 0, "first_only": 1, "second_only": 2}
    marked = [
        (one.patient, columns[one.link.how])
        for one in lesions
        if one.judged and one.link.how in columns
    ]
    cells = [*marked, *((who, 3) for who in unmarked)]
    rows = np.zeros((len(cells), 4))
    rows[np.arange(len(cells)), [column for _, column in cells]] = 1
    return cohens_kappa(sums_by_patient(rows, [who for who, _ in cells]), resampling)
