"""`cta-data samplesize`: from given values, and from the scores of a study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.table_study import COHORT, make_table_study

from cta_data.reports.sample_size import found_in_study
from cta_data.study.session_id import SessionId
from cta_data.study.tables import LesionScoreRow

OF_LESIONS = ("--against", "0.7", "--sensitivity", "0.8", "--icc", "0")
GIVEN = ("--icc", "0.15", "--lesions", "4.2", "--lesions-sd", "3.5")


def test_given_values_need_no_study() -> None:
    """A sensitivity against a value, a difference, and an interval."""
    told = run_cta("samplesize", "--sensitivity", "0.8", "--against", "0.7", *GIVEN, "--json")
    answer = json.loads(told.text)
    assert told.code == 0 and answer["patients"] == 65 and answer["from_study"] == []
    told = run_cta("samplesize", "--difference", "0.08", "--discordant", "0.2", *GIVEN)
    assert told.text.startswith("111 patients")
    told = run_cta("samplesize", "--half-width", "0.05", "--sensitivity", "0.8", *GIVEN)
    assert told.code == 0 and "interval: 0.95" in told.text and "level of" not in told.text


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--against", "0.7", "--half-width", "0.1"),
        ("--against", "0.7"),
        ("--against", "0.7", "--sensitivity", "1.2", *GIVEN),
        ("--difference", "0.3", "--discordant", "0.2", *GIVEN),
        ("--against", "0.7", "--model", "A", "--model", "B"),
        ("--against", "0.7", "--sensitivity", "0.8", "--discordant", "0.2", *GIVEN),
        ("--difference", "0.1", "--discordant", "0.2", "--sensitivity", "0.8", *GIVEN),
        ("--against", "0.7", "--sensitivity", "0.8", *GIVEN, "--test-set", "internal-HAQ"),
        ("--against", "0.7", "--sensitivity", "0.8", *GIVEN[2:], "--icc", "-0.9"),
        ("--against", "0.7", "--sensitivity", "0.8", *GIVEN[2:], "--icc", "nan"),
        ("--against", "1.5", "--sensitivity", "0.8", *GIVEN),
        ("--against", "0", "--sensitivity", "0.8", *GIVEN),
        ("--against", "nan", "--sensitivity", "0.8", *GIVEN),
        ("--half-width", "inf", "--sensitivity", "0.8", *GIVEN),
        ("--half-width", "0.5", "--sensitivity", "0.8", *GIVEN),
        ("--half-width", "nan", "--sensitivity", "0.8", *GIVEN),
        ("--half-width", "0.1", "--sensitivity", "0.8", *GIVEN, "--power", "0.9"),
        ("--difference", "nan", "--discordant", "0.2", *GIVEN),
        ("--against", "0.7", "--sensitivity", "0.8", *GIVEN, "--alpha", "1"),
        ("--against", "0.7", "--sensitivity", "0.8", *GIVEN, "--power", "0"),
        (*OF_LESIONS, "--lesions", "inf", "--lesions-sd", "1"),
        (*OF_LESIONS, "--lesions", "3", "--lesions-sd", "inf"),
        (*OF_LESIONS, "--lesions", "1", "--lesions-sd", "2"),
    ],
)
def test_what_is_missing_or_impossible_is_an_error(options: tuple[str, ...]) -> None:
    """Exit code 1, and no number."""
    told = run_cta("samplesize", *options, "--json")
    assert told.code == 1
    assert json.loads(told.out)["error"]["code"] == "sample_size_options_invalid"


def test_a_study_gives_what_it_found(tmp_path: Path) -> None:
    """Model A finds the lesions of every other patient, B in addition one of each other one."""
    study = make_table_study(tmp_path / "study", 0)
    rows = []
    for number in range(8):
        session = SessionId(COHORT, f"{number:05d}", "1")
        for lesion in (1, 2):
            for model in "AB":
                found = number % 2 == 0 or (model == "B" and lesion == 1)
                rows.append(
                    LesionScoreRow(
                        convention="article",
                        model=model,
                        test_set="EXT",
                        case=session.case,
                        session=session,
                        reference_lesion=lesion,
                        predicted_lesion=lesion if found else 0,
                        status="detected" if found else "missed",
                        centroid_ras_mm=(0.0, 0.0, 0.0),
                    )
                )
    study.tables.upsert(rows)
    study.tables.flush()
    where = ("--study", study.root, "--json")
    told = run_cta("samplesize", "--model", "A", "--against", "0.3", *where)
    answer = json.loads(told.text)
    assert (answer["sensitivity"], answer["mean_lesions"], answer["sd_lesions"]) == (0.5, 2, 0)
    assert answer["correlation"] == pytest.approx(1)
    assert set(answer["from_study"]) == {"correlation", "mean_lesions", "sd_lesions", "sensitivity"}
    told = run_cta("samplesize", "--model", "A", "--model", "B", "--difference", "0.2", *where)
    answer = json.loads(told.text)
    assert answer["discordant"] == 0.25
    assert run_cta("samplesize", "--model", "C", "--against", "0.3", *where).code == 1


def test_models_on_two_grids_are_compared_by_the_ids_of_lesions(tmp_path: Path) -> None:
    """Both find lesion 7 alone, which is the first on one grid and the second on the other; on
    the second, lesion 8 has two parts."""
    study = make_table_study(tmp_path / "study", 0)
    session = SessionId(COHORT, "00001", "1")
    given = {
        "A": ("MPRAGE", ((1, 7, "detected"), (2, 8, "missed"))),
        "D": ("SPACE", ((1, 8, "missed"), (2, 7, "detected"), (3, 8, "missed"))),
    }
    rows = [
        LesionScoreRow(
            convention="article",
            model=model,
            test_set="EXT",
            case=session.case,
            session=session,
            technique=technique,
            reference_lesion=number,
            predicted_lesion=number if status == "detected" else 0,
            status=status,
            centroid_ras_mm=(0.0, 0.0, 0.0),
            lesion_ids=(lesion,),
        )
        for model, (technique, lesions) in given.items()
        for number, lesion, status in lesions
    ]
    study.tables.upsert(rows)
    study.tables.flush()
    found = found_in_study(study, ["A", "D"], "", "article")
    assert (found.discordant, found.outcomes) == (0, (0, 0))
    assert found_in_study(study, ["D"], "", "article").mean == pytest.approx(1 / 3)
