"""Candidates of many cases from files, each failure named and none fatal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.processes import Workers
from cta_data.scoring.conventions import Convention
from cta_data.scoring.mask_files import MaskVoxels, read_mask, require_one_grid
from cta_data.scoring.probabilities.calibration import VoxelBins, voxel_bins
from cta_data.scoring.probabilities.candidates import Candidate, CaseCandidates, case_candidates
from cta_data.scoring.probabilities.maps import ProbabilityMap, read_probabilities

Item = tuple[str, tuple[Path, Path]]


@dataclass(frozen=True)
class FoundCase:
    """The candidates of a case, and its voxels by their probability."""

    candidates: CaseCandidates
    bins: VoxelBins


@dataclass(frozen=True)
class CandidateSet:
    """The candidates of one model on one test set.

    Attributes
    ----------
    cases
        In the order of their names.
    patients
        Whose each case is; cases of one patient are drawn together.
    failed
        Case and reason of each that could not be used.
    candidates_from
        Probability from which on voxels are candidates.
    """

    model: str
    test_set: str
    convention: Convention
    candidates_from: float
    cases: tuple[FoundCase, ...]
    patients: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Name for people."""
        return f"model {self.model} on {self.test_set}" if self.test_set else self.model

    @property
    def case_names(self) -> frozenset[str]:
        """Names of its cases."""
        return frozenset(one.candidates.case for one in self.cases)

    @property
    def candidates(self) -> list[Candidate]:
        """Candidates of all cases, in the order of cases."""
        return [one for case in self.cases for one in case.candidates.candidates]

    def only(self, cases: Collection[str]) -> CandidateSet:
        """Return the set with only these of its cases."""
        kept = tuple(one for one in self.cases if one.candidates.case in cases)
        return replace(self, cases=kept)

    def patient(self, case: str) -> str:
        """Return whose a case is; its own where nothing tells."""
        return self.patients.get(case, case)


def find_candidates(
    files: Mapping[str, tuple[Path, Path]],
    convention: Convention,
    candidates_from: float,
    *,
    model: str,
    test_set: str = "",
    patients: Mapping[str, str] | None = None,
    workers: Workers | None = None,
) -> CandidateSet:
    """Find the candidates of every case.

    Parameters
    ----------
    files
        By case, a reference mask and a probability map on one grid.
    workers
        Processes that share the cases; without them this process works.
    """
    work = partial(_found, convention=convention, candidates_from=candidates_from)
    results = sorted((workers or Workers(1)).map(work, files.items(), _lost), key=lambda r: r[0])
    return CandidateSet(
        model,
        test_set,
        convention,
        candidates_from,
        tuple(found for _, found in results if isinstance(found, FoundCase)),
        patients or {},
        tuple((case, found) for case, found in results if isinstance(found, str)),
    )


def found_case(
    case: str,
    reference: MaskVoxels,
    probability: ProbabilityMap,
    convention: Convention,
    candidates_from: float,
    *,
    where: str = "",
) -> FoundCase:
    """Find the candidates of one case, and sort its voxels.

    Raises
    ------
    DataRefused
        Mask and map lie on different grids; `where` says which they are.
    """
    require_one_grid(reference.grid, probability.voxels.grid, where=where)
    made = case_candidates(
        reference, probability.voxels, convention, case=case, candidates_from=candidates_from
    )
    return FoundCase(made, voxel_bins(reference, probability))


def _found(
    item: Item, *, convention: Convention, candidates_from: float
) -> tuple[str, FoundCase | str]:
    case, (reference, probability) = item
    try:
        return case, found_case(
            case,
            read_mask(reference),
            read_probabilities(probability),
            convention,
            candidates_from,
            where=f"{reference} and {probability}",
        )
    except CtaError as error:
        return case, str(error)
    except MemoryError:
        told = CtaError("scoring_out_of_memory", where=f"{reference} and {probability}")
        return case, str(told)


def _lost(item: Item) -> tuple[str, str]:
    """What is told of a case whose process died twice."""
    case, (reference, probability) = item
    return case, str(CtaError("scoring_process_died", where=f"{reference} and {probability}"))
