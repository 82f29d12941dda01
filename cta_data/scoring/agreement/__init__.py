"""Agreement of two annotations over many cases: detection, overlap, surfaces, and volumes."""

from cta_data.scoring.agreement.cases import LinkedCase, PairSurfaces, link_case
from cta_data.scoring.agreement.figures import LimitsOfAgreement
from cta_data.scoring.agreement.summary import (
    Agreement,
    ClassAgreement,
    LesionCounts,
    summarise_agreement,
)

__all__ = [
    "Agreement",
    "ClassAgreement",
    "LesionCounts",
    "LimitsOfAgreement",
    "LinkedCase",
    "PairSurfaces",
    "link_case",
    "summarise_agreement",
]
