"""Two visits of a real patient with multiple sclerosis, registered and followed by a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.new_study import new_study

from cta_data.formats.transforms import read_transform
from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

CARD = """
[cohort]
name = "visits"
title = "Two visits of one patient"
licence = "CC-BY"
access = "public"
how_to_get = "It is on this disk."

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/study(?P<session>\\d)_FLAIR\\.nii\\.gz$'
role = "image"
technique = "FLAIR"
phase = "late"

[[files]]
path = '(?:^|/)(?P<subject>p\\d+)/study(?P<session>\\d)_mask\\.nii\\.gz$'
role = "mask"

[masks]
drawn_on = "FLAIR"
lesion_values = [1]

[groups.HAQ]
drawn_on = "FLAIR"
"""
TOML = """
[study]
name = "visits"

[registration]
reference = "FLAIR"

[transfer]
grids = ["FLAIR"]
"""
LEAST_VOXELS = 20
"""Smaller regions may vanish, or fall apart, when the nearest voxel is taken on another grid."""


@dataclass(frozen=True)
class Visits:
    """The study, the folder of the published files, and where regions are (common space, LPS)."""

    study: Study
    published: Path
    centres: dict[int, np.ndarray]
    new: int
    gone: int


@pytest.fixture(scope="module")
def visits(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Visits:
    """Regions of the published mask of changes, put onto both visits by its makers' transforms.

    One region is left out of the first visit, another out of the second.
    """
    published = shared_data / "nii_openms_p12" / "raw" / "patient12"
    if not published.is_dir():
        pytest.skip("the two visits of nii_openms_p12 are not here")
    work = tmp_path_factory.mktemp("visits")
    folder = work / "raw" / "p12"
    folder.mkdir(parents=True)
    common = sitk.ReadImage(str(published / "gt.nii.gz"))
    regions, centres = _regions(common)
    largest = sorted(centres, key=lambda n: -int((regions == n).sum()))
    new, gone = largest[2], largest[3]
    for visit, left_out in ((1, new), (2, gone)):
        name = f"study{visit}_FLAIR"
        image = sitk.ReadImage(str(published / f"{name}.nii.gz"))
        mask = sitk.GetImageFromArray(((regions > 0) & (regions != left_out)).astype(np.uint8))
        mask.CopyInformation(common)
        to_common = read_transform(published / f"{name}_to_common_space.txt").GetInverse()
        placed = sitk.Resample(mask, image, to_common, sitk.sitkNearestNeighbor, 0)
        sitk.WriteImage(placed, str(folder / f"study{visit}_mask.nii.gz"))
        (folder / f"{name}.nii.gz").write_bytes((published / f"{name}.nii.gz").read_bytes())
    (work / "visits.toml").write_text(CARD, "utf-8")
    study = new_study(work / "study", own="visits")
    (study.root / "study.toml").unlink()
    (study.root / "study.toml").write_text(TOML, "utf-8")
    place = ("--study", str(study.root))
    added = run_cta("add", "visits", work / "raw", "--card", work / "visits.toml", *place)
    assert added.code == 0, added.text
    for step in ("convert", "register", "transfer", "follow-up"):
        outcome = run_cta(step, *place)
        assert outcome.code == 0, outcome.text
    return Visits(Study(study.root), published, centres, new, gone)


def _regions(common: sitk.Image) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return the larger regions of the mask (z, y, x), numbered, and their centres (LPS, mm)."""
    labels = cc3d.connected_components(sitk.GetArrayFromImage(common), connectivity=26)
    counts = np.bincount(labels.ravel())
    kept = [n for n in range(1, len(counts)) if counts[n] >= LEAST_VOXELS]
    centres = {}
    for number in kept:
        index = np.argwhere(labels == number).mean(axis=0)[::-1]
        centres[number] = np.array(common.TransformContinuousIndexToPhysicalPoint(index.tolist()))
    return np.where(np.isin(labels, kept), labels, 0), centres


def test_visits_are_registered_as_their_makers_did(visits: Visits) -> None:
    """At every region within half a slice of 3 mm; the publishers' transforms are nearly rigid."""
    rows = visits.study.table("transforms")
    (row,) = rows[rows.between == "sessions"].itertuples()
    assert row.accepted and (row.session, row.moving_session) == ("2", "1")
    found = read_transform(visits.study.root / row.path)
    first, second = (
        read_transform(visits.published / f"study{n}_FLAIR_to_common_space.txt") for n in (1, 2)
    )
    off = [
        np.subtract(
            found.TransformPoint(second.TransformPoint(centre.tolist())),
            first.TransformPoint(centre.tolist()),
        )
        for centre in visits.centres.values()
    ]
    assert np.linalg.norm(off, axis=1).max() < 1.5


def test_regions_persist_but_those_left_out(visits: Visits) -> None:
    """Each visit has the same regions; the ones that were left out are new, and gone."""
    rows = visits.study.table("lesion_changes")
    states = rows.state.value_counts().to_dict()
    assert states == {"persisting": len(visits.centres) - 2, "new": 1, "gone": 1}
    kept = rows[rows.state == "persisting"]
    assert not kept.by_distance.any() and (kept.trend == "stable").all()
    assert kept.dice.median() > 0.6
    assert set(rows.ordered_by) == {"label"} and rows.days_between.isna().all()
    to_common = {n: visits.published / f"study{n}_FLAIR_to_common_space.txt" for n in (1, 2)}
    for state, session, region in (("new", 2, visits.new), ("gone", 1, visits.gone)):
        (row,) = rows[rows.state == state].itertuples()
        (number,) = row.later_lesions if state == "new" else row.earlier_lesions
        variant = visits.study.table("variants").set_index("session").loc[str(session)]
        labels = sitk.ReadImage(str(visits.study.root / variant.labels_path))
        point = read_transform(to_common[session]).TransformPoint(visits.centres[region].tolist())
        near = np.argwhere(sitk.GetArrayFromImage(labels) == number).mean(axis=0)[::-1]
        found = labels.TransformContinuousIndexToPhysicalPoint(near.tolist())
        assert np.linalg.norm(np.subtract(found, point)) < 2.0
