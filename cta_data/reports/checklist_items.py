"""The items of the checklist CLAIM 2024, in our own words: number, section and topic.

Tejani et al. 2024, Radiol Artif Intell 6:e240300. The checklist itself explains each item.
"""

from __future__ import annotations

from typing import NamedTuple

SOURCE = "https://doi.org/10.1148/ryai.240300"


class ChecklistItem(NamedTuple):
    """One item: what a report has to say, in a few words."""

    number: int
    section: str
    topic: str


_SECTIONS = {
    "Title and abstract": ("AI and its type named in the title", "Structured summary"),
    "Introduction": ("Background and intended use", "Aims and hypotheses"),
    "Methods: design": ("Prospective or retrospective", "Goal of the study"),
    "Methods: data": (
        "Sources of the data",
        "Who was included and excluded",
        "Preprocessing",
        "Choice of parts of the data",
        "De-identification",
        "Missing data",
        "Acquisition of the images",
    ),
    "Methods: reference standard": (
        "How the reference was made",
        "Why this reference",
        "Who annotated",
        "Annotation of the test set",
        "Agreement between and within readers",
    ),
    "Methods: partitions": (
        "How data were assigned to partitions",
        "Level at which partitions are apart",
    ),
    "Methods: testing": ("Intended sample size",),
    "Methods: model": (
        "Architecture",
        "Software and its versions",
        "Initial weights",
    ),
    "Methods: training": (
        "Training",
        "Choice of the final model",
        "Ensembles",
    ),
    "Methods: evaluation": (
        "Metrics",
        "Uncertainty and tests",
        "Robustness",
        "Explanation of results",
        "Internal test",
        "External test",
        "Registration of a trial",
    ),
    "Results: data": (
        "Numbers included and excluded",
        "Characteristics of each partition",
    ),
    "Results: performance": (
        "Performance of the model",
        "Diagnostic performance with its precision",
        "Analysis of failures",
    ),
    "Discussion": ("Limitations", "Consequences for practice"),
    "Other": (
        "Protocol and further details",
        "Availability of software, model and data",
        "Funding",
    ),
}
ITEMS = tuple(
    ChecklistItem(number, section, topic)
    for number, (section, topic) in enumerate(
        ((section, topic) for section, topics in _SECTIONS.items() for topic in topics), start=1
    )
)
