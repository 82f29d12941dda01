"""Several models on several test sets: tables, curves and counts of what was found."""

from cta_data.scoring.models.curves import EDGES_CM3, false_positives, sensitivity_by_volume
from cta_data.scoring.models.findings import choose_findings, findings_frame
from cta_data.scoring.models.found import (
    found_by_patient,
    found_instances,
    found_lesions,
    model_pairs,
)
from cta_data.scoring.models.found_by_models import found_by_models, lesions_by_models
from cta_data.scoring.models.predictions import PredictedSet, Predictions, predictions_in_folders
from cta_data.scoring.models.score_table import score_table
from cta_data.scoring.models.sets import CaseAccounting, ScoredSet, score_sets

__all__ = [
    "EDGES_CM3",
    "CaseAccounting",
    "PredictedSet",
    "Predictions",
    "ScoredSet",
    "choose_findings",
    "false_positives",
    "findings_frame",
    "found_by_models",
    "found_by_patient",
    "found_instances",
    "found_lesions",
    "lesions_by_models",
    "model_pairs",
    "predictions_in_folders",
    "score_sets",
    "score_table",
    "sensitivity_by_volume",
]
