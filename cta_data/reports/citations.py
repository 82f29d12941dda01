"""Whose data a study uses, under which terms, and how it is cited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cta_data.cohorts.card import CohortSection
from cta_data.scoring.paper import PAPER_CITATION


@dataclass(frozen=True)
class Citation:
    """What a cohort's card says of its source; an empty text where the card is silent."""

    cohort: str
    title: str
    licence: str
    access: str
    agreement: str
    doi: str
    citation: str
    url: str


def citation_of(section: CohortSection) -> Citation:
    """Return what a card says of its source."""
    return Citation(
        cohort=section.name,
        title=section.title,
        licence=section.licence,
        access=section.access,
        agreement=section.agreement,
        doi=section.doi,
        citation=section.citation,
        url=section.url,
    )


def citations_markdown(citations: Sequence[Citation]) -> str:
    """Return the page that names the source of every cohort in use, and that of the method."""
    parts = [
        "# Sources of this study",
        "",
        "Cite these where you publish results of the study.",
        "",
    ]
    for one in citations:
        parts += [f"## {one.cohort}: {one.title}", ""]
        parts += [f"- {name}: {value}" for name, value in told(one) if value]
        silent = [name for name, value in told(one) if not value and name in NEEDED]
        if silent:
            parts += [f"- The card does not say: {', '.join(silent)}"]
        parts.append("")
    parts += ["## The method", "", f"- Citation: {PAPER_CITATION}"]
    return "\n".join(parts) + "\n"


NEEDED = ("DOI", "Licence", "Citation")


def told(citation: Citation) -> list[tuple[str, str]]:
    """Return what is told of a source: a name and a text each, empty where the card is silent."""
    return [
        ("Citation", citation.citation),
        ("DOI", f"https://doi.org/{citation.doi}" if citation.doi else ""),
        ("Licence", citation.licence),
        ("Access", citation.access),
        ("Agreement", citation.agreement),
        ("Where", citation.url),
    ]
