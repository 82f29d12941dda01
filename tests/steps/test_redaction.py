"""Names without identity: however an identifier is spelled, and no more than that."""

from __future__ import annotations

import pytest

from cta_data.steps.redaction import cut_out, identifier_parts, is_public

PATTERN = r"(?i)(GK[._])?(?P<id>\d{3})"


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


def test_a_public_collection_s_identifiers_stay() -> None:
    """`sub-147` leads back to `GK_147` on purpose, so names of its rows and files stay whole."""
    parts = list(identifier_parts("GK_147", public=is_public(PATTERN, "GK_147")))
    assert cut_out("GK.147_2_Llantfront", parts) == "GK.147_2_Llantfront"


def test_who_is_not_of_the_collection_is_no_public_person() -> None:
    """Beside it, a hospital's own number or name is cut out."""
    assert not is_public(PATTERN, "Mueller_Hans") and not is_public("", "GK_147")
    parts = identifier_parts("Mueller_Hans", public=is_public(PATTERN, "Mueller_Hans"))
    assert cut_out("Met 1 Hans", parts) == "Met 1 ***"
