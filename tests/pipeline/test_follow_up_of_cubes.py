"""Which sessions are followed, and what stops it: a study of small files in one space."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.readers_card import CARD
from helpers.readers_study import SHAPE, write_nifti

from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow

pytestmark = pytest.mark.slow

ONE_SPACE = CARD.replace(
    "coregistered = true\nshows_head = false", "coregistered = true\nsessions_coregistered = true"
)
VISITS = {
    ("p1", "1"): [(4, 4, 4, 6), (20, 20, 20, 3)],
    ("p1", "2"): None,
    ("p1", "3"): [(4, 4, 4, 8), (4, 20, 12, 3)],
    ("p2", "1"): [(4, 4, 4, 3)],
}
"""Corner and edge of the cubes. The second session of p1 has no mask, and is not converted."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A subject with two annotated sessions of three, and one with a single session."""
    work = tmp_path_factory.mktemp("cubes")
    random = np.random.default_rng(1)
    for (subject, session), lesions in VISITS.items():
        folder = work / "raw" / subject / session
        folder.mkdir(parents=True)
        image = np.zeros(SHAPE, np.int16)
        image[2:30, 2:30, 2:30] = random.integers(100, 200, (28, 28, 28))
        write_nifti(image, folder / "t1.nii.gz")
        if lesions is not None:
            mask = np.zeros(SHAPE, np.uint8)
            for x, y, z, edge in lesions:
                mask[x : x + edge, y : y + edge, z : z + edge] = 1
            write_nifti(mask, folder / "naq.nii.gz")
    card = ONE_SPACE.replace('technique = "SPACE"\n', 'technique = "SPACE"\nrequired = false\n')
    (work / "own.toml").write_text(card, "utf-8")
    new_study(work / "study", own="own")
    place = ("--study", str(work / "study"))
    added = run_cta("add", "own", str(work / "raw"), "--card", str(work / "own.toml"), *place)
    assert added.code == 0, added.text
    for step in ("convert", "register", "transfer"):
        run_cta(step, *place)
    return Study(work / "study")


def labels(study: Study) -> tuple[str, str]:
    """Return the subject with several sessions and the one with a single one: labels are drawn."""
    rows = Study(study.root).subjects()
    several = rows[rows.session == "3"].subject.item()
    return several, next(one for one in rows.subject if one != several)


def units(study: Study, step: str) -> dict[str, UnitRow]:
    """Return the units of a step by session."""
    rows = Study(study.root).tables.rows(UnitRow)
    return {row.id.session.session: row for row in rows if row.step == step}


def test_a_registration_on_hold_stops_the_links_until_it_is_accepted(study: Study) -> None:
    """No rows and a coded reason before; the changes after. What is registered is not done again.

    The images show no head, so that nobody can check that they lie in one space as the card says.
    """
    place = ("--study", str(study.root))
    outcome = run_cta("follow-up", *place)
    assert outcome.code == 3, outcome.text
    registered = units(study, "register-sessions")["3"]
    assert registered.status == "impossible" and registered.reason_code == "on_hold"
    stopped = units(study, "follow-up")["3"]
    assert stopped.status == "impossible"
    assert (stopped.reason_code, stopped.stopped_by) == ("on_hold", "register-sessions")
    assert study.table("lesion_changes").empty
    (row,) = study.table("transforms").query("between == 'sessions'").itertuples()
    assert (row.kind, row.moving_session, row.accepted) == ("identity", "1", False)
    assert row.rejection_code == "head_not_found_for_registration"

    verdict = ("--author", "A", "--reason", "one scanner bed", "--step", "register-sessions")
    assert run_cta("accept", "--subject", labels(study)[0], *verdict, *place).code == 0
    outcome = run_cta("follow-up", "--json", *place)
    assert outcome.code == 0, outcome.text
    rows = json.loads(outcome.out)
    assert [(one["state"], one["trend"]) for one in rows] == [
        ("persisting", "grown"),
        ("gone", None),
        ("new", None),
    ]
    assert rows[0]["change_mm3"] == 8**3 - 6**3
    assert {(one["earlier_session"], one["session"], one["ordered_by"]) for one in rows} == {
        ("1", "3", "label")
    }
    assert units(study, "register-sessions")["3"].key == registered.key


def test_a_subject_with_one_session_is_nothing_to_do(study: Study) -> None:
    """No unit, no error, no page: exit code 2, as where nothing matches."""
    single = labels(study)[1]
    outcome = run_cta("follow-up", "--subject", single, "--study", str(study.root))
    assert outcome.code == 2, outcome.text
    assert "two sessions" in outcome.err
    known = {row.id.subject for row in study.tables.rows(UnitRow) if row.step == "follow-up"}
    assert single not in known
    assert not (study.root / layout.followed_subject("own", single, "html")).exists()


def test_limits_are_applied_without_registering_again(study: Study) -> None:
    """Limits of study.toml change the trend, and nothing else."""
    place = ("--study", str(study.root))
    before = units(study, "register-sessions")["3"].key
    toml = study.root / "study.toml"
    text = toml.read_text("utf-8")
    toml.unlink()
    toml.write_text(text + "\n[follow_up]\ngrowth_percent = 500\n", "utf-8")
    rows = json.loads(run_cta("follow-up", "--json", *place).out)
    assert rows[0]["trend"] == "stable" and rows[0]["exceeds_uncertainty"]
    assert units(study, "register-sessions")["3"].key == before
