"""Lesions that change from session to session by plan: what is planted, and its shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cta_data.errors import ConfigurationError
from cta_data.phantom.head.anatomy import Anatomy
from cta_data.phantom.head.lesions import (
    Lesion,
    Points,
    StarShape,
    place_shapes,
    shape_of_volume,
)
from cta_data.phantom.head.tissues import CONTRAST_CLASSES

Kind = Literal["stable", "grown", "shrunk", "new", "gone", "merged", "split"]
KINDS: tuple[Kind, ...] = ("stable", "grown", "shrunk", "new", "gone", "merged", "split")
_WHOLE = 1.5
"""Radius of a whole that two parts merge to, in radii of a part: most of both lies in it."""


@dataclass(frozen=True)
class PlantedChange:
    """One lesion, or one that has parts, and its change from the session before `at`.

    In all other sessions it is as it was before, or as it is after. `at` counts from 1.
    """

    kind: Kind
    at: int = 2


@dataclass(frozen=True)
class ChangesPlan:
    """What changes in every patient.

    Attributes
    ----------
    sessions
        Of each patient.
    volume_mm3
        Of a lesion that does not change; of one that grows before, of one that shrinks after.
    factor
        Volume of the larger session of what grows or shrinks, in volumes of the smaller one.
    apart_mm
        Between the surfaces of two parts, and least distance of all others; at least two voxels.

    Raises
    ------
    ConfigurationError
        A number is out of range, or a change is at a session that is not there.
    """

    changes: tuple[PlantedChange, ...] = tuple(PlantedChange(kind) for kind in KINDS)
    sessions: int = 2
    volume_mm3: float = 600.0
    factor: float = 4.0
    apart_mm: float = 6.0

    def __post_init__(self) -> None:
        wrong: list[str] = [one.kind for one in self.changes if one.kind not in KINDS]
        wrong += [f"at {one.at}" for one in self.changes if not 2 <= one.at <= self.sessions]
        for name, value, low, high in (
            ("sessions", self.sessions, 2, 3),
            ("volume_mm3", self.volume_mm3, 20.0, 4000.0),
            ("factor", self.factor, 1.0, 20.0),
            ("apart_mm", self.apart_mm, 1.0, 12.0),
        ):
            wrong += [] if low <= value <= high else [name]
        if wrong or not self.changes:
            raise ConfigurationError("phantom_changes_invalid", wrong=tuple(wrong or ["changes"]))


@dataclass(frozen=True)
class PlantedLesion:
    """What was planted, and its bodies in every session; none where there is no lesion."""

    planned: PlantedChange
    bodies: tuple[tuple[Lesion, ...], ...]


def plant(rng: np.random.Generator, anatomy: Anatomy, plan: ChangesPlan) -> list[PlantedLesion]:
    """Place what is planned in the brain, where nothing comes near anything else.

    Raises
    ------
    RuntimeError
        The brain has no room for it.
    """
    envelopes = [_envelope(plan, one.kind) for one in plan.changes]
    # The largest first, which fits in the fewest places.
    order = sorted(range(len(envelopes)), key=lambda i: -envelopes[i].scale_mm)
    placed = place_shapes(rng, anatomy, [envelopes[i] for i in order], plan.apart_mm)
    centres = {i: shape.centre for i, shape in zip(order, placed, strict=True)}
    made = []
    for i, one in enumerate(plan.changes):
        before, after = _bodies(rng, plan, one.kind, centres[i])
        own = tuple(after if n >= one.at else before for n in range(1, plan.sessions + 1))
        made.append(PlantedLesion(one, own))
    return made


def _envelope(plan: ChangesPlan, kind: Kind) -> StarShape:
    """A ball around all that a lesion will ever be."""
    radius = _radius(plan.volume_mm3)
    reach = {
        "merged": plan.apart_mm / 2 + 2 * radius,
        "split": plan.apart_mm / 2 + 2 * radius,
        "grown": _radius(plan.volume_mm3 * plan.factor),
        "shrunk": _radius(plan.volume_mm3 * plan.factor),
    }.get(kind, radius)
    return StarShape(np.zeros(3), 1.15 * reach, np.zeros(12))


def _bodies(
    rng: np.random.Generator, plan: ChangesPlan, kind: Kind, centre: Points
) -> tuple[tuple[Lesion, ...], tuple[Lesion, ...]]:
    """The bodies before and after a change."""
    one = (_lesion(rng, centre, plan.volume_mm3),)
    if kind in ("merged", "split"):
        whole, parts = _whole_and_parts(rng, plan, centre)
        return (parts, whole) if kind == "merged" else (whole, parts)
    if kind in ("grown", "shrunk"):
        shape = one[0].shape
        larger = replace(shape, scale_mm=shape.scale_mm * plan.factor ** (1 / 3))
        large = (replace(one[0], shape=larger, volume_mm3=plan.volume_mm3 * plan.factor),)
        return (one, large) if kind == "grown" else (large, one)
    return (() if kind == "new" else one), (() if kind == "gone" else one)


def _whole_and_parts(
    rng: np.random.Generator, plan: ChangesPlan, centre: Points
) -> tuple[tuple[Lesion, ...], tuple[Lesion, ...]]:
    radius = _radius(plan.volume_mm3)
    direction = rng.normal(size=3)
    offset = direction / np.linalg.norm(direction) * (radius + plan.apart_mm / 2)
    # The second is smaller: which part is the partner of the whole is no matter of rounding.
    parts = (
        _lesion(rng, centre - offset, plan.volume_mm3),
        _lesion(rng, centre + offset, 0.7 * plan.volume_mm3),
    )
    return (_lesion(rng, centre, plan.volume_mm3 * _WHOLE**3),), parts


def _lesion(rng: np.random.Generator, centre: Points, volume_mm3: float) -> Lesion:
    shape = shape_of_volume(centre, volume_mm3, rng.normal(0.0, 0.05, 12))
    return Lesion(0, shape, volume_mm3, "high", CONTRAST_CLASSES["high"], 0.0, 0.0)


def _radius(volume_mm3: float) -> float:
    return float(np.cbrt(volume_mm3 * 3.0 / (4.0 * np.pi)))


def true_changes(
    planted: Sequence[PlantedLesion], labels: Sequence[dict[int, int]], later: int
) -> list[dict[str, object]]:
    """Return what became of every lesion since the session before `later`, which counts from 1.

    Parameters
    ----------
    labels
        Of every session the number of each body in its annotation, by the body's identity.

    Returns
    -------
    list of dict
        `state` as in the table `lesion_changes`, the numbers of the bodies in both sessions, and
        the volumes before and after in mm³ (None without a body).
    """
    earlier, now = labels[later - 2], labels[later - 1]
    rows: list[dict[str, object]] = []
    for one in planted:
        before, after = one.bodies[later - 2], one.bodies[later - 1]
        if one.planned.at == later:
            rows.append(_true_change(one.planned.kind, before, after, earlier, now))
        else:
            rows += [_true_change("stable", (same,), (same,), earlier, now) for same in after]
    return rows


def _true_change(
    kind: Kind,
    before: Sequence[Lesion],
    after: Sequence[Lesion],
    earlier: dict[int, int],
    later: dict[int, int],
) -> dict[str, object]:
    volumes = [sum(b.shape.volume_mm3() for b in bodies) for bodies in (before, after)]
    return {
        "kind": kind,
        "state": "persisting" if kind in ("stable", "grown", "shrunk") else kind,
        "earlier": sorted(earlier[id(body)] for body in before),
        "later": sorted(later[id(body)] for body in after),
        "volume_before_mm3": round(volumes[0], 3) if before else None,
        "volume_after_mm3": round(volumes[1], 3) if after else None,
    }
