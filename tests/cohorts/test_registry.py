"""Cards by name, and cards that carry another name or a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.cohorts import Card, parse_card, read_card, shipped_card_text, shipped_cards
from cta_data.errors import ConfigurationError


def test_every_card_that_travels_with_the_package_is_valid() -> None:
    """Each parses under its folder's name, and its groups name techniques that it recognises."""
    assert "internal" in shipped_cards()
    for name in shipped_cards():
        card = parse_card(shipped_card_text(name), name, name)
        techniques = {rule.technique for rule in (*card.series, *card.files)}
        assert {group.drawn_on for group in card.groups.values()} <= techniques
        assert {rule.technique for rule in card.annotations.drawn_on} <= techniques


def test_a_card_survives_the_way_through_json() -> None:
    """A unit carries the card as JSON content, open ranges included."""
    text = shipped_card_text("internal").replace(
        'where = { Modality = "^CT$" }', 'where = { Modality = "^CT$", KVP = { min = 80 } }'
    )
    card = parse_card(text, "internal", "card.toml")
    assert Card.model_validate(card.model_dump(mode="json")) == card


def test_a_name_without_a_card_is_answered_with_the_nearest() -> None:
    """The error names the nearest card, those that there are, and how to bring one's own."""
    with pytest.raises(ConfigurationError) as caught:
        shipped_card_text("internl")
    said = str(caught.value)
    assert "Did you mean 'internal'?" in said
    assert "--card" in said


def test_a_card_of_another_name_is_refused() -> None:
    """A card copied under another cohort's name would mix the two."""
    with pytest.raises(
        ConfigurationError,
        check=has_reason("card_of_another_cohort", card_cohort="internal", name="mine"),
    ):
        parse_card(shipped_card_text("internal"), "mine", "card.toml")


def test_a_mistake_in_a_study_s_card_names_the_file(tmp_path: Path) -> None:
    """Every cohort's file is called card.toml, so the whole path is told."""
    path = tmp_path / "card.toml"
    path.write_text(shipped_card_text("internal").replace("single_post", "singlepost"))
    with pytest.raises(ConfigurationError) as caught:
        read_card(path, "internal")
    assert str(path) in str(caught.value)
    assert "did you mean 'single_post'?" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('licence = "not public"', 'license = "x"', "did you mean 'licence'?"),
        ("several_matches", "several_match", "did you mean 'several_matches'?"),
        ("lesion = true", "lesions = true", "did you mean 'lesion'?"),
        ('access = "restricted"', 'access = "secret"', "cohort.access: "),
        ('name = "internal"', 'name = "../internal"', "cohort.name: "),
        ('"^CT$"', '"^CT("', "is not a regular expression"),
        ("gantry_tilt = false", 'gantry_tilt = "perhaps"', "repairs.gantry_tilt: "),
        ('post = ["early", "late"]', "post = []", "phases.post: "),
        ('drawn_on = "SPACE"', 'drawn_on = "MPRAGE"', "several groups are drawn on MPRAGE"),
        ('{ Modality = "^CT$" }', "{}", "series.2.where: "),
        ('{ Modality = "^CT$" }', "{ KVP = { mn = 3 } }", "did you mean 'min'?"),
    ],
)
def test_a_mistake_names_its_key(old: str, new: str, said: str) -> None:
    """Misspelt keys at every depth, wrong values and broken patterns are told when it is read."""
    text = shipped_card_text("internal")
    assert old in text
    with pytest.raises(ConfigurationError) as caught:
        parse_card(text.replace(old, new, 1), "internal", "card.toml")
    assert said in str(caught.value)


def test_quality_follows_the_technique_drawn_on() -> None:
    """Drawn on MPRAGE is NAQ, on SPACE is HAQ, on anything else nothing."""
    card = parse_card(shipped_card_text("internal"), "internal", "card.toml")
    found = [card.quality_of(technique) for technique in ("MPRAGE", "SPACE", "CT", None)]
    assert found == ["NAQ", "HAQ", None, None]
