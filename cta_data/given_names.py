"""Which names may be given to cohorts and subjects: they become folders and words of commands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cta_data.errors import ConfigurationError
from cta_data.names import LONGEST_LABEL

GROUPS = ("all", "test", "external")
"""Groups of test sets on the command line, where names of cohorts stand as well."""
_DEVICE = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)
"""Names that Windows gives to no file or folder, whatever their case and extension."""
_LABEL = re.compile(r"[A-Za-z0-9]+")


def check_name(
    name: str, what: str, *, taken: Iterable[str] = (), reserved: Iterable[str] = ()
) -> str:
    """Return a new name if it can be a folder on every system and is no other word.

    Parameters
    ----------
    what
        What is called so, such as `cohort`.
    taken
        Names that exist: equal ones are no concern here, those that differ in case alone are.
    reserved
        Words that have a meaning of their own, whatever their case.

    Raises
    ------
    ConfigurationError
        With the reason, and what to do.
    """
    why, instead = "", "Choose another name"
    twin = next((one for one in taken if one != name and one.casefold() == name.casefold()), "")
    if not _LABEL.fullmatch(name):
        why, instead = "it may hold letters and digits only", "Choose another, for example 001"
    elif len(name) > LONGEST_LABEL:
        why = f"it is too long: {len(name)} characters, and {LONGEST_LABEL} are the limit"
    elif _DEVICE.fullmatch(name):
        why = "Windows keeps this word for a device, and has no folder of that name"
    elif name.casefold() in {word.casefold() for word in reserved}:
        why = f"on the command line {name.casefold()!r} stands for a group of test sets"
    elif twin:
        why = (
            f"it differs from {twin} in case alone, and on macOS and Windows the two are one folder"
        )
        instead = f"Write {twin} if you mean that {what}, or choose another name"
    if why:
        raise ConfigurationError(
            "label_invalid", where=repr(name[:LONGEST_LABEL]), what=what, why=why, instead=instead
        )
    return name
