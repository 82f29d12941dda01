"""Patterns of cards are matched in bounded time, and say where they stand."""

from __future__ import annotations

import time

import pytest
from helpers.refusals import has_reason

from cta_data import patterns
from cta_data.cohorts import parse_card
from cta_data.cohorts.file_roles import match_file
from cta_data.errors import ConfigurationError
from cta_data.patterns import fullmatch, require_pattern, search

SLOW = r"^(?:a|aa|aaa)+$"
TEXT = "a" * 200 + "!"
CARD = f"""
[cohort]
name = "own"
title = "Own"
licence = "none"
access = "public"
how_to_get = "here"

[[files]]
path = '(?P<subject>P\\d+)/never'
role = "image"
technique = "MPRAGE"

[[files]]
path = '{SLOW}|(?P<subject>x)'
role = "image"
technique = "SPACE"

[[series]]
technique = "MPRAGE"
where = {{ "SeriesDescription|ProtocolName" = '(?i)mprage', RepetitionTime = {{ min = 1 }} }}

[annotations]
rois = [{{ pattern = "GTV", lesion = true }}]
"""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.05)


@pytest.mark.parametrize("match", [search, fullmatch])
def test_a_pattern_that_takes_too_long_is_an_error_that_names_it(match) -> None:
    """It is stopped, and the text, which may be a patient's name, is not repeated."""
    started = time.process_time()
    with pytest.raises(ConfigurationError, check=has_reason("pattern_too_slow")) as caught:
        match(SLOW, TEXT)
    assert time.process_time() - started < 5
    assert SLOW in str(caught.value) and TEXT not in str(caught.value)


def test_the_rule_of_the_card_is_named() -> None:
    """Of many patterns the message says which key of which card to change."""
    card = parse_card(CARD, "own", "card.toml")
    with pytest.raises(ConfigurationError) as caught:
        match_file(TEXT + ".png", card.files)
    assert caught.value.where == "the card of own, files.1.path"


def test_every_pattern_of_a_card_knows_its_place() -> None:
    """Also those in tables of conditions and in lists; what is no pattern stays as it is."""
    card = parse_card(CARD, "own", "card.toml")
    [rule], [roi] = card.series, card.annotations.rois
    places = [getattr(value, "where", None) for value in rule.where.values()]
    assert places == ["the card of own, series.0.where.SeriesDescription|ProtocolName", None]
    assert roi.pattern.where == "the card of own, annotations.rois.0.pattern"  # type: ignore[attr-defined]
    again = type(card).model_validate(card.model_dump(mode="json"))
    assert again == card


def test_the_engine_reads_what_python_reads() -> None:
    """Groups, flags, look-arounds and back-references, as the shipped cards use them."""
    found = search(r"(?i)^(?P<kind>GTV|CTV)[ _-]*(?P<token>.*)$", "gtv_left (?!x)")
    assert found is not None and found["kind"] == "gtv" and found["token"] == "left (?!x)"
    assert search(r"(?<![a-z])t1(?!w)", "t1w at1") is None
    assert fullmatch(r"(\w)\1", "aab") is None and search("T1", "t1", ignore_case=True)


def test_what_is_no_pattern_is_refused() -> None:
    """With what is wrong with it."""
    with pytest.raises(ValueError, match="not a regular expression"):
        require_pattern("(a")


@pytest.mark.parametrize(
    "pattern", ["(?P<id>(?R)?a)", "(a(?1)b)", "(?P<x>a(?&x)?)", "(?P<x>(?P>x))"]
)
def test_a_pattern_that_calls_itself_is_refused(pattern: str) -> None:
    """Its memory has no bound within the time; look-arounds, flags and names are no calls."""
    with pytest.raises(ValueError, match="calls its own groups"):
        require_pattern(pattern)
    require_pattern(r"(?i)(?P<id>\(?R\d+)(?=a)(?-i:b)(?P=id)")
