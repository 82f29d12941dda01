"""Agreement in tables: every figure with its interval, and the lesions that differ most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain

import pandas as pd

from cta_data.reports.names import volume_class
from cta_data.reports.table import MISSING, Row, Table, TableColumn, number_text
from cta_data.review.agreement import ComparedCase, Comparison
from cta_data.scoring.agreement import ClassAgreement, LimitsOfAgreement
from cta_data.scoring.lesion_links import LinkedLesions
from cta_data.scoring.statistics import Interval

MOST_LISTED = 20
"""Lesions that differ most, of each comparison."""
ALL = "all volumes"
COUNTS = ("both", "by_distance", "first_only", "second_only", "splits", "merges")
FIGURES = (
    *("positive_agreement", "dice", "mean_surface_mm", "hausdorff95_mm"),
    *("surface_dice_0_5mm", "surface_dice_1mm"),
)
LIMITS = ("volume_difference_mm3", "volume_ratio")
HOW = {
    "overlap": "both",
    "distance": "both, no common voxel",
    "split": "a further part in {second}",
    "merge": "a further part in {first}",
    "first_only": "{first} alone",
    "second_only": "{second} alone",
}


def agreement_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return every figure of every comparison and class of volume, one a row.

    Returns
    -------
    pandas.DataFrame
        Columns first, second, from_cm3, to_cm3, figure, estimate, low, high (95 % interval; NaN
        for counts) and n (patients that the figure rests on).
    """
    rows = [
        (one.first, one.second, part.from_cm3, part.to_cm3, *figure)
        for one in comparisons
        for part in (one.agreement.overall, *one.agreement.classes)
        for figure in _figures(part)
    ]
    limits = ["first", "second", "from_cm3", "to_cm3"]
    return pd.DataFrame(rows, columns=[*limits, "figure", "estimate", "low", "high", "n"])


def _figures(part: ClassAgreement) -> Iterator[tuple[str, float, float, float, int]]:
    for name in COUNTS:
        yield name, float(getattr(part.counts, name)), math.nan, math.nan, part.patients
    for name in FIGURES:
        yield (name, *_ends(getattr(part, name)))
    for name in LIMITS:
        limits: LimitsOfAgreement = getattr(part, name)
        for which in ("bias", "lower", "upper"):
            yield (f"{name}_{which}", *_ends(getattr(limits, which)))


def _ends(interval: Interval) -> tuple[float, float, float, int]:
    return interval.estimate, interval.low, interval.high, interval.n


def agreement_table(one: Comparison) -> Table:
    """Return the figures of one comparison by class of volume, for people."""
    alone = (f"{one.first} alone", f"{one.second} alone")
    columns = (
        TableColumn("Volume", "name", "cm³"),
        TableColumn("both", group="Lesions"),
        *(TableColumn(name, group="Lesions") for name in alone),
        TableColumn("further parts", group="Lesions"),
        TableColumn("Positive agreement"),
        TableColumn("Dice", group="Paired lesions"),
        TableColumn("surface distance", unit="mm", group="Paired lesions"),
        TableColumn("surface Dice at 1 mm", group="Paired lesions"),
        TableColumn("bias", group=f"Volume of {one.second} / {one.first}"),
        TableColumn("limits of agreement", group=f"Volume of {one.second} / {one.first}"),
    )
    seen = [part for part in one.agreement.classes if part.patients]
    rows = (_row(one.agreement.overall, ALL), *(_row(part, _class(part)) for part in seen))
    caption = (
        f"{_sessions(one)} of {one.agreement.patients} patients. In parentheses: "
        "95 % bootstrap intervals that resample patients. The volume of a paired lesion is the "
        "mean of both. Positive agreement is 2 · both / (2 · both + alone + alone)."
    )
    return Table(columns, rows, one.title, caption)


def _sessions(one: Comparison) -> str:
    """Return how many sessions are compared, and pairs of annotations where these are more."""
    n_pairs, n_sessions = len(one.cases), len({case.session for case in one.cases})
    told = f"{n_sessions} sessions"
    return told if n_pairs == n_sessions else f"{n_pairs} pairs of annotations in {told}"


def _class(part: ClassAgreement) -> str:
    return volume_class(part.from_cm3, part.to_cm3)


def _row(part: ClassAgreement, name: str) -> Row:
    counts, ratio = part.counts, part.volume_ratio
    numbers = (counts.both, counts.first_only, counts.second_only, counts.splits + counts.merges)
    limits = (ratio.lower.estimate, ratio.upper.estimate)
    between = MISSING if any(map(math.isnan, limits)) else f"{limits[0]:.2f} to {limits[1]:.2f}"
    return Row(
        (
            name,
            *map(str, numbers),
            _text(part.positive_agreement),
            _text(part.dice),
            _text(part.mean_surface_mm, 2),
            _text(part.surface_dice_1mm),
            _text(ratio.bias, 2),
            between,
        )
    )


def _text(interval: Interval, decimals: int = 3) -> str:
    if math.isnan(interval.estimate):
        return MISSING
    told = f"{interval.estimate:.{decimals}f}"
    if math.isnan(interval.low):
        return told
    return f"{told} ({interval.low:.{decimals}f} to {interval.high:.{decimals}f})"


def difference_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return every link of every comparison, those that differ most first.

    Returns
    -------
    pandas.DataFrame
        Columns first, second, cohort, subject, session, first_annotation, second_annotation,
        first_lesion, second_lesion, how, dice, centroid_distance_mm, first_volume_mm3 and
        second_volume_mm3.
    """
    names = ["first_lesion", "second_lesion", "how", "dice", "centroid_distance_mm"]
    names += ["first_volume_mm3", "second_volume_mm3"]
    about = ["first", "second", "cohort", "subject", "session"]
    about += ["first_annotation", "second_annotation"]
    rows = [
        (one.first, one.second, *case.session, *case.names, *_values(link))
        for one in comparisons
        for case, link in _by_difference(one)
    ]
    frame = pd.DataFrame(rows, columns=[*about, *names])
    return frame.astype({"first_lesion": "Int64", "second_lesion": "Int64"})


def _values(link: LinkedLesions) -> tuple[object, ...]:
    distances = (link.dice, link.centroid_distance_mm)
    volumes = (link.first_volume_mm3, link.second_volume_mm3)
    return (link.first, link.second, link.how, *distances, *volumes)


def _by_difference(one: Comparison) -> list[tuple[ComparedCase, LinkedLesions]]:
    """Lesions of one annotation alone first, the largest first; then pairs by their Dice."""
    found = chain.from_iterable(((case, link) for link in case.case.links) for case in one.cases)
    return sorted(found, key=lambda pair: _difference(*pair))


def _difference(case: ComparedCase, link: LinkedLesions) -> tuple[float, float, str, int, int]:
    dice = -1.0 if math.isnan(link.dice) else link.dice
    return dice, -link.volume_mm3, case.session.case, link.first or 0, link.second or 0


def difference_table(one: Comparison) -> Table:
    """Return the lesions of one comparison that differ most, for people."""
    columns = (
        TableColumn("Session", "name"),
        TableColumn(f"{one.first} lesion"),
        TableColumn(f"{one.second} lesion"),
        TableColumn("Found", "text"),
        TableColumn("Dice"),
        TableColumn("Distance", unit="mm"),
        TableColumn(f"{one.first} volume", unit="mm³"),
        TableColumn(f"{one.second} volume", unit="mm³"),
    )
    rows = tuple(
        Row(
            (
                str(case.session),
                str(link.first or MISSING),
                str(link.second or MISSING),
                HOW[link.how].format(first=one.first, second=one.second),
                number_text(link.dice, 3),
                number_text(link.centroid_distance_mm, 1),
                number_text(link.first_volume_mm3, 1),
                number_text(link.second_volume_mm3, 1),
            )
        )
        for case, link in _by_difference(one)[:MOST_LISTED]
    )
    return Table(columns, rows, f"{one.title}: lesions that differ most", is_sortable=True)
