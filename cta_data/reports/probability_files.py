"""Probability maps that predictions kept beside their masks, paired with the references."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.processes import open_workers
from cta_data.scoring import Convention
from cta_data.scoring.collection import pair_files
from cta_data.scoring.models import PredictedSet, Predictions
from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM
from cta_data.scoring.probabilities.collection import CandidateSet, find_candidates
from cta_data.study.layout import PROBABILITIES
from cta_data.study.session_id import patients_of_cases
from cta_data.training.prediction_record import read_record
from cta_data.versioning.keys import content_key

CHANGED = "the probability map is not the one that was predicted: predict again with --recompute"
NO_MAP = "there is no map of that name"
NO_REFERENCE = "there is no reference of that name"
NOT_KEPT = "no probability map is kept: predict with --probabilities"


@dataclass(frozen=True)
class KeptMaps:
    """Probability maps of one model on one test set.

    Attributes
    ----------
    files
        By case, the reference and the map.
    missing
        Case and reason of each without a usable map.
    patients
        Whose each case is.
    """

    model: str
    test_set: str
    files: Mapping[str, tuple[Path, Path]]
    missing: tuple[tuple[str, str], ...] = ()
    patients: Mapping[str, str] = field(default_factory=dict)


def map_beside(mask: Path) -> Path:
    """Return where the probability map of a predicted mask is, where it was kept."""
    return mask.parent / PROBABILITIES / mask.name


def kept_maps(predictions: Predictions) -> list[KeptMaps]:
    """Return the maps of every set that keeps any; cases without one are named."""
    made = (_kept(one) for one in predictions.sets)
    return [one for one in made if one.files]


def _kept(one: PredictedSet) -> KeptMaps:
    files: dict[str, tuple[Path, Path]] = {}
    missing = [*one.pairing.refused]
    missing += [(case, "there is no prediction") for case in one.pairing.without_prediction]
    keys = _keys(one)
    for case, (reference, mask) in one.pairing.files.items():
        path = map_beside(mask)
        if not os.path.lexists(path):
            missing.append((case, NOT_KEPT))
        elif keys is not None and content_key(path) != keys.get(case):
            missing.append((case, CHANGED))
        else:
            files[case] = (reference, path)
    return KeptMaps(one.model, one.test_set, files, tuple(missing), patients_of_cases(files))


def _keys(one: PredictedSet) -> Mapping[str, str] | None:
    """Return the content keys of a study's own maps; None of masks of elsewhere."""
    folders = {mask.parent for _, mask in one.pairing.files.values()}
    for folder in folders:
        try:
            record = read_record(folder)
        except DataRefused:
            return {}  # whose maps these are is not known: none is used
        if record is not None:
            return record.probabilities
    return None


def maps_in_folders(
    reference: Path, probabilities: Sequence[Path], models: Sequence[str] = ()
) -> list[KeptMaps]:
    """Return the maps of folders (or files) that no study knows, one model each.

    Parameters
    ----------
    models
        Their names; without them, of the folders.

    Raises
    ------
    ConfigurationError
        A folder is not there or holds arrays of nnU-Net alone, names are not as many as folders, or
        two are equal.
    """
    names = list(models) or [_model_of(path) for path in probabilities]
    if len(names) != len(probabilities) or len(set(names)) != len(names):
        raise ConfigurationError("probability_models_unclear", models=tuple(names))
    made = []
    for name, path in zip(names, probabilities, strict=True):
        pairing = pair_files(reference, path)
        if not pairing.files and any(path.glob("*.npz")):
            raise ConfigurationError("probabilities_as_arrays", where=path)
        missing = [(case, NO_MAP) for case in pairing.without_prediction]
        missing += [(case, NO_REFERENCE) for case in pairing.without_reference]
        patients = patients_of_cases(pairing.files)
        made.append(KeptMaps(name, "", pairing.files, tuple(missing), patients))
    return made


def candidate_sets(
    kept: Sequence[KeptMaps],
    convention: Convention,
    candidates_from: float = CANDIDATES_FROM,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> list[CandidateSet]:
    """Find the candidates of all maps, in their order; `jobs` processes share the cases."""
    sets = []
    with open_workers(jobs) as workers:
        for one in kept:
            found = find_candidates(
                one.files,
                convention,
                candidates_from,
                model=one.model,
                test_set=one.test_set,
                patients=one.patients,
                workers=workers,
            )
            note(f"candidates: {found.name}: {len(found.cases)} cases")
            sets.append(found)
    return sets


def left_out(kept: Sequence[KeptMaps], sets: Sequence[CandidateSet]) -> list[str]:
    """Return in words which cases have no usable map, and why."""
    return [
        f"{found.name}: {case}: {why}"
        for one, found in zip(kept, sets, strict=True)
        for case, why in (*one.missing, *found.failed)
    ]


def _model_of(path: Path) -> str:
    """Return the name of a folder of maps, or of the folder that holds `probabilities`."""
    whole = path.absolute()
    return whole.parent.name if whole.name == PROBABILITIES else whole.name
