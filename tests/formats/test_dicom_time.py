"""Moments of DICOM objects: what date, time and time zone tell, and what they leave open."""

from __future__ import annotations

import pytest

from cta_data.formats.dicom.time import in_order, is_later, moment_of


@pytest.mark.parametrize(
    ("first", "second", "later"),
    [
        (("20240102", "100000"), ("20240102", "095959.999999"), True),
        (("2024.01.02", "10:00:00"), ("20240102", "100000.5"), False),
        (("20240102", ""), ("20240101", "235959"), True),
        (("20240102", ""), ("20240102", "235959"), None),
        (("20240102", "10"), ("20240102", "103000"), None),
        (("", "100000"), ("20240102", "100000"), None),
        (("20240102", "100000"), ("20240102", "100000"), None),
        # 11:00 in New York is 16:00 in London.
        (("20240102", "110000", "-0500"), ("20240102", "120000", "+0000"), True),
        (("20240101", "233000", "-0100"), ("20240102", "003000", "+0000"), None),
        # A zone that one alone names: the other may be a day off.
        (("20240102", "110000", "-0500"), ("20240102", "120000"), None),
        (("20240103", "180000", "+0000"), ("20240102", "010000"), True),
        (("00010101", "000000", "+1400"), ("99991231", "235959"), False),
    ],
)
def test_the_later_of_two(
    first: tuple[str, ...], second: tuple[str, ...], later: bool | None
) -> None:
    """Known only where every reading of both moments has the same order; never both ways."""
    one, other = moment_of(*first), moment_of(*second)
    assert is_later(one, other) is later
    assert is_later(other, one) is (None if later is None else not later)
    if later is not None:
        assert (in_order(one) > in_order(other)) is later
