"""The checklist: every item once, facts of the study where there are any, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from helpers.read_page import check_page
from helpers.table_study import COHORT, make_table_study

from cta_data.reports.checklist import (
    NOT_ANSWERED,
    checklist,
    checklist_frame,
    checklist_html,
)
from cta_data.reports.checklist_answers import ANSWERS, FILE_CONTENT
from cta_data.reports.checklist_items import ITEMS
from cta_data.study.session_id import SessionId
from cta_data.study.tables import (
    AnnotationRow,
    CaseScoreRow,
    LesionScoreRow,
    PredictionRow,
    SessionRow,
    SplitRow,
)


def test_the_checklist_has_44_items_and_answers_are_of_these() -> None:
    """Numbered from 1, in order."""
    assert [item.number for item in ITEMS] == list(range(1, 45))
    assert set(ANSWERS) < set(range(1, 45))


def test_answers_are_the_study_s_own_figures(tmp_path: Path) -> None:
    """Counts of the tables; what no table knows is not answered, and no file is named in vain."""
    study = make_table_study(tmp_path / "study", 3)
    sessions = [SessionId(COHORT, f"{number:05d}", "1") for number in range(3)]
    study.tables.upsert(
        [
            SessionRow(session=sessions[0], sex="male", partition="train", licence="CC BY 4.0"),
            SessionRow(session=sessions[1], sex="female", partition="test", licence="CC BY 4.0"),
            SessionRow(
                session=sessions[2],
                partition="excluded",
                exclusion_step="transfer",
                exclusion_code="on_hold",
            ),
        ]
    )
    split = {"cohort": COHORT, "seed": 1}
    study.tables.upsert(
        [
            SplitRow(setting=setting, subject=subject, partition=partition, **split)
            for setting, subject, partition in (
                *(("A", "00000", "train"), ("B", "00000", "train"), ("C", "00000", "test")),
                ("A", "00001", "test"),
            )
        ]
    )
    case = sessions[1].case
    where = {"model": "A", "test_set": "internal-NAQ", "case": case}
    paths = {"image_path": "i", "image_key": "k", "path": "p", "annex_key": "k"}
    study.tables.upsert([PredictionRow(technique="MPRAGE", folds=(0, 1, 2), **where, **paths)])
    counts = {"n_reference": 2, "n_predicted": 1, "tp": 1, "fp": 0, "fn": 1}
    study.tables.upsert([CaseScoreRow(convention="article", **where, **counts)])
    study.tables.upsert(
        [
            LesionScoreRow(
                convention="article",
                reference_lesion=number,
                predicted_lesion=0,
                status=status,
                centroid_ras_mm=(0.0, 0.0, 0.0),
                **where,
            )
            for number, status in enumerate(("detected", "missed"), start=1)
        ]
    )
    page = study.root / "evaluation" / "article" / "subgroups.csv"
    page.parent.mkdir(parents=True)
    page.write_text("", "utf-8")
    answers = {one.item.number: one for one in checklist(study)}
    assert answers[7].text == f"{COHORT}: 3 patients, 3 sessions"
    assert answers[8].text == "3 sessions; excluded: 1 transfer: on hold"
    assert answers[12].text.startswith("not given: sex of 1 of 3 sessions; age of 3 of 3 sessions")
    assert "0 of 2 are in more than one partition" in answers[20].text
    assert answers[27].text == "model A: 3 folds averaged"
    assert answers[38].text == "model A detected 1 of 2 lesions (article)"
    assert answers[30].files == ("evaluation/article/subgroups.csv",)
    assert answers[30].text == FILE_CONTENT["subgroups.csv"]
    assert not answers[33].is_given and not answers[18].is_given and not answers[4].is_given
    frame = checklist_frame(answers.values()).set_index("item")
    assert frame.loc[4, "answer"] == NOT_ANSWERED
    html = checklist_html(list(answers.values()))
    given = sum(one.is_given for one in answers.values())
    assert f"{given} of 44 items are answered by the study" in html
    page = check_page(html)
    links = {link["href"] for link in page.all("a") if link["href"].startswith("../")}
    assert "../evaluation/article/subgroups.csv" in links and "../study.toml" in links
    files = {one.partition("#")[0] for one in links}
    assert all((study.root / "evaluation" / one).exists() for one in files - {"../index.html"})


def test_only_annotations_that_count_are_the_reference(tmp_path: Path) -> None:
    """One that was corrected is not counted again, and a consensus is no reader."""
    study = make_table_study(tmp_path / "study", 2)
    row, other = sorted(study.tables.rows(AnnotationRow), key=lambda one: one.session)
    corrected = {"annotation": "NAQv2", "version": 2, "origin": "corrected", "reader": "R1"}
    agreed = {"annotation": "consensus", "origin": "consensus", "reader": "majority"}
    study.tables.upsert(
        [
            replace(row, status="superseded"),
            replace(row, **corrected),
            replace(other, **agreed, quality=None),
        ]
    )
    answers = {one.item.number: one.text for one in checklist(study)}
    assert answers[14] == (
        "1 annotation on MPRAGE, consensus; 1 NAQ annotation on MPRAGE, corrected; "
        "1 NAQ annotation on MPRAGE, delivered"
    )
    assert answers[16] == "reader R1: 1 annotation; reader unknown: 2 annotations"
    case = row.session.case
    where = {"model": "A", "test_set": "EXT", "case": case, "technique": "MPRAGE", "folds": (0,)}
    paths = {"image_path": "i", "image_key": "k", "path": "p", "annex_key": "k"}
    study.tables.upsert([PredictionRow(**where, **paths)])
    [answer] = [one.text for one in checklist(study) if one.item.number == 17]
    assert answer == "EXT: 1 case (1 NAQ annotation on MPRAGE, corrected)"
