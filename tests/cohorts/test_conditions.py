"""Conditions of a card on header values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.cohorts.card import Conditions, Range
from cta_data.cohorts.conditions import holds

HEADER = {
    "Modality": "MR",
    "ScanningSequence": "GR\\IR",
    "EchoTime": "2.44",
    "FlipAngle": "8\\9",
    "SeriesDescription": "",
    "PatientAge": "061Y",
}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"Modality": "^MR$"}, True),
        ({"Modality": "^CT$"}, False),
        ({"Modality": "^MR$", "ScanningSequence": "IR"}, True),
        ({"Modality": "^MR$", "ScanningSequence": "SE"}, False),
        ({"ProtocolName|ScanningSequence": "GR"}, True),
        ({"ProtocolName|SeriesDescription": "GR"}, False),
        ({"ProtocolName": ""}, False),
        ({"SeriesDescription": ""}, False),
        ({"EchoTime": Range(min=2, max=3)}, True),
        ({"EchoTime": Range(min=2.44, max=2.44)}, True),
        ({"EchoTime": Range(min=2.45)}, False),
        ({"EchoTime": Range(max=2.43)}, False),
        ({"FlipAngle": Range(min=8, max=8)}, True),
        ({"RepetitionTime": Range()}, False),
        ({"PatientAge": Range()}, False),
        ({"RepetitionTime|EchoTime": Range(max=3)}, True),
    ],
)
def test_conditions(conditions: Conditions, expected: bool) -> None:
    """All keys must hold, one alternative of each is enough, what is absent or empty meets nothing.

    Ranges include both ends, look at the first of several values, and refuse what is no number.
    """
    assert holds(conditions, HEADER) is expected


@given(st.text(max_size=20), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_range_never_fails_on_any_text(value: str, low: float, high: float) -> None:
    """Whatever a vendor writes where a number belongs is a plain no, or a number in the range."""
    met = holds({"EchoTime": Range(min=low, max=high)}, {"EchoTime": value})
    if met:
        assert low <= float(value.split("\\")[0]) <= high
