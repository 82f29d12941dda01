"""The home page: counts are those of the tables, pages are linked, and what is to do is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.light_study import add_patient, make_light_study, set_status
from helpers.read_page import check_page

from cta_data.cli.runner import home_writer
from cta_data.engine.driver import mark_uncommitted
from cta_data.reports.home import home_html, todo, write_home
from cta_data.reports.home_state import state_of
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import CaseScoreRow, DecisionRow, ModelFoldRow, UnitRow
from cta_data.versioning.git_settings import run_git


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three patients of the trial: one is on hold, one failed, one is measured."""
    study = make_light_study(tmp_path / "study")
    for subject in ("1", "2", "3"):
        add_patient(study, "internal", subject, "NAQ", int(subject))
    set_status(study, "internal", "2", "error")
    hold(study, "3")
    return study


def hold(study: Study, subject: str) -> UnitRow:
    row = UnitRow(
        step="register",
        session=SessionId("internal", subject, "1"),
        key="k1",
        status="impossible",
        outputs=("a.tfm",),
        warnings=(),
        inputs=(),
        input_keys=(),
    )
    study.tables.upsert([row])
    return row


def commands(study: Study) -> list[str]:
    return [command for _, command in todo(state_of(study))]


def test_counts_are_those_of_the_tables(study: Study) -> None:
    """Each session once; what waits for a person has not failed, and what failed does not wait."""
    [internal] = state_of(study).cohorts
    assert (internal.patients, internal.counts["Sessions"]) == (3, 3)
    assert (internal.counts["On hold"], internal.counts["Failed"]) == (1, 1)


def test_what_a_person_decided_no_longer_waits(study: Study) -> None:
    """A rejection is a decision too; it holds for the result that it is about alone."""
    assert "cta-data review --of transfers --reader CODE" in commands(study)
    decision = DecisionRow(
        kind="transfer",
        step="register",
        session=SessionId("internal", "3", "1"),
        verdict="rejected",
        reader="A. Reader",
        reason="shifted",
        decided_on="2026-01-01",
        content_key="k1",
    )
    study.tables.upsert([decision])
    state = state_of(study)
    assert (state.on_hold, dict(state.decided)) == (0, {"rejected": 1})
    assert "cta-data review --of transfers --reader CODE" not in commands(study)


def test_the_next_step_follows_from_what_there_is(study: Study) -> None:
    """Build, train, predict and evaluate are asked for one after the other."""
    assert [one for one in commands(study) if "build" in one or "train" in one] == [
        "cta-data build --setting B"
    ]
    study.tables.upsert([UnitRow(step="build", model="B", key="k", status="ok", **NOTHING)])
    assert "cta-data train --setting B" in commands(study)
    fold = {name: "x" for name in ("configuration", "planner", "training_set_key", "learning_key")}
    fold |= {name: "x" for name in ("dataset", "path", "annex_key", "card_path")}
    study.tables.upsert([ModelFoldRow(model="B", fold=0, setting="B", epochs=1, **fold)])
    assert [one for one in commands(study) if "train" in one] == []
    assert "cta-data predict" in commands(study)


NOTHING = {"outputs": (), "warnings": (), "inputs": (), "input_keys": ()}


def test_the_page_links_every_other_and_is_the_same_again(study: Study) -> None:
    """Anchors of the navigation are on it; pages that show patients say how they are drawn."""
    study.tables.flush()
    html = home_html(state_of(study))
    page = check_page(html)
    assert html == home_html(state_of(Study(study.root)))
    ids = {about.get("id") for _, about in page.elements}
    assert {"top", "status", "qc", "evaluation", "false-positives", "table-1", "models"} <= ids
    targets = {link["href"].partition("#")[2] for link in page.all("a") if "#" in link["href"]}
    assert "checklist" in targets and targets <= ids | {"content"}
    assert layout.PICTURES_PAGE in {link["href"] for link in page.all("a")}
    assert write_home(study) and not write_home(study)


def test_cases_of_two_conventions_are_not_added_up(study: Study) -> None:
    """Both scored the same cases: each count stands with its convention."""
    about = {"model": "A", "test_set": "susm", "n_reference": 1, "n_predicted": 1}
    counts = {"tp": 1, "fp": 0, "fn": 0}
    rows = [
        CaseScoreRow(convention=convention, case=f"c{number}", **about, **counts)
        for convention in ("article", "tables")
        for number in range(7)
    ]
    study.tables.upsert(rows)
    words = check_page(home_html(state_of(study))).text.split()
    assert "14" not in words and words.count("7") >= 2


def test_a_training_set_of_another_version_is_told(study: Study) -> None:
    """The page names the versions that are not its own."""
    record = study.root / layout.build_record("Dataset502_CTAB")
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"software": {"cta_data": "0.0.1"}}), "utf-8")
    assert state_of(study).made_by == ("0.0.1",)
    assert "0.0.1" in check_page(home_html(state_of(study))).text


def test_commands_write_and_commit_it(study: Study) -> None:
    """`report` leaves nothing uncommitted, and what it made is linked from then on."""
    study.tables.flush()
    run_git(study.root, "add", "-A", check=True)
    run_git(study.root, "commit", "-qm", "patients", check=True)
    assert run_cta("report", study=study.root).code == 0
    html = (study.root / layout.HOME).read_text("utf-8")
    assert f'href="{layout.TABLE_1_PAGE}"' in html and f'href="{layout.CHECKLIST_PAGE}"' in html
    assert run_git(study.root, "status", "--porcelain", layout.HOME).stdout == ""
    assert layout.HOME in run_git(study.root, "ls-files", check=True).stdout.split()


def test_a_damaged_table_of_scores_stops_no_other_work(
    study: Study, capsys: pytest.CaptureFixture
) -> None:
    """The page reads every table; what a step made is right whatever the scores are."""
    study.tables.flush()
    (study.root / layout.table("scores")).write_bytes(b"PAR1 cut off")
    assert home_writer(Study(study.root))() is False
    assert "scores.parquet" in capsys.readouterr().err
    assert not (study.root / layout.HOME).exists()


def test_it_is_written_only_where_something_may_be_new(study: Study) -> None:
    """A command that found all up to date looks at nothing again; one that ran units does."""
    study.tables.flush()
    assert home_writer(Study(study.root))()
    page = study.root / layout.HOME
    page.write_text("as it was", "utf-8")
    assert not home_writer(Study(study.root))()
    mark_uncommitted(study.root)
    assert home_writer(Study(study.root))()
    assert page.read_text("utf-8") != "as it was"


@pytest.mark.parametrize("page", [layout.FOLLOW_UP_PAGE, layout.PATCHES_PAGE])
def test_pages_that_few_studies_have_are_linked_where_they_are(study: Study, page: str) -> None:
    """Without the page there is no card that leads nowhere."""
    assert f'href="{page}"' not in home_html(state_of(study))
    place = study.root / page
    place.parent.mkdir(parents=True)
    place.write_text("<title>made</title>", "utf-8")
    assert f'href="{page}"' in home_html(state_of(study))
