"""Several models on several test sets: tables, curves and counts of what was found."""

from cta_data.evaluation.experiment.curves import (
    EDGES_CM3,
    false_positives,
    sensitivity_by_volume,
)
from cta_data.evaluation.experiment.findings import choose_findings, findings_frame
from cta_data.evaluation.experiment.found import (
    found_by_patient,
    found_instances,
    found_lesions,
    model_pairs,
)
from cta_data.evaluation.experiment.score_table import score_table
from cta_data.evaluation.experiment.sets import ScoredSet, not_predicted, read_sets

__all__ = [
    "EDGES_CM3",
    "ScoredSet",
    "choose_findings",
    "false_positives",
    "findings_frame",
    "found_by_patient",
    "found_instances",
    "found_lesions",
    "model_pairs",
    "not_predicted",
    "read_sets",
    "score_table",
    "sensitivity_by_volume",
]
