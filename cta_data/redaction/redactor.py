"""Removes one patient's identity from texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from cta_data.redaction.folding import JOINT, TURN, Folded, fold
from cta_data.redaction.forms import LETTER, Form, date_forms, name_forms, number_forms
from cta_data.redaction.identity import Identity
from cta_data.redaction.roi_words import ROI_WORDS

REMOVED = "***"
WORD = re.compile(rf"(?:{LETTER}|[{JOINT}{TURN}])+")


class Redactor:
    """Finds an identity in texts, in any of its written forms.

    Parameters
    ----------
    words
        Words that the texts are made of beside those of regions: a name that is a piece of one is
        not cut out of it.
    """

    def __init__(self, identity: Identity, words: Iterable[str] = ()) -> None:
        forms = chain(
            *map(name_forms, identity.names),
            *map(number_forms, identity.numbers),
            *map(date_forms, identity.birth_dates),
        )
        unique = sorted(set(forms), key=lambda form: (form.pattern, form.whole))
        self._patterns = [(re.compile(_bounded(form)), form) for form in unique]
        self._words = ROI_WORDS | {fold(word).text.replace(TURN, "") for word in words}

    def redact(self, text: str) -> str:
        """Return a text with `***` in the place of every piece of identity."""
        shown, end = "", 0
        for start, stop in _merged(self._spans(text)):
            shown += text[end:start] + REMOVED
            end = stop
        return shown + text[end:]

    def finds(self, text: str) -> bool:
        """Return whether a text holds a piece of identity."""
        return next(self._spans(text), None) is not None

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        folded = fold(text)
        for pattern, form in self._patterns:
            for found in pattern.finditer(folded.text):
                if form.whole or not self._in_word(folded, *found.span()):
                    yield folded.span(*found.span())

    def _in_word(self, folded: Folded, start: int, end: int) -> bool:
        """Return whether a piece stands inside of a word that the texts are made of.

        The word as a whole counts: it may be the patient's name.
        """
        for word in WORD.finditer(folded.text):
            if word.start() <= start and end <= word.end():
                letters = re.sub(rf"[{JOINT}{TURN}]", "", word[0])
                return letters in self._words and end - start < len(word[0].strip(JOINT + TURN))
        return False


def _bounded(form: Form) -> str:
    """Return a form's pattern that is no piece of a longer number or, where short, of a word."""
    if not form.whole:
        return form.pattern
    letters, digits = rf"(?<!{LETTER})", r"(?<!\d)"
    # What begins with a letter is bounded by letters, what begins with a digit by digits.
    before = letters if re.match(LETTER, form.pattern[0]) else digits
    after = rf"(?!{LETTER})" if re.match(LETTER, form.pattern[-1]) else r"(?!\d)"
    return f"{before}(?:{form.pattern}){after}"


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return pieces in their order, those that touch joined."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
