"""Names without identity: however an identifier is spelled, and no more than that."""

from __future__ import annotations

import pytest

from cta_data.steps.redaction import cut_out, identifier_parts


@pytest.mark.parametrize(
    ("identifier", "name", "left"),
    [
        ("Mueller_Hans", "Met 1 HANS", "Met 1 ***"),
        ("Mueller_Hans", "mueller hans left", "*** left"),
        ("Li_Wu", "mask Li Wu met", "mask *** met"),
        ("Li_Wu", "mask_LiWu_met", "mask_***_met"),
        ("Li_Wu", "Liver Wurm", "Liver Wurm"),
        ("4711", "GTV 4711-2", "GTV ***-2"),
        ("12", "GTV 12", "GTV 12"),
    ],
)
def test_an_identifier_is_cut_however_its_pieces_are_joined(
    identifier: str, name: str, left: str
) -> None:
    """Short pieces alone are ordinary words; joined they are a person."""
    assert cut_out(name, identifier_parts(identifier)) == left


def test_pieces_of_a_public_collection_s_identifiers_are_ordinary_words() -> None:
    """`Mets` in the name of a lesion is no patient; the whole identifier is cut all the same."""
    parts = list(identifier_parts("Mets_005", public=True))
    assert cut_out("Mets left", parts) == "Mets left"
    assert cut_out("Mets_005 left", parts) == "*** left"
