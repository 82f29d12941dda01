"""Rows of a table of lesions and outlines of the same lesions: which belong together.

Names are the only link between the two, and they differ in case, blanks, punctuation, in what
stands before them and in a date behind them. Each rule is looser than the one before and takes
only what it finds once among the rows and once among the outlines that are still alone, so that
no rule chooses between two.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cta_data.cohorts.clinical.card import TargetRule
from cta_data.patterns import search

Status = Literal["matched", "row_without_roi", "roi_without_row", "ambiguous"]
Rule = Literal["exact", "case", "key", "date", "prefix", "order", ""]
Spelling = Callable[[str], str]

PREFIX = r"^(?:GK\.\d{3}|\*{3})_\d+_L_?"
"""What stands before a lesion's name in the table and in names of files.

Three asterisks stand where the patient's identifier was cut out.
"""

DEFAULT_TARGETS = (
    TargetRule(pattern=r"(?i)cavit|resect|post[ _-]*op(?!t)", type="resection_cavity"),
    TargetRule(pattern=r"(?i)calv|skull[ _-]*bone", type="calvarial"),
)


@dataclass(frozen=True)
class LesionRow:
    """One row of a table of lesions.

    Attributes
    ----------
    number
        Number of the lesion, unique in the table.
    values
        Columns that may be told of the lesion, by header; empty text where a cell is.
    """

    number: int
    source_id: str
    session: str
    name: str
    location: str = ""
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LesionLink:
    """A row and its outline, or one of them alone.

    Attributes
    ----------
    row, roi
        Numbers; None for the one that is missing.
    name
        Name of the outline, or of the row that has none.
    rule
        What joined them. `order` where only their order among equals did, and `prefix` where an
        `L` was taken for the end of the prefix: they are no certainties.
    """

    row: int | None
    roi: int | None
    name: str
    status: Status
    rule: Rule = ""


def link_lesions(
    rows: Sequence[LesionRow], rois: Sequence[tuple[int, str]], *, prefix: str = PREFIX
) -> list[LesionLink]:
    r"""Join the rows of one session with the outlines of that session.

    Names are compared as they are, without case, by letters and digits alone, and then without a
    date of eight digits at their end. The `_` at the end of the prefix may be part of it or of
    the name; both readings are tried. Only then an `L` before the name of an outline that lacks
    the prefix is taken for the prefix' last letter. Equals that no rule tells apart are joined in
    their order where there are as many rows as outlines, and are ambiguous otherwise.

    Parameters
    ----------
    rois
        Number and name of each outline: a ROI's name, or the stem of a mask's file.
    prefix
        Regular expression at the start of names, with an optional end.

    Returns
    -------
    list of LesionLink
        Every row and every outline exactly once; rows come first, in their order.
    """
    linker = _Linker(rows, [name for _, name in rois])
    rules: list[tuple[Rule, Spelling]] = [
        ("exact", str.strip),
        ("case", lambda name: name.strip().lower()),
        ("key", _key),
        ("date", _dateless_key),
    ]
    readings = [lambda n: _without(prefix, n, longest=True), lambda n: _without(prefix, n)]
    for rule, spelling in rules:
        for reading in [_stem, *readings]:
            linker.take(rule, spelling, reading, reading)
    for _, spelling in rules:
        linker.take("prefix", spelling, readings[0], lambda n: _without_letter(prefix, n))
    linker.take_in_order(lambda name: _dateless_key(readings[0](name)))
    return linker.links(rois)


def target_type(name: str, location: str, rules: Sequence[TargetRule] = DEFAULT_TARGETS) -> str:
    """Return what was outlined, by the first rule found in its name or its place.

    Without one it is a `metastasis`.
    """
    for rule in rules:
        if search(rule.pattern, name) or search(rule.pattern, location):
            return rule.type
    return "metastasis"


class _Linker:
    """Rows and outlines by position, and which of them are joined so far."""

    def __init__(self, rows: Sequence[LesionRow], rois: list[str]) -> None:
        self.numbers, self.rows = [row.number for row in rows], [row.name for row in rows]
        self.rois = rois
        self.roi_of: dict[int, tuple[int, Rule]] = {}
        self.joined: set[int] = set()
        self.ambiguous_rows: set[int] = set()
        self.ambiguous_rois: set[int] = set()

    def take(self, rule: Rule, spelling: Spelling, of_row: Spelling, of_roi: Spelling) -> None:
        """Join what has a spelling that no other row and no other outline has."""
        groups = self._groups(lambda n: spelling(of_row(n)), lambda n: spelling(of_roi(n)))
        for rows, rois in groups:
            if len(rows) == len(rois) == 1:
                self._join(rows[0], rois[0], rule)

    def take_in_order(self, key: Spelling) -> None:
        """Join equals in their order where their counts agree; mark them ambiguous otherwise."""
        for rows, rois in self._groups(key, key):
            if rows and len(rows) == len(rois):
                for row, roi in zip(sorted(rows, key=self.numbers.__getitem__), rois, strict=True):
                    self._join(row, roi, "order")
            elif rows and rois:
                self.ambiguous_rows.update(rows)
                self.ambiguous_rois.update(rois)

    def links(self, rois: Sequence[tuple[int, str]]) -> list[LesionLink]:
        """Return what was found of every row and outline."""
        links = [self._of_row(i, number, rois) for i, number in enumerate(self.numbers)]
        for i, (number, name) in enumerate(rois):
            if i not in self.joined:
                alone: Status = "ambiguous" if i in self.ambiguous_rois else "roi_without_row"
                links.append(LesionLink(None, number, name, alone))
        return links

    def _of_row(self, i: int, number: int, rois: Sequence[tuple[int, str]]) -> LesionLink:
        if i in self.roi_of:
            position, rule = self.roi_of[i]
            return LesionLink(number, *rois[position], "matched", rule)
        alone: Status = "ambiguous" if i in self.ambiguous_rows else "row_without_roi"
        return LesionLink(number, None, self.rows[i], alone)

    def _join(self, row: int, roi: int, rule: Rule) -> None:
        self.roi_of[row] = (roi, rule)
        self.joined.add(roi)

    def _groups(self, of_row: Spelling, of_roi: Spelling) -> list[tuple[list[int], list[int]]]:
        """Return positions of rows and outlines that are still alone, by equal spelling."""
        groups: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for i, name in enumerate(self.rows):
            if i not in self.roi_of:
                groups[of_row(name)][0].append(i)
        for i, name in enumerate(self.rois):
            if i not in self.joined:
                groups[of_roi(name)][1].append(i)
        return [group for spelling, group in groups.items() if spelling]


def _stem(name: str) -> str:
    return re.sub(r"(?i)\.(nrrd|nii|nii\.gz|png)$", "", name.strip())


def _without(prefix: str, name: str, *, longest: bool = False) -> str:
    """Return the name without its prefix, of which as much or as little as possible is cut."""
    stem = _stem(name)
    found = re.match(prefix, stem)
    if not found:
        return stem
    if longest:
        return stem[found.end() :]
    whole = re.compile(prefix)
    ends = (end for end in range(found.end()) if whole.fullmatch(stem, 0, end))
    return stem[next(ends, found.end()) :]


def _without_letter(prefix: str, name: str) -> str:
    """Return an outline's name without the `L` that is left of a prefix cut off elsewhere."""
    stem = _stem(name)
    return "" if re.match(prefix, stem) else re.sub(r"^L_?", "", stem)


def _key(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()


def _dateless_key(name: str) -> str:
    return re.sub(r"\d{8}$", "", _key(name))
