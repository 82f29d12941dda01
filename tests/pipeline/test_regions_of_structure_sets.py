"""Structure sets with damage, tilt and gaps through a study, from files of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import Outcome, run_cta
from helpers.new_study import new_study
from helpers.structure_sets import (
    CARD,
    DrawnContour,
    DrawnRoi,
    circle,
    drawn_sphere,
    write_series,
    write_structure_set,
)

from cta_data.study.study import Study

pytestmark = pytest.mark.slow

SLICES = [3.0 * n for n in range(20)]
MIDDLE = (0.0, 0.0, 30.0)
WHOLE = drawn_sphere("GTV 1", MIDDLE, 7.0, SLICES)


def with_damage(name: str, **damage: object) -> DrawnRoi:
    """A region like `WHOLE` whose second contour is damaged."""
    contours = list(drawn_sphere(name, (18, 0, 30), 7.0, SLICES).contours)
    contours[1] = replace(contours[1], **damage)
    return DrawnRoi(name, contours)


@pytest.fixture(scope="module")
def empty_study(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes studies whose one registration is to MPRAGE itself, without a brain mask."""

    def make(name: str, rois: list[DrawnRoi], heights: list[float], card: str = CARD) -> Path:
        folder = tmp_path_factory.mktemp(name)
        study, raw, own = folder / "study", folder / "raw", folder / "own.toml"
        new_study(study, own="own")
        toml = (study / "study.toml").read_text("utf-8")
        toml = toml.replace('backend = "morphology"', 'backend = "none"')
        toml = toml.replace(
            "[registration]", '[transfer]\ngrids = ["MPRAGE"]\n\n[registration]\nhub = "MPRAGE"'
        )
        (study / "study.toml").write_text(toml, "utf-8")
        own.write_text(card, "utf-8")
        write_series(raw / "mr", heights)
        write_structure_set(raw / "rs.dcm", rois)
        added = run_cta("add", "own", raw, "--id", "p1", "--card", own, study=study)
        assert added.code == 0, added.text
        return study

    return make


def measured(study: Path) -> list[dict]:
    """The lesions of a study, after all steps went well."""
    for step in ("convert", "register", "transfer", "strip", "measure"):
        outcome = run_cta(step, "own", study=study)
        assert outcome.code == 0, outcome.text
    return Study(study).lesions().to_dict("records")


def converted(study: Path) -> tuple[Outcome, dict[str, dict]]:
    """What `convert` printed, and the rows of `annotations` by name."""
    outcome = run_cta("convert", "own", study=study)
    rows = Study(study).rois().to_dict("records")
    return outcome, {row["source_roi"]: row for row in rows}


@pytest.mark.parametrize(
    ("damage", "cause"),
    [({"text": "1,5\\2,5\\3,5"}, "not numbers"), ({"announced": 90}, "announces 90 points")],
)
def test_a_lesion_that_cannot_be_read_stops_its_session(
    empty_study: Callable[..., Path], damage: dict, cause: str
) -> None:
    """The session waits; screen and table have the cause, and no lesion stands for both."""
    study = empty_study("damaged", [WHOLE, with_damage("GTV 2", **damage)], SLICES)
    outcome, rows = converted(study)
    assert outcome.code == 3
    assert "GTV 2" in outcome.text and cause in outcome.text
    assert not rows["GTV 2"]["selected"] and cause in rows["GTV 2"]["rejected_reason"]
    assert rows["GTV 2"]["rejected_code"] == "roi_contours_damaged"
    (unit,) = Study(study).units().query("step == 'convert'").to_dict("records")
    assert unit["status"] == "impossible" and cause in unit["reason"]


def test_damage_of_a_region_that_is_no_lesion_stops_nothing(
    empty_study: Callable[..., Path],
) -> None:
    """A brain stem that cannot be read is listed, and the lesion is measured."""
    damaged = with_damage("brain stem", text="1,5\\2,5\\3,5")
    study = empty_study("stem", [WHOLE, damaged], SLICES)
    outcome, rows = converted(study)
    assert outcome.code == 0, outcome.text
    assert rows["GTV 1"]["selected"] and not rows["brain stem"]["selected"]


TINY = [(-20.0, -20.0), (3.37, -15.12), (10.5, -19.5), (14.25, -22.62)]


def test_each_region_keeps_its_volume_on_its_own_planes(empty_study: Callable[..., Path]) -> None:
    """An axial and an oblique lesion of one structure set arrive, and so do contours of 0.008 mm²
    between sample points: each is the voxel that it lies in.
    """
    tilted = drawn_sphere("GTV 2", (18, 0, 30), 6.0, SLICES, tilt_degrees=13.0)
    rois = [WHOLE, tilted]
    for number, place in enumerate(TINY, start=3):
        rois.append(DrawnRoi(f"GTV {number}", [DrawnContour(circle(place, 0.05, 30.0))]))
    lesions = measured(empty_study("tilted", rois, SLICES))
    drawn = [3 * np.pi * sum(r**2 - z**2 for z in (-6, -3, 0, 3, 6) if z**2 < r**2) for r in (7, 6)]
    assert [one["source_roi"] for one in lesions] == [f"GTV {n}" for n in range(1, 7)]
    for lesion, volume in zip(lesions[:2], drawn, strict=True):
        assert lesion["volume_mm3"] == pytest.approx(volume, rel=0.02)
    assert [one["n_voxels"] for one in lesions[2:]] == [1, 1, 1, 1]
    for lesion, (x, y) in zip(lesions[2:], TINY, strict=True):
        off = np.abs(np.array(lesion["centroid_ras_mm"])[:2] - [-x, -y])
        assert off.max() <= 0.5 + 1e-6


def test_uneven_steps_that_a_card_allows_do_not_divide_a_lesion(
    empty_study: Callable[..., Path],
) -> None:
    """A contour on every acquired slice is one lesion; a slice without one divides it still."""
    heights = [z for z in SLICES if z not in (24.0, 30.0, 36.0)]
    every = drawn_sphere("GTV 1", MIDDLE, 16.0, heights)
    left_out = [z for z in heights if z not in (27.0, 33.0)]
    apart = drawn_sphere("GTV 2", (-20.0, -20.0, 30.0), 10.0, left_out)
    refused, _ = converted(empty_study("uneven", [every], heights))
    assert refused.code == 3 and "slices are missing" in refused.text
    allowed = CARD + "\n[repairs]\nuneven_steps = true\n"
    lesions = measured(empty_study("allowed", [every, apart], heights, allowed))
    assert [one["source_roi"] for one in lesions] == ["GTV 1", "GTV 2", "GTV 2"]
    areas = {z: np.pi * (16.0**2 - (z - 30) ** 2) for z in heights if abs(z - 30) < 16}
    extent = {z: 6.0 if z in (27.0, 33.0) else 4.5 if z in (21.0, 39.0) else 3.0 for z in areas}
    volume = sum(areas[z] * extent[z] for z in areas)
    assert lesions[0]["volume_mm3"] == pytest.approx(volume, rel=0.01)
