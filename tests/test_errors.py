"""Errors say what, where, why and what next, and travel between processes."""

from __future__ import annotations

import pickle

import pytest

from cta_data.errors import ConfigurationError, CtaError, DataRefused


def test_all_parts_are_said_in_one_line() -> None:
    """What, where, why and what next appear in the message, in reading order."""
    error = DataRefused("a slice is missing", where="sub-01", why="gap 4 mm", next_step="Export it")
    assert str(error) == "sub-01: a slice is missing (gap 4 mm). Export it"


def test_parts_that_are_not_given_leave_no_trace() -> None:
    """A bare error has no stray punctuation."""
    assert str(CtaError("the table cannot be read")) == "the table cannot be read"
    assert str(CtaError("it failed", next_step="Try again")) == "it failed. Try again"
    assert str(CtaError("it failed", why="no disk")) == "it failed (no disk)"


@pytest.mark.parametrize("kind", [CtaError, DataRefused, ConfigurationError])
def test_an_error_survives_the_way_between_processes(kind: type[CtaError]) -> None:
    """Type and every part are the same after pickling, as they come back from a worker."""
    error = kind("what", where="where", why="why", next_step="next")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.what, copy.where, copy.why, copy.next_step) == ("what", "where", "why", "next")
    assert str(copy) == str(error)


def test_one_kind_does_not_pass_for_the_other() -> None:
    """What costs one subject is no mistake of configuration, and the reverse."""
    assert not issubclass(DataRefused, ConfigurationError)
    assert not issubclass(ConfigurationError, DataRefused)
    assert issubclass(DataRefused, CtaError)
