"""One case that two readers annotated: its links, and the surfaces of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.instances import intersections
from cta_data.scoring.labelled import LabelledLesions, labelled_lesions
from cta_data.scoring.lesion_links import DISTANCE_MM, PART_SHARE, LinkedLesions, link_labelled
from cta_data.scoring.surfaces import lesion_distances


@dataclass(frozen=True)
class PairSurfaces:
    """How far the surfaces of two paired lesions are apart, as `SurfaceDistances` defines it.

    Distances come in steps of the spacing: a surface Dice with a tolerance below the smallest
    spacing counts only elements that coincide.
    """

    mean_mm: float
    hausdorff95_mm: float
    surface_dice_0_5mm: float
    surface_dice_1mm: float


@dataclass(frozen=True)
class LinkedCase:
    """The links of one case.

    Attributes
    ----------
    patient
        Who it is of: cases of one patient are drawn together in the bootstrap.
    links
        See `link_lesions`.
    surfaces
        Of each link, in the same order; None where it is no pair.
    unmarked_mm3
        Volumes (mm³) of the candidates that neither reader marked; None without candidates.
    case
        A name for lists of cases.
    """

    patient: str
    links: tuple[LinkedLesions, ...]
    surfaces: tuple[PairSurfaces | None, ...]
    unmarked_mm3: tuple[float, ...] | None = None
    case: str = ""

    def __post_init__(self) -> None:
        measured = [one is not None for one in self.surfaces]
        if measured != [link.is_pair for link in self.links]:
            raise ValueError(f"surfaces of {self.case or self.patient}: one per pair is needed")


def link_case(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    spacing_mm: Sequence[float] | NDArray[np.float64],
    *,
    patient: str,
    case: str = "",
    candidates: NDArray[np.generic] | None = None,
    distance_mm: float = DISTANCE_MM,
    part_share: Fraction = PART_SHARE,
) -> LinkedCase:
    """Link the lesions of two annotations of one case, and measure the surfaces of the pairs.

    Parameters
    ----------
    first, second, spacing_mm, distance_mm, part_share
        As for `link_lesions`: (z, y, x), equal shapes; spacing along x, y, z.
    candidates
        (z, y, x), the regions that both readers judged, a value each: each is a lesion to a reader
        whose lesions share a voxel with it. Only those that neither marked are needed from it; a
        lesion outside all candidates counts as a candidate of its own.

    Raises
    ------
    DataRefused, ValueError
        As `link_lesions`.
    """
    volumes = labelled_lesions(first), labelled_lesions(second)
    links = link_labelled(
        volumes[0], volumes[1], spacing_mm, distance_mm=distance_mm, part_share=part_share
    )
    numbers = [{one: n for n, one in enumerate(found.ids.tolist())} for found in volumes]
    surfaces: list[PairSurfaces | None] = []
    for link in links:
        if link.is_pair and link.first is not None and link.second is not None:
            pair = numbers[0][link.first], numbers[1][link.second]
            surfaces.append(_surfaces(volumes[0], volumes[1], pair, spacing_mm))
        else:
            surfaces.append(None)
    unmarked = None
    if candidates is not None:
        if candidates.shape != first.shape:
            raise ValueError(f"shapes differ: {candidates.shape} and {first.shape}")
        unmarked = _unmarked(labelled_lesions(candidates), volumes, spacing_mm)
    return LinkedCase(patient, links, tuple(surfaces), unmarked, case)


def _surfaces(
    first: LabelledLesions,
    second: LabelledLesions,
    pair: tuple[int, int],
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> PairSurfaces:
    found = lesion_distances(first.instances, second.instances, pair, spacing_mm)
    return PairSurfaces(
        found.mean_surface_mm,
        found.hausdorff95_mm,
        found.surface_dice_0_5mm,
        found.surface_dice_1mm,
    )


def _unmarked(
    candidates: LabelledLesions,
    volumes: Sequence[LabelledLesions],
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> tuple[float, ...]:
    """Volumes of the candidates that share no voxel with a lesion, in mm³."""
    left = np.ones(candidates.instances.count, bool)
    for lesions in volumes:
        left[intersections(candidates.instances, lesions.instances).reference] = False
    voxel_mm3 = float(np.prod([float(mm) for mm in spacing_mm]))
    return tuple((candidates.instances.voxels[left] * voxel_mm3).tolist())
