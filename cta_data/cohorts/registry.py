"""Cards by name: those that travel with the package, and a study's own."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from cta_data.cohorts.card import Card
from cta_data.errors import ConfigurationError
from cta_data.validation import parse_toml, read_toml


def shipped_cards() -> list[str]:
    """Return the names of the cards that travel with the package."""
    folder = files("cta_data_reference.datasets")
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and entry.joinpath("card.toml").is_file()
    )


def shipped_card_text(name: str) -> str:
    """Return the text of a card that travels with the package.

    Raises
    ------
    ConfigurationError
        There is none of that name.
    """
    known = shipped_cards()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise ConfigurationError("card_not_found", name=name, known=tuple(known), hint=hint)
    return files("cta_data_reference.datasets").joinpath(name, "card.toml").read_text("utf-8")


def read_card(path: Path, name: str) -> Card:
    """Read a study's card and check that it carries the name of its folder."""
    return _named(read_toml(path, Card), name, str(path))


def parse_card(text: str, name: str, where: str) -> Card:
    """Validate a card's text and check its name."""
    return _named(parse_toml(text, Card, where=where), name, where)


def _named(card: Card, name: str, where: str) -> Card:
    if card.cohort.name != name:
        raise ConfigurationError(
            "card_of_another_cohort", where=where, card_cohort=card.cohort.name, name=name
        )
    return card
