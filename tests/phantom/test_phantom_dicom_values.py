"""Numbers in the phantoms' DICOM files keep their value, however small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cta_data.phantom.export.dicom import decimal_strings


@given(st.floats(min_value=-1000, max_value=1000, allow_nan=False), st.sampled_from([10, 12]))
def test_a_decimal_string_keeps_the_value(value: float, digits: int) -> None:
    """At most 16 characters (DICOM PS3.5, 6.2), and off by a rounding at most."""
    (text,) = decimal_strings([value], digits)
    assert len(text) <= 16
    assert abs(float(text) - value) <= 1e-9 * max(abs(value), 1e-3)


def test_a_long_exponent_is_not_cut_off() -> None:
    """A cosine of a right angle that is nearly right: 13 digits and an exponent are 18 letters."""
    assert [float(text) for text in decimal_strings([-9.76995522423e-05, -0.0], 12)] == [
        -9.769955224e-05,
        0.0,
    ]
    assert decimal_strings([-0.0], 12) == ["0.0"]
