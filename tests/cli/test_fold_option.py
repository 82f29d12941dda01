"""Folds on the command line: numbers, ranges, all."""

from __future__ import annotations

import pytest
from helpers.refusals import has_reason

from cta_data.cli.model_options import folds_named
from cta_data.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "folds"),
    [("0", (0,)), ("0-4", (0, 1, 2, 3, 4)), ("3, 0-1,1", (0, 1, 3)), ("all", ())],
)
def test_folds_are_named_by_numbers_and_ranges(text: str, folds: tuple[int, ...]) -> None:
    """Each fold once, in order; `all` leaves it to the build."""
    assert folds_named(text) == folds


@pytest.mark.parametrize("text", ["", "x", "-1", "0,", "2-1", "0-", "0:4", "0-99999999"])
def test_what_names_no_fold_is_refused(text: str) -> None:
    """The message tells what can be given instead."""
    with pytest.raises(ConfigurationError, check=has_reason("fold_option_invalid")):
        folds_named(text)
