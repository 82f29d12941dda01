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
        raise ConfigurationError(
            f"there is no card of the name {name!r}",
            why=f"cards that come with the package: {', '.join(known)}",
            next_step=f"{hint}Write your own as datasets/{name}/card.toml in the study, "
            "or give it with --card",
        )
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
            f"the card is of the cohort {card.cohort.name!r}, not {name!r}",
            where=where,
            next_step=f'Set [cohort] name = "{name}" or use the right name',
        )
    return card
