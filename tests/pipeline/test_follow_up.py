"""Lesions over sessions: what was planted in digital patients comes back, no more and no less."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.made_once import made_once
from helpers.new_study import new_study

from cta_data.engine import RunOptions
from cta_data.formats.transforms import read_transform
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.phantom import ChangesPlan, PlantedChange, write_cohort
from cta_data.phantom.releases.changes import KINDS
from cta_data.pipeline.convert.step import CONVERT
from cta_data.pipeline.follow_up import FOLLOW_UP
from cta_data.pipeline.register import REGISTER
from cta_data.pipeline.register_sessions import REGISTER_SESSIONS
from cta_data.pipeline.runner import execute
from cta_data.pipeline.transfer import TRANSFER
from cta_data.review.follow_up import followed_subjects
from cta_data.study.study import Study

pytestmark = pytest.mark.slow

BEFORE = (CONVERT, REGISTER, TRANSFER)
STEPS = (REGISTER_SESSIONS, FOLLOW_UP)
PLAN = ChangesPlan(
    (*(PlantedChange(kind) for kind in KINDS), PlantedChange("gone", 3), PlantedChange("grown", 3)),
    sessions=3,
)
TRENDS = {"grown": "grown", "shrunk": "shrunk", "stable": "stable"}


@dataclass(frozen=True)
class Followed:
    """A study of a patient with three courses, followed; and the folder of the truth."""

    root: Path
    truth: Path

    def changes(self) -> list[dict[str, Any]]:
        """Return the truth of every pair of successive courses."""
        files = sorted(self.truth.glob("*_changes.json"))
        return [
            {"subject": file.name[3:6], **pair}
            for file in files
            for pair in json.loads(file.read_text("utf-8"))
        ]


@pytest.fixture(scope="session")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Every kind of change to the second course, two to the third; the head lies elsewhere."""
    return made_once(tmp_path_factory, "follow_up", _make)


def _make(folder: Path) -> Followed:
    options = {"patients": 1, "seed": 3, "voxel_mm": 2.5}
    written = write_cohort(folder / "ummc", "ummc", form="dicom", changes=PLAN, **options)
    study = new_study(folder / "study", "ummc")
    card = study.root / study.cohort_path("ummc") / "card.toml"
    ruled = card.read_text("utf-8").replace('delineated = "treated"', 'delineated = "all"')
    card.unlink()
    card.write_text(ruled, "utf-8")
    study = Study(study.root)
    with open_addition(study, "ummc", study.card("ummc"), written.raw, AdditionOptions()) as plan:
        add_source(study, "ummc", plan)
    study = Study(study.root)
    for steps in (BEFORE, STEPS):
        report = execute(study, steps, RunOptions(command=("cta-data", "follow-up")))
        assert not report.failures, [str(one.reason) for one in report.failures]
    return Followed(study.root, written.truth)


def _names(study: Study) -> dict[tuple[str, str, int], str]:
    """Return the name of the ROI of every lesion, by subject, session and lesion id."""
    found = {}
    for row in study.table("variants").itertuples():
        account = json.loads((study.root / row.account_path).read_text("utf-8"))
        for one in account["lesions"]:
            found[row.subject, row.session, one["id"]] = one["source_name"]
    return found


def _found(study: Study) -> list[tuple[Any, ...]]:
    """Return every change of the table, with names of ROIs in place of ids."""
    names = _names(study)
    return sorted(
        (
            row.session,
            row.state,
            row.trend if row.state == "persisting" else "",
            tuple(sorted(names[row.subject, row.earlier_session, n] for n in row.earlier_lesions)),
            tuple(sorted(names[row.subject, row.session, n] for n in row.later_lesions)),
        )
        for row in study.table("lesion_changes").itertuples()
    )


def test_states_and_links_are_those_of_the_truth(followed: Followed) -> None:
    """Every lesion of both sessions: which are the same, and what became of them."""
    expected = sorted(
        (
            str(pair["later"]),
            one["state"],
            TRENDS.get(one["kind"], ""),
            tuple(sorted(pair["earlier_rois"][str(n)] for n in one["earlier"])),
            tuple(sorted(pair["later_rois"][str(n)] for n in one["later"])),
        )
        for pair in followed.changes()
        for one in pair["changes"]
    )
    assert len(expected) == 9 + 9
    assert _found(Study(followed.root)) == expected


def test_changes_of_volume_are_within_their_intervals(followed: Followed) -> None:
    """Of all lesions that both sessions have; those that merged or split count as a whole."""
    study = Study(followed.root)
    names = _names(study)
    rows = study.table("lesion_changes")
    n_compared = 0
    for pair in followed.changes():
        own = rows[rows.session == str(pair["later"])]
        for one in pair["changes"]:
            if not (one["earlier"] and one["later"]):
                continue
            wanted = {pair["later_rois"][str(n)] for n in one["later"]}
            (row,) = [
                row
                for row in own.itertuples()
                if {names[row.subject, row.session, n] for n in row.later_lesions} == wanted
            ]
            true = one["volume_after_mm3"] - one["volume_before_mm3"]
            assert row.change_low_mm3 <= true <= row.change_high_mm3
            assert row.change_mm3 == pytest.approx(row.volume_after_mm3 - row.volume_before_mm3)
            n_compared += 1
    assert n_compared == 7 + 8


def test_sessions_are_registered_as_the_head_moved(followed: Followed) -> None:
    """Within half a voxel of 2.5 mm all over the brain; days are those between the courses."""
    study = Study(followed.root)
    rows = study.table("transforms")
    rows = rows[rows.between == "sessions"]
    assert rows.accepted.tolist() == [True, True]
    assert rows.moving_session.tolist() == ["1", "2"] and rows.session.tolist() == ["2", "3"]
    corners = 50.0 * np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    for pair in followed.changes():
        (path,) = rows[rows.session == str(pair["later"])].path
        found = read_transform(study.root / path)
        true = np.array(pair["later_to_earlier"])
        off = [
            np.linalg.norm(np.array(found.TransformPoint(p)) - (true[:3, :3] @ p + true[:3, 3]))
            for p in corners.tolist()
        ]
        assert max(off) < 1.25
    changes = study.table("lesion_changes")
    assert set(changes.ordered_by) == {"date"}
    days = dict(zip(changes.session, changes.days_between, strict=True))
    assert days == {str(pair["later"]): pair["days_between"] for pair in followed.changes()}


def test_what_is_done_is_not_done_again(followed: Followed) -> None:
    """The same steps on the same study run no unit."""
    study = Study(followed.root)
    before = study.table("lesion_changes")
    report = execute(study, STEPS, RunOptions(command=("cta-data", "follow-up")))
    assert {one.status for one in report.records} == {"notneeded"}
    pd.testing.assert_frame_equal(Study(followed.root).table("lesion_changes"), before)


def test_lesions_keep_their_line_over_three_sessions(followed: Followed) -> None:
    """Each planted lesion is one line, with its volume in every session that has it."""
    (subject,) = followed_subjects(Study(followed.root))
    assert [visit.session for visit in subject.visits] == ["1", "2", "3"]
    volumes = sorted(
        tuple((point.visit, round(point.volume_mm3, -2)) for point in track.points)
        for track in subject.tracks
    )
    assert volumes == sorted(
        [
            ((0, 600.0), (1, 600.0), (2, 600.0)),
            ((0, 600.0), (1, 2400.0), (2, 2400.0)),
            ((0, 2400.0), (1, 600.0), (2, 600.0)),
            ((1, 600.0), (2, 600.0)),
            ((0, 600.0),),
            ((0, 1000.0), (1, 2000.0), (2, 2000.0)),
            ((0, 2000.0), (1, 1000.0), (2, 1000.0)),
            ((0, 600.0), (1, 600.0)),
            ((0, 600.0), (1, 600.0), (2, 2400.0)),
        ]
    )
