"""Cohorts as data: cards and what follows from their rules."""

from cta_data.cohorts.card import Card
from cta_data.cohorts.registry import parse_card, read_card, shipped_card_text, shipped_cards
from cta_data.cohorts.roi_selection import RoiName, select_rois, technique_drawn_on
from cta_data.cohorts.series_roles import SeriesHeader, assign_roles

__all__ = [
    "Card",
    "RoiName",
    "SeriesHeader",
    "assign_roles",
    "parse_card",
    "read_card",
    "select_rois",
    "shipped_card_text",
    "shipped_cards",
    "technique_drawn_on",
]
