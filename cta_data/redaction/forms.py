"""Every written form of a name, a number and a birth date, as patterns on folded text."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import codepoint2name
from itertools import pairwise, permutations
from urllib.parse import quote

from cta_data.redaction.folding import JOINT, SPACE, TURN, fold

LONG = 4
"""Letters (or digits) from which on a name (or number) is looked for inside of words."""
LONG_JOINED = 6
"""The same of a name that is put together from several, such as `boli` (in `metabolic`)."""
SHORTEST_NUMBER = 3
"""Digits of a number without its leading zeros: shorter ones are those of lesions."""
SPACED_NUMBER = 6
"""Characters from which on a number may be written in groups that its source does not have."""
MOST_JOINED = 4
"""Names that are put together in any order; of more, only neighbours."""
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that write no spaces between words, by the beginning of their letters' names."""
LETTER = r"[^\W\d_]"
INSIDE = f"[{JOINT}{TURN}]{{0,2}}"
"""What may stand between two letters of a name: `ONeil`, `O'Neil`, `McLi`."""
SPREAD = f"[{SPACE}{JOINT}{TURN}]{{0,2}}"
"""What may stand between two letters of a name that is written letter by letter."""
UNREADABLE = "[^a-z]{0,3}"
"""What is left of a letter that a program could not write: nothing, a blank, `?`, `_`."""
BETWEEN = f"[{SPACE}{JOINT}{TURN}]{{0,3}}"
"""What may stand between two names, or two groups of a number."""
APART = f"[{SPACE}{JOINT}]{{1,3}}"
WORD = rf"{LETTER}{{1,12}}"
"""A month in any language or in Roman numerals, between the day and the year of a birth date."""
TIME = r"(?:\d{4}|\d{6})?"
MONTHS = (
    ("jan", "jän", "ene", "gen"),
    ("feb", "fev"),
    ("mar", "mär", "mrz"),
    ("apr", "avr", "abr"),
    ("mai", "may", "mag"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "ott", "out"),
    ("nov",),
    ("dec", "dez", "dic"),
)
"""How months begin in English, German, French, Spanish, Italian and Portuguese."""
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


@dataclass(frozen=True)
class Form:
    """A pattern on folded text; `whole` where it must be a whole word to count."""

    pattern: str
    whole: bool


def name_forms(name: str) -> Iterator[Form]:
    """Yield the forms of a person's name, of any DICOM group (`山田^太郎` too)."""
    for group in name.split("="):
        words = _words(group)
        for word in words:
            if _has_no_spaces(word):
                yield Form(_letters(word), whole=False)
            elif len(word) > 1:
                yield Form(_letters(word), whole=len(word) < LONG)
                if len(word) >= LONG:
                    yield Form(SPREAD.join(map(re.escape, word)), whole=True)
        yield from _with_initials(words)
        yield from _damaged(group)
        for several in _joined(words):
            short = sum(map(len, several)) < LONG_JOINED
            yield Form(BETWEEN.join(map(_letters, several)), whole=short)


def number_forms(number: str) -> Iterator[Form]:
    """Yield the forms of a patient's number, which may also be a name, or hold one."""
    groups = re.findall(rf"\d+|{LETTER}+", fold(number).text)
    if not any(group.isdigit() for group in groups):
        yield from name_forms(number)
        return
    if len("".join(groups)) >= LONG:
        yield Form(_number(groups), whole=True)
    for group in groups:
        if group.isdigit() and len(group) >= LONG:
            yield Form(_number([group]), whole=True)
        elif not group.isdigit() and len(group) >= LONG:
            yield Form(_letters(group), whole=False)


def date_forms(date: str) -> Iterator[Form]:
    """Yield the forms of a date (`YYYYMMDD`), those without a day, and the year alone.

    What is no date is what someone typed into its field: a name, a number or part of a date.
    """
    try:
        day = datetime.datetime.strptime(re.sub("[.-]", "", date), "%Y%m%d").date()
    except ValueError:
        if date.strip("0"):
            yield from number_forms(date)
        return
    year, short = f"{day.year:04d}", f"{day.year % 100:02d}"
    two = {"m": f"{day.month:02d}", "d": f"{day.day:02d}"}
    any_ = {"m": f"0?{day.month}", "d": f"0?{day.day}(?:st|nd|rd|th|er)?"}
    begins = "|".join(dict.fromkeys(fold(one).text for one in MONTHS[day.month - 1]))
    named = f"(?:(?:of|de|di|do){SPACE})?(?:{begins}){LETTER}*"
    for order in ("ymd", "dmy", "mdy", "ydm"):
        for written in (year, short):
            time = TIME if order == "ymd" and written == year else ""
            yield Form("".join((two | {"y": written})[part] for part in order) + time, whole=True)
            yield Form(APART.join((any_ | {"y": written})[part] for part in order), whole=True)
            worded = any_ | {"y": written, "m": f"(?:{named}|{ROMAN[day.month - 1]})"}
            yield Form(BETWEEN.join(worded[part] for part in order), whole=True)
    for month in (named, any_["m"]):
        yield Form(f"{month}{APART}{year}", whole=True)
    yield Form(f"{named}{APART}{short}", whole=True)
    yield Form(f"{any_['d']}{BETWEEN}{WORD}{BETWEEN}{year}", whole=True)
    yield Form(f"{year}{BETWEEN}{WORD}{BETWEEN}{any_['d']}", whole=True)
    yield Form(f"{year}年{any_['m']}月(?:{any_['d']}日)?", whole=True)
    yield Form(f"{year}{two['m']}", whole=True)
    yield Form(year, whole=True)


def _words(name: str) -> list[str]:
    return re.findall(rf"{LETTER}+", fold(name).text.replace(TURN, ""))


def _has_no_spaces(word: str) -> bool:
    return any(unicodedata.name(one, "").startswith(WITHOUT_SPACES) for one in word)


def _joined(words: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield several names of one person side by side, as `ONeil` and `LiBo` are."""
    if len(words) <= MOST_JOINED:
        for count in range(2, len(words) + 1):
            yield from permutations(words, count)
        return
    for first, second in pairwise(words):
        yield from ((first, second), (second, first))


def _with_initials(words: list[str]) -> Iterator[Form]:
    """Yield each name beside the first letter of another: `BLi`, `Li, B.`."""
    for other, word in permutations(words[:MOST_JOINED], 2):
        if len(word) > 1 and not _has_no_spaces(other + word):
            yield Form(f"{other[0]}{BETWEEN}{_letters(word)}", whole=True)
            yield Form(f"{_letters(word)}{BETWEEN}{other[0]}", whole=True)


def _damaged(name: str) -> Iterator[Form]:
    """Yield a name as programs write it that do not know its letters: `MÃ¼ller`, `M?ller`."""
    for word in re.findall(rf"{LETTER}+", unicodedata.normalize("NFC", name)):
        pieces = re.split(r"([^\x00-\x7f]+)", word)
        known = [fold(piece).text.replace(TURN, "") for piece in pieces[::2]]
        if len(pieces) > 1 and len("".join(known)) >= LONG:
            lost = [f"(?:{'|'.join([*_encoded(piece), UNREADABLE])})" for piece in pieces[1::2]]
            inside = [one for pair in zip(known, [*lost, ""], strict=True) for one in pair][:-1]
            # At an end of the word nothing tells what was lost from what stands beside it.
            begin, end = (0 if known[0] else 2), (None if known[-1] else -2)
            yield Form("".join(inside[begin:end]), whole=False)


def _encoded(letters: str) -> Iterator[str]:
    """Yield letters as UTF-8 read as another code, and as HTML, URLs and JSON write them."""
    written = (
        *(letters.encode().decode(code, "replace") for code in ("latin-1", "cp1252")),
        "".join(f"&{codepoint2name.get(ord(one), ord(one))};" for one in letters),
        quote(letters),
        json.dumps(letters)[1:-1],
    )
    for text in written:
        yield _letters(fold(text).text.replace(TURN, ""))


def _letters(word: str) -> str:
    return INSIDE.join(map(re.escape, word))


def _number(groups: list[str]) -> str:
    """Return a number without its leading zeros, written in its groups, in others or in none."""
    first = groups[0].lstrip("0") if groups[0].isdigit() else groups[0]
    kept = [group for group in (first, *groups[1:]) if group]
    meaning = sum(map(len, kept))
    times = "*" if meaning >= SHORTEST_NUMBER else "+"
    before = f"(?:0{BETWEEN}){times}" if groups[0].isdigit() else ""
    if meaning >= SPACED_NUMBER:
        kept = list("".join(kept))
    return before + BETWEEN.join(map(re.escape, kept))
