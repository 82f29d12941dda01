"""Subject labels that follow from a public collection's own identifiers."""

from __future__ import annotations

from dataclasses import dataclass

from cta_data.patterns import fullmatch


@dataclass(frozen=True)
class SubjectNaming:
    """How identifiers of a source become one spelling, and subject labels.

    Attributes
    ----------
    pattern
        Matches an identifier; its group ``id`` distinguishes patients. Empty
        for confidential identifiers.
    source_id, label
        Templates with ``{id}``.
    """

    pattern: str = ""
    source_id: str = "{id}"
    label: str = "{id}"

    def canonical(self, identifier: str) -> str:
        """Return the one spelling of an identifier; what is not recognised stays as it is."""
        found = fullmatch(self.pattern, identifier) if self.pattern else None
        return self.source_id.replace("{id}", found["id"]) if found else identifier

    def label_of(self, identifier: str) -> str:
        """Return the label of an identifier in its one spelling, or an empty text."""
        found = fullmatch(self.pattern, identifier) if self.pattern else None
        return self.label.replace("{id}", found["id"]) if found else ""

    def labels(self, identifiers: list[str]) -> dict[str, str]:
        """Return the label of every identifier that is recognised."""
        found = {identifier: self.label_of(identifier) for identifier in identifiers}
        return {identifier: label for identifier, label in found.items() if label}
