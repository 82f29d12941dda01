"""Many cases: files paired by name, scored one by one, each failure told and none fatal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cta_data.errors import ConfigurationError, CtaError
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.processes import Workers
from cta_data.scoring.case import CaseScore
from cta_data.scoring.conventions import Convention
from cta_data.scoring.mask_files import Label, mask_ending, score_files
from cta_data.scoring.summary import METRICS, Summary, summarise

Item = tuple[str, tuple[Path, Path]]


@dataclass(frozen=True)
class Pairing:
    """Files of a reference and of a prediction, by case; and cases that cannot be paired.

    Attributes
    ----------
    refused
        Case and reason of each whose masks must not be compared.
    left_out
        Case and reason of each that has nothing to be compared, and is no failure.
    lesion_labels
        By case, the file with the id of the study's lesion in every voxel of the reference.
    """

    files: dict[str, tuple[Path, Path]]
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    lesion_labels: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """The scores of a collection.

    Attributes
    ----------
    cases
        In the order of their names.
    failed
        Case and reason of each that could not be scored, or must not be.
    """

    convention: Convention
    label: Label
    cases: tuple[CaseScore, ...]
    failed: tuple[tuple[str, str], ...]
    pairing: Pairing

    @property
    def complete(self) -> bool:
        """Whether every case of either side was scored, by labels that there are."""
        left = (*self.pairing.without_prediction, *self.pairing.without_reference)
        return not (self.failed or left or self.absent_labels)

    @property
    def absent_labels(self) -> tuple[int, ...]:
        """Labels that were asked for and that no mask of any scored case holds."""
        if not isinstance(self.label, tuple) or not self.cases:
            return ()
        held = frozenset().union(*(case.labels for case in self.cases))
        return tuple(value for value in self.label if value not in held)

    def summary(self) -> dict[str, Summary]:
        """Return each metric across the cases."""
        return {name: summarise(getattr(c, name) for c in self.cases) for name in METRICS}


def pair_files(reference: Path, predicted: Path) -> Pairing:
    """Pair two files, or the masks of two folders by their names.

    Raises
    ------
    ConfigurationError
        One of the two is not there, one is a file and the other a folder, or a folder holds two
        masks of one case.
    """
    for path in (reference, predicted):
        if not path.exists() and not path.is_symlink():
            raise ConfigurationError("scoring_path_not_found", where=path)
    if reference.is_dir() != predicted.is_dir():
        raise ConfigurationError(
            "scoring_paths_differ_in_kind", reference=reference, predicted=predicted
        )
    if not reference.is_dir():
        return Pairing({case_of(reference): (reference, predicted)})
    first, second = _masks(reference), _masks(predicted)
    return Pairing(
        {case: (first[case], second[case]) for case in sorted(first.keys() & second.keys())},
        tuple(sorted(first.keys() - second.keys())),
        tuple(sorted(second.keys() - first.keys())),
    )


def case_of(path: Path) -> str:
    """Return the name of a mask file without its ending."""
    return path.name.removesuffix(mask_ending(path.name))


def score_pairs(
    pairing: Pairing,
    convention: Convention,
    *,
    label: Label = None,
    surfaces: bool = False,
    choice: FormChoice = NO_CHOICE,
    workers: Workers | None = None,
) -> Scores:
    """Score every pair; one that cannot be scored is named with its reason.

    Parameters
    ----------
    surfaces
        Whether surface distances are measured, too.
    choice
        Which form of NIfTI headers is right where they contradict each other.
    workers
        Processes that share the cases; without them this process scores.
    """
    score = partial(
        _score,
        convention=convention,
        label=label,
        surfaces=surfaces,
        choice=choice,
        lesion_labels=pairing.lesion_labels,
    )
    results = sorted(
        (workers or Workers(1)).map(score, pairing.files.items(), _lost), key=lambda one: one[0]
    )
    cases = tuple(found for _, found in results if isinstance(found, CaseScore))
    failed = [(case, found) for case, found in results if isinstance(found, str)]
    return Scores(convention, label, cases, tuple(sorted([*failed, *pairing.refused])), pairing)


def _score(
    item: Item,
    *,
    convention: Convention,
    label: Label,
    surfaces: bool,
    choice: FormChoice,
    lesion_labels: Mapping[str, Path],
) -> tuple[str, CaseScore | str]:
    case, (reference, predicted) = item
    try:
        return case, score_files(
            reference,
            predicted,
            convention,
            label=label,
            case=case,
            surfaces=surfaces,
            lesion_labels=lesion_labels.get(case),
            choice=choice,
        )
    except CtaError as error:
        return case, str(error)
    except MemoryError:
        told = CtaError("scoring_out_of_memory", where=f"{reference} and {predicted}")
        return case, str(told)


def _lost(item: Item) -> tuple[str, str]:
    """What is told of a case whose process died twice."""
    case, (reference, predicted) = item
    told = CtaError("scoring_process_died", where=f"{reference} and {predicted}")
    return case, str(told)


def _masks(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not mask_ending(path.name):
            continue
        case = case_of(path)
        if case in found:
            raise ConfigurationError(
                "case_masks_repeated", where=folder, name=found[case].name, path=path.name
            )
        found[case] = path
    return found
