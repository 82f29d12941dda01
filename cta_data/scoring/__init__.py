"""Scores of a prediction against a reference: instances, matching, and named conventions."""

from cta_data.scoring.case import CaseScore, score_case, score_masks
from cta_data.scoring.conventions import (
    ARTICLE,
    BRATS_METS,
    CONVENTIONS,
    TABLES,
    Convention,
    convention_named,
)
from cta_data.scoring.instances import Instances, find_instances
from cta_data.scoring.summary import METRICS, Summary, summarise

__all__ = [
    "ARTICLE",
    "BRATS_METS",
    "CONVENTIONS",
    "METRICS",
    "TABLES",
    "CaseScore",
    "Convention",
    "Instances",
    "Summary",
    "convention_named",
    "find_instances",
    "score_case",
    "score_masks",
    "summarise",
]
