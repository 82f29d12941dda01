"""What the conversion of a session depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cta_data.cohorts.card import Card
from cta_data.engine.inputs import ABSENT, Files, role


@dataclass(frozen=True)
class ConvertInputs:
    """Raw files, the cohort's card, and what clinical tables tell of the session.

    Attributes
    ----------
    card
        The parts of the card that conversion depends on, as text in JSON: all sessions of a
        cohort share it, and it is by far the longest parameter.
    form
        Form of distribution that is converted.
    other_files
        How many files of the session are of another form.
    drawn_on
        Technique that the cohort's own table lists for the subject.
    series
        Raw files by kind and identifier.
    files
        Places of plain files in the source, by identifier.
    person, lesion_rows
        What clinical tables tell of the person and of the lesions.
    """

    card: str
    form: str
    other_files: int
    drawn_on: str | None
    series: Files[tuple[str, str]] = field(metadata=role(""))
    files: Mapping[str, str] | None = field(default=None, metadata=ABSENT)
    person: Mapping[str, Any] | None = field(default=None, metadata=ABSENT)
    lesion_rows: tuple[Mapping[str, Any], ...] | None = field(default=None, metadata=ABSENT)

    def read_card(self) -> Card:
        """Return the card, without what is only told to people."""
        content = json.loads(self.card)
        about = {"title": "", "how_to_get": ""} | content["cohort"]
        return Card.model_validate(content | {"cohort": about})
