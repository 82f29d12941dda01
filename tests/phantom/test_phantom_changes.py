"""Planted changes of lesions: as planned, apart from each other, and refused where impossible."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.phantom import ChangesPlan, PlantedChange, write_cohort
from cta_data.phantom.releases.changes import KINDS, PlantedLesion, plant
from cta_data.phantom.releases.patient import make_head

PLAN = ChangesPlan((*map(PlantedChange, KINDS), PlantedChange("gone", 3)), sessions=3)
COUNTS = {"new": (0, 1), "gone": (1, 0), "merged": (2, 1), "split": (1, 2)}


@pytest.fixture(scope="module")
def planted() -> list[PlantedLesion]:
    """All kinds of changes in one coarse head."""
    random = np.random.default_rng(4)
    return plant(random, make_head(random, 2.0), PLAN)


def test_bodies_change_at_the_planned_session_alone(planted: list[PlantedLesion]) -> None:
    """In number or in volume; before and after it they are the same bodies."""
    for one in planted:
        before, after = COUNTS.get(one.planned.kind, (1, 1))
        at = one.planned.at
        expected = [after if session >= at else before for session in (1, 2, 3)]
        assert [len(bodies) for bodies in one.bodies] == expected
        assert one.bodies[0] is one.bodies[at - 2] and one.bodies[2] is one.bodies[at - 1]
        volumes = [sum(b.shape.volume_mm3() for b in bodies) for bodies in one.bodies]
        factor = {"grown": 4.0, "shrunk": 0.25, "stable": 1.0}.get(one.planned.kind)
        if factor:
            assert volumes[1] / volumes[0] == pytest.approx(factor, rel=1e-3)


def test_bodies_of_a_session_stay_apart(planted: list[PlantedLesion]) -> None:
    """By about what was planned: no two touch, in any session."""
    for session in range(3):
        bodies = [body.shape for one in planted for body in one.bodies[session]]
        for first, second in combinations(bodies, 2):
            far = np.linalg.norm(first.centre - second.centre)
            assert far - first.reach_mm() - second.reach_mm() > 0.5 * PLAN.apart_mm


@pytest.mark.parametrize(
    "options",
    [
        {"sessions": 1},
        {"changes": ()},
        {"changes": (PlantedChange("new", 3),)},
        {"changes": (PlantedChange("new", 1),)},
        {"factor": 0.5},
        {"apart_mm": 0.0},
    ],
)
def test_an_impossible_plan_is_refused(options: dict[str, Any]) -> None:
    """Numbers out of range, and changes at sessions that are not there."""
    with pytest.raises(ConfigurationError, check=has_reason("phantom_changes_invalid")):
        ChangesPlan(**options)


def test_cohorts_of_one_session_are_refused(tmp_path: Path) -> None:
    """Nothing can change where patients come once; nothing is written."""
    with pytest.raises(ConfigurationError, check=has_reason("phantom_changes_without_sessions")):
        write_cohort(tmp_path, "susm", changes=PLAN)
    assert not list(tmp_path.iterdir())
