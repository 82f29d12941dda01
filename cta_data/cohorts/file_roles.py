"""Whose file is which image or mask, by the rules of the card on its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cta_data.cohorts.file_card import CONTAINERS, FileRule
from cta_data.formats.slice_numbers import is_slice_number
from cta_data.patterns import search

DICOM = "dicom"
"""Name of the form of files whose headers say what they are."""
SINGLE_SESSION = "1"


@dataclass(frozen=True)
class FileMatch:
    """What a path says.

    Attributes
    ----------
    number
        Position of the rule in the card.
    place
        The part of the path that the rule matched: the same wherever the source lies.
    subject
        As the path has it; see `SubjectNaming`.
    slice_text
        Number of a slice of a stack as it stands in the path, or empty.
    roi
        Name of what a mask shows, or empty.
    reader
        Code of the reader of a mask, by the path or the rule, or empty.
    """

    rule: FileRule
    number: int
    place: str
    container: str
    extension: str
    subject: str
    session: str
    slice_text: str
    roi: str
    reader: str = ""

    @property
    def slice_number(self) -> int | None:
        """Number of a slice of a stack; None of other files, and where the text is no number."""
        return int(self.slice_text) if is_slice_number(self.slice_text) else None

    @property
    def stack(self) -> str:
        """What the slices of one stack share; for other files their place."""
        if self.slice_number is None:
            return self.place
        return f"{self.place.rpartition('/')[0]}/*{self.extension}"


def match_file(path: str, rules: Iterable[FileRule]) -> FileMatch | None:
    """Return what the first rule that is found in a path (with `/`) says, or None.

    A rule without groups for whose file it is (`ignore`) leaves the subject empty. A file of a
    kind that is no image matches only rules that ignore it.
    """
    extension = next((e for e in CONTAINERS if path.lower().endswith(e)), "")
    for number, rule in enumerate(rules):
        found = search(rule.path, path)
        if not found or (rule.role != "ignore" and not extension):
            continue
        groups = {name: text or "" for name, text in found.groupdict().items()}
        return FileMatch(
            rule,
            number,
            found[0].strip("/"),
            CONTAINERS.get(extension, ""),
            extension,
            groups.get("subject", ""),
            groups.get("session", "") or SINGLE_SESSION,
            groups.get("slice", ""),
            groups.get("roi", "").strip(),
            groups.get("reader", "").strip() or rule.reader,
        )
    return None


def preferred_form(
    matches: Iterable[FileMatch | None], rules: tuple[FileRule, ...], *, dicom: bool
) -> str:
    """Return the form of distribution that counts for a session: the one that is listed first.

    DICOM series come after every form of the rules.
    """
    found = {match.rule.form for match in matches if match}
    order = dict.fromkeys(rule.form for rule in rules if rule.role != "ignore")
    return next((form for form in order if form in found), DICOM if dicom else "")


def required_techniques(form: str, rules: tuple[FileRule, ...]) -> Mapping[tuple[str, str], bool]:
    """Return technique and phase of every image of a form, and whether it is needed."""
    wanted: dict[tuple[str, str], bool] = {}
    for rule in rules:
        if rule.role == "image" and rule.form == form:
            key = (rule.technique, rule.phase)
            wanted[key] = wanted.get(key, False) or rule.required
    return wanted
