"""Regular expressions that a user wrote, matched in bounded time: one matcher for all of them.

A pattern such as `(a|aa)+$` takes twice as long for every letter more. The engine is that of the
package `regex`, which reads what Python's `re` reads and can be stopped.
"""

from __future__ import annotations

from functools import lru_cache

import regex

from cta_data.errors import ConfigurationError

SECONDS = 1.0
"""Of processor time for one text. Patterns of paths and names need some microseconds."""
_RECURSION = regex.compile(r"(?<!\\)\(\?(?:R|[+-]?[0-9]|&|P>)")
"""Calls of a group by a pattern: they take 700 MiB in the second that they are given."""


class CardPattern(str):
    """A pattern that knows its place.

    Attributes
    ----------
    where
        The card and the key that hold it.
    """

    where: str = ""


def require_pattern(pattern: str) -> CardPattern:
    """Return a regular expression that is one.

    Raises
    ------
    ValueError
        Otherwise, with what is wrong; also where a group of it calls a group.
    """
    try:
        _compiled(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    if _RECURSION.search(pattern):
        raise ValueError(f"{pattern!r} calls its own groups: write them out")
    return CardPattern(pattern)


def groups_of(pattern: str) -> set[str]:
    """Return the names of a pattern's groups."""
    return set(_compiled(pattern).groupindex)


def search(pattern: str, text: str, *, ignore_case: bool = False) -> regex.Match[str] | None:
    """Return where a pattern is first found in a text, or None.

    Raises
    ------
    ConfigurationError
        It had not decided in time; the message names the pattern and its place, not the text.
    """
    try:
        return _compiled(pattern, ignore_case).search(text, timeout=SECONDS)
    except TimeoutError as error:
        raise _too_slow(pattern, text) from error


def fullmatch(pattern: str, text: str) -> regex.Match[str] | None:
    """Return how a pattern fits a whole text, or None; as `search`."""
    try:
        return _compiled(pattern).fullmatch(text, timeout=SECONDS)
    except TimeoutError as error:
        raise _too_slow(pattern, text) from error


@lru_cache(maxsize=1024)
def _compiled(pattern: str, ignore_case: bool = False) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)


def _too_slow(pattern: str, text: str) -> ConfigurationError:
    return ConfigurationError(
        "pattern_too_slow",
        where=getattr(pattern, "where", ""),
        pattern=str(pattern),
        seconds=SECONDS,
        n_text=len(text),
    )
