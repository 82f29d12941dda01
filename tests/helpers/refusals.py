"""Expect an error by the code of its reason, and by the values in it; never by its wording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cta_data.errors import CtaError
from cta_data.reasons import Reason


def has_reason(code: str, **values: Any) -> Callable[[CtaError], bool]:
    """Return what `pytest.raises` checks of an error: its reason, or one behind it, has this code.

    Parameters
    ----------
    values
        Values that the reason has to have, by name; `where` is the place that it names.
    """

    def check(error: CtaError) -> bool:
        require_reason(error.reason, code, **values)
        return True

    return check


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
