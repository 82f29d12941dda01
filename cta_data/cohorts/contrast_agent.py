"""Whether the text of ContrastBolusAgent names an agent, or says in some way that there was none.

The attribute is free text (LO). Scanners and technicians write `0 ml`, `-`, `n/a` or `keine` where
nothing was given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

ATTRIBUTE = "ContrastBolusAgent"
DENIALS = frozenset(
    {
        *("no", "non", "none", "not", "nil", "null", "nihil", "na", "n", "nein", "ohne", "nativ"),
        *("native", "without", "w", "wo", "pre", "plain", "unenhanced", "noncontrast", "false"),
        *("unknown", "unbekannt", "unspecified", "aucun", "sans", "senza", "nessuno", "sin"),
        *("ninguno", "geen", "zonder"),
    }
)
"""First words of a text that names no agent; `kein` with its endings beside them."""
QUANTITY = re.compile(r"(\d+(?:[.,]\d+)?) ?(ml|cc|cm3|mg|g|mmol|l|µl)?(?![a-z])")
KNOWN = re.compile(
    r"gado\w*|gd[- ]?\w*|dotarem|clariscan|artirem|magnevist|magnograf|prohance|multihance|"
    r"omniscan|optimark|primovist|eovist|vueway|elucirem|ablavar|vasovist|cyclolux|"
    r"contrast|kontrast\w*|km|iv|yes|ja|ml|cc|mg|mmol|kg|[\d.,/ -]+"
)
"""Words of which a text may be repeated in a message: all else may be anything, a name as well."""


def is_agent(text: str) -> bool:
    r"""Return whether a text says that contrast was given; several values are joined by `\`."""
    return any(_is_agent(value) for value in text.split("\\"))


def without_denial(header: Mapping[str, str]) -> Mapping[str, str]:
    """Return a header in which an agent stands only where the text is one."""
    if is_agent(header.get(ATTRIBUTE, "")):
        return header
    return {name: value for name, value in header.items() if name != ATTRIBUTE}


def agent_in_words(header: Mapping[str, str]) -> str:
    """Return what a header has for an agent, as a message may say it; empty without one."""
    text = " ".join(header.get(ATTRIBUTE, "").split())
    if not is_agent(text):
        return ""
    words = re.split(r"[\s\\/()]+", text.casefold())
    if all(not word or KNOWN.fullmatch(word) for word in words):
        return f"{ATTRIBUTE} {text!r}"
    return f"{ATTRIBUTE} of {len(text)} characters"


def _is_agent(value: str) -> bool:
    folded = unicodedata.normalize("NFKC", value).casefold().strip()
    words = re.findall(r"[^\W\d_]+", folded)
    amounts = [float(number.replace(",", ".")) for number, _ in QUANTITY.findall(folded)]
    if amounts and not any(amounts):
        return False
    if not words:
        return any(amounts)
    return words[0] not in DENIALS and not words[0].startswith("kein")
