"""What an evaluation makes of the probability maps that were kept beside its masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cta_data.reports.froc import FrocPart, with_unused_cases, write_froc
from cta_data.reports.probability_files import candidate_sets, kept_maps, left_out
from cta_data.scoring import Convention
from cta_data.scoring.models import Predictions
from cta_data.scoring.probabilities.analysis import analyse
from cta_data.scoring.probabilities.candidates import SCORES, ScoreName


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
    sets = candidate_sets(kept, convention, jobs=jobs, note=note)
    made = write_froc(
        folder, analyse(sets, {one.model: scores.get(one.model, SCORES[0]) for one in sets})
    )
    unused = left_out(kept, sets)
    if unused:
        note(f"{len(unused)} cases without a usable probability map: the page lists them")
    return with_unused_cases(made, unused)
