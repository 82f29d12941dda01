"""Errors say what, where, why and what next, and travel between processes."""

from __future__ import annotations

import pickle

import pytest

from cta_data.errors import ConfigurationError, CtaError, DataRefused


def test_all_parts_are_said_in_one_line() -> None:
    """What, where, why and what next appear in the message, in reading order."""
    error = DataRefused("slices_missing", where="sub-01", why="gap 4 mm")
    assert error.why == "gap 4 mm"
    assert str(error) == f"sub-01: {error.what} (gap 4 mm). {error.next_step}"


def test_parts_that_are_not_given_leave_no_trace() -> None:
    """A bare error has no stray punctuation."""
    bare = CtaError("series_empty")
    assert str(bare) == bare.what and not (bare.where or bare.why or bare.next_step)
    without_why = CtaError("slices_missing", why="")
    assert str(without_why) == f"{without_why.what}. {without_why.next_step}"
    without_step = CtaError("json_unreadable", why="no comma")
    assert str(without_step) == f"{without_step.what} (no comma)"


@pytest.mark.parametrize("kind", [CtaError, DataRefused, ConfigurationError])
def test_an_error_survives_the_way_between_processes(kind: type[CtaError]) -> None:
    """Type, code and values are the same after pickling, as they come back from a worker."""
    error = kind("slices_missing", where="where", why="gap 4 mm")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.reason == error.reason and str(copy) == str(error)


def test_one_kind_does_not_pass_for_the_other() -> None:
    """What costs one subject is no mistake of configuration, and the reverse."""
    assert not issubclass(DataRefused, ConfigurationError)
    assert not issubclass(ConfigurationError, DataRefused)
    assert issubclass(DataRefused, CtaError)
