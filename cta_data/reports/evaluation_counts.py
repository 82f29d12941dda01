"""The tables of an evaluation that are written as CSV and summed up on its page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cta_data.reports.lesion_subgroups import StudyLevels
from cta_data.scoring.models import (
    CaseAccounting,
    ScoredSet,
    choose_findings,
    false_positives,
    findings_frame,
    found_by_models,
    found_by_patient,
    found_lesions,
    lesions_by_models,
    model_pairs,
    sensitivity_by_volume,
)
from cta_data.scoring.models.subgroups import subgroup_table
from cta_data.scoring.models.surface_figures import surface_figures

COUNTS = (
    "cases",
    "found_patients",
    "found_lesions",
    "lesions_by_models",
    "found_by_models",
    "false_positives",
    "sensitivity_by_volume",
    "surfaces",
    "subgroups",
    "findings",
)


def evaluation_counts(
    sets: Sequence[ScoredSet], accounting: Sequence[CaseAccounting], levels: StudyLevels
) -> dict[str, pd.DataFrame]:
    """Return the tables of `COUNTS`, those without a row left out."""
    pairs = list(model_pairs(sets))
    by_models = lesions_by_models(sets)
    frames = (
        pd.DataFrame([one.columns() for one in accounting]),
        _joined([found_by_patient(*pair) for pair in pairs]),
        _joined([found_lesions(*pair) for pair in pairs]),
        by_models,
        found_by_models(by_models),
        false_positives(sets),
        _joined([sensitivity_by_volume(one) for one in sets]),
        surface_figures(sets),
        subgroup_table(sets, levels.variables, levels.of(sets)),
        findings_frame(choose_findings(sets)),
    )
    return {name: frame for name, frame in zip(COUNTS, frames, strict=True) if len(frame)}


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
