"""Text in the one spelling in which names are compared, with the way back to its characters.

Case, accents, width of characters, umlauts and their transliterations fall together: `Müller`,
`Mueller`, `Muller` and `MULLER` are all `muller`. So do the two spellings of ø, å and æ.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SPACE = " "
"""Stands for any character that is neither letter nor digit, and none of `JOINING`."""
JOINT = "'"
"""Stands for a character of `JOINING`: it may stand inside of a word."""
TURN = "|"
"""Stands, without a width, where a word begins inside of another: `metLi`, `GTVLi`, `gtvli`."""
JOINING = frozenset("'’‘`´ʼ′-‐‑‒–.·")
UNSEEN = "Cf"
"""Unicode's category of soft hyphens and of characters without a width."""
LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"}
"""Letters that Unicode does not decompose."""
DIGRAPHS = ("ae", "oe", "ue", "aa")
"""Transliterations of ä, ö, ü, ø and å: their second letter falls away in both spellings."""
SYLLABLES = range(0xAC00, 0xD7A4)
"""Syllables of Hangul, which decomposing would tear apart."""
TARGET_VOLUMES = re.compile(r"(?<![^\W\d_])(gtv|ctv|ptv|itv)(?=[^\W\d_])")


@dataclass(frozen=True)
class Folded:
    """Folded text; character i comes from `source[starts[i]:ends[i]]`."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return which characters of the source a piece of the folded text comes from."""
        return self.starts[start], self.ends[end - 1]


def fold(source: str) -> Folded:
    """Return a text in its folded spelling."""
    pieces: list[tuple[str, int, int]] = []
    for position, character in enumerate(source):
        folded = fold_character(character)
        if not folded and pieces:  # an accent belongs to the letter before
            pieces[-1] = (pieces[-1][0], pieces[-1][1], position + 1)
        if _turns(source, position):
            pieces.append((TURN, position, position))
        pieces += [(one, position, position + 1) for one in folded]
    pieces = _without_digraphs(pieces)
    text = "".join(piece for piece, _, _ in pieces)
    for found in reversed(list(TARGET_VOLUMES.finditer(text))):
        place = pieces[found.end()][1]
        pieces.insert(found.end(), (TURN, place, place))
    return Folded(
        "".join(piece for piece, _, _ in pieces),
        tuple(start for _, start, _ in pieces),
        tuple(end for _, _, end in pieces),
    )


def fold_character(character: str) -> str:
    """Return the letters or digits of one character; empty for an accent of its own."""
    if character in JOINING or unicodedata.category(character) == UNSEEN:
        return JOINT
    if ord(character) in SYLLABLES:
        return character
    folded = ""
    for one in unicodedata.normalize("NFKD", character.casefold()):
        if unicodedata.combining(one):
            continue
        if unicodedata.digit(one, None) is not None:
            folded += str(unicodedata.digit(one))
        elif one.isalpha():
            folded += LETTERS.get(one, one)
        else:
            folded += SPACE
    return folded


def _turns(source: str, position: int) -> bool:
    """Return whether a capital begins a word inside another: after or before a small letter."""
    if not position or not source[position].isupper() or not source[position - 1].isalpha():
        return False
    return source[position - 1].islower() or source[position + 1 : position + 2].islower()


def _without_digraphs(pieces: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    kept: list[tuple[str, int, int]] = []
    for piece in pieces:
        if kept and kept[-1][0] + piece[0] in DIGRAPHS:
            kept[-1] = (kept[-1][0], kept[-1][1], piece[2])
        else:
            kept.append(piece)
    return kept
