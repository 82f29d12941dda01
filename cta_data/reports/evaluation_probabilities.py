"""What an evaluation makes of the probability maps that were kept beside its masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cta_data.processes import Workers, open_workers
from cta_data.reports.froc import FrocPart, write_froc
from cta_data.reports.probability_files import KeptMaps, kept_maps
from cta_data.scoring import Convention
from cta_data.scoring.models import Predictions
from cta_data.scoring.probabilities.analysis import analyse
from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM, SCORES, ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet, find_candidates


def write_kept_froc(
    folder: Path,
    predictions: Predictions,
    convention: Convention,
    scores: Mapping[str, ScoreName],
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> FrocPart:
    """Write curves of all sets that keep probability maps, and return their sections.

    Cases whose map is missing or cannot be used are listed in the first section.

    Parameters
    ----------
    scores
        Of candidates, by model, where one was chosen on validation folds.
    """
    kept = kept_maps(predictions)
    if not kept:
        return FrocPart()
    sets: list[CandidateSet] = []
    with open_workers(jobs) as workers:
        for one in kept:
            sets.append(_found(one, convention, workers))
            note(f"candidates: {sets[-1].name}: {len(sets[-1].cases)} cases")
    made = write_froc(
        folder, analyse(sets, {one.model: scores.get(one.model, SCORES[0]) for one in sets})
    )
    left_out = tuple(
        f"{found.name}: {case}: {why}"
        for one, found in zip(kept, sets, strict=True)
        for case, why in (*one.missing, *found.failed)
    )
    if not left_out or not made.sections:
        return made
    first, *others = made.sections
    told = replace(first, lists=(("Cases without a usable probability map", left_out),))
    return replace(made, sections=(told, *others))


def _found(one: KeptMaps, convention: Convention, workers: Workers) -> CandidateSet:
    return find_candidates(
        one.files,
        convention,
        CANDIDATES_FROM,
        model=one.model,
        test_set=one.test_set,
        patients=one.patients,
        workers=workers,
    )
