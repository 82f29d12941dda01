"""Expect an error by the code of its reason, and by the values in it; never by its wording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cta_data.errors import CtaError, DataRefused
from cta_data.reasons import Reason


@contextmanager
def refuses(
    code: str, kind: type[CtaError] = DataRefused, **values: Any
) -> Iterator[pytest.ExceptionInfo[CtaError]]:
    """Expect an error of this kind whose reason, or one behind it, has this code.

    Parameters
    ----------
    values
        Values that the reason has to have, by name; `where` is the place that it names.
    """
    with pytest.raises(kind) as caught:
        yield caught
    require_reason(caught.value.reason, code, **values)


def require_reason(reason: Reason | None, code: str, **values: Any) -> None:
    """Hold that a reason, or one behind it, has a code and values."""
    assert reason is not None, f"{code} was expected"
    found = {one.code: one for one in all_reasons(reason)}
    assert code in found, f"{code} was expected: {reason}"
    named = {"where": found[code].where, **found[code].values}
    assert {name: named[name] for name in values} == values


def codes_of(reason: Reason) -> set[str]:
    """Return the codes of a reason and of all that stand behind it, or in it."""
    return {one.code for one in all_reasons(reason)}


def all_reasons(reason: Reason) -> Iterator[Reason]:
    """Yield a reason and all that stand behind it, or in it as one of several."""
    yield reason
    for value in reason.values.values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Reason):
                yield from all_reasons(one)
