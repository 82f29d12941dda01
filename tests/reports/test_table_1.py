"""Table 1: who counts where, known answers, and sums that must hold whatever the tables hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.table_frames import frame_of, frames, session
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.cohorts.clinical.vocabulary import PRIMARY_TUMOUR
from cta_data.reasons import catalogue
from cta_data.reports.table_1 import assign_populations, patients_left_out, population_table
from cta_data.reports.table_1.populations import NO_ANNOTATION
from cta_data.reports.table_1.rows import LINES

PUBLISHED = pd.DataFrame(
    [
        ("SUSM", "patients", 3.0),
        ("SUSM", "age_centre", 60.0),
        ("SUSM", "age_q1", 50.0),
        ("SUSM", "age_sd", math.nan),
        ("UKHD", "age_centre", 60.0),
        ("UKHD", "age_q1", math.nan),
        ("UKHD", "age_sd", 11.0),
    ],
    columns=["population", "row", "value"],
)


def table(*sessions: dict[str, Any], published: pd.DataFrame = PUBLISHED) -> pd.DataFrame:
    """Return Table 1 of some sessions, by population and row."""
    return population_table(**frames(*sessions), published=published).set_index(
        ["population", "row"]
    )


def ours(result: pd.DataFrame, population: str, *rows: str) -> list[float]:
    return [float(result.loc[(population, row), "ours"]) for row in rows]


def test_known_answers_of_one_population() -> None:
    """Counts, quartiles (linear), mean and SD (ddof 1) worked out by hand; lost lesions apart."""
    result = table(
        session("susm", "1", (1.0, 2.0, 0.0), sex="female", age_years=50, primary_tumour="lung"),
        session("susm", "2", (3.0, 6.0), sex="male", age_years=60, primary_tumour="kidney"),
        session("susm", "3", sex="female", age_years=80, prior_brain_radiotherapy="none"),
    )
    assert ours(result, "SUSM", "patients", "sessions", "female", "male") == [3, 3, 2, 1]
    assert ours(result, "SUSM", "age_centre", "age_q1", "age_q3") == [60, 55, 70]
    assert ours(result, "SUSM", "age_mean")[0] == pytest.approx(190 / 3)
    primaries = ours(result, "SUSM", "primary_lung", "primary_kidney", "primary_not_given")
    assert primaries == [1, 1, 1]
    assert ours(result, "SUSM", "prior_none", "prior_not_given") == [1, 2]
    assert ours(result, "SUSM", "lesions", "lesions_lost") == [4, 1]
    spread = ours(result, "SUSM", *(f"lesion_volume_{q}_cm3" for q in ("median", "q1", "q3")))
    assert spread == [2.5, 1.75, 3.75]
    mean, sd = ours(result, "SUSM", "lesion_volume_mean_cm3", "lesion_volume_sd_cm3")
    assert (mean, sd) == (3.0, pytest.approx(math.sqrt(14 / 3)))
    assert result.loc[("SUSM", "lesion_volume_mean_cm3"), "n"] == 4
    assert result.loc[("SUSM", "female"), "n"] == 3


def test_lesions_are_those_of_the_grid_that_they_were_drawn_on() -> None:
    """NAQ counts on MPRAGE and HAQ on SPACE; no lesion counts twice."""
    result = table(
        session("internal", "1", (1.0,), quality="NAQ", partition="train"),
        session("internal", "2", (2.0,), quality="HAQ", partition="train"),
        session("internal", "3", (3.0,), quality="HAQ", partition="test"),
    )
    found = {p: ours(result, p, "lesions", "lesion_volume_mean_cm3") for p, _ in result.index}
    assert found == {
        "internal_mprage_train": [1, 1.0],
        "internal_space_train": [1, 2.0],
        "internal_space_test": [1, 3.0],
    }


def test_lesions_that_were_never_measured_on_their_own_grid_are_unknown_not_nought() -> None:
    """Where only the other grid was measured, the number of lesions is missing."""
    content = frames(session("susm", "1", (1.0,)))
    content["lesions"] = content["lesions"][content["lesions"]["grid"] == "SPACE"]
    result = population_table(**content, published=PUBLISHED).set_index("row")
    assert math.isnan(result.loc["lesions", "ours"])
    assert math.isnan(result.loc["lesion_volume_median_cm3", "ours"])


def test_before_a_build_a_trial_is_one_population_a_technique() -> None:
    """Without a partition nobody is in train or test, and everybody counts."""
    result = table(
        session("internal", "1", quality="NAQ", partition=None),
        session("internal", "2", quality="HAQ", partition=None),
    )
    assert sorted({p for p, _ in result.index}) == ["internal_mprage", "internal_space"]
    assert ours(result, "internal_mprage", "patients") == [1]


def test_a_session_without_annotation_counts_as_a_patient_only() -> None:
    """SUSM's unlabelled patients: in `patients` and the demographics, without annotations."""
    unlabelled = {"quality": None, "partition": "excluded", "code": "annotation_not_delivered"}
    result = table(
        session("susm", "1", (1.0,), sex="female"), session("susm", "2", sex="male", **unlabelled)
    )
    told = ours(result, "SUSM", "patients", "patients_with_public_annotations", "sessions", "male")
    assert told == [2, 1, 1, 1]


def test_the_reason_that_the_steps_give_is_understood() -> None:
    """The code of a session without annotation is one that there is."""
    assert NO_ANNOTATION in catalogue()


def test_a_later_course_does_not_count_again() -> None:
    """A patient is one patient; excluded courses give neither patients nor lesions."""
    later = {"partition": "excluded", "reason": "not the first course"}
    result = table(
        session("ummc", "103", (9.0,), session="2", age_years=70, **later),
        session("ummc", "103", (1.0,), session="1", age_years=60),
        session("ummc", "103", (9.0,), session="10", age_years=80, **later),
    )
    assert {p for p, _ in result.index} == {"ummc"}  # no figures of UMMC in this test's paper
    told = ours(result, "ummc", "patients", "sessions", "lesions", "age_centre")
    assert told == [1, 1, 1, 60]


def test_two_evaluated_sessions_are_one_patient_of_two_sessions() -> None:
    """Lesions of both count; what is told of the person is that of the first, 2 before 10."""
    result = table(
        session("own", "a", (1.0,), session="10", age_years=70),
        session("own", "a", (2.0,), session="2", age_years=60),
    )
    told = ours(result, "own", "patients", "sessions", "lesions", "age_centre")
    assert told == [1, 2, 2, 60]


def test_like_is_compared_with_like() -> None:
    """Where the paper gives mean and SD, the centre is our mean, else our median."""
    ages = (50, 52, 90)
    for cohort, name, centre in (("susm", "SUSM", 52.0), ("ukhd", "UKHD", 64.0)):
        result = table(*(session(cohort, str(age), age_years=age) for age in ages))
        row = result.loc[(name, "age_centre")]
        assert (row["ours"], row["published"]) == (centre, 60.0)


def test_what_nobody_told_is_missing_and_not_nought() -> None:
    """Without a clinical table the sexes are unknown: no difference from the paper is claimed."""
    result = table(session("susm", "1"), session("susm", "2"))
    assert all(math.isnan(v) for v in ours(result, "SUSM", "female", "male", "primary_lung"))
    assert ours(result, "SUSM", "sex_not_given", "primary_not_given", "age_not_given") == [2, 2, 2]


def test_a_cohort_of_ones_own_has_no_published_figures() -> None:
    """Its name is kept, and the published value is missing in every row."""
    result = table(session("mycohort", "1", (1.0,)))
    assert {p for p, _ in result.index} == {"mycohort"}
    assert result["published"].isna().all()


def test_patients_that_count_nowhere_are_listed_with_their_reason() -> None:
    """A failed registration, a failed conversion and an unknown technique: each has a reason."""
    content = frames(
        session("internal", "1", partition="train"),
        session("internal", "2", partition="excluded", reason="register: heads overlap 0.3"),
        session("susm", "3", partition="excluded", reason="convert: damaged", converted=False),
        session("internal", "4", quality=None, partition=None),
    )
    sessions = assign_populations(content["subjects"], content["images"], ["SUSM"])
    told = patients_left_out(sessions)
    assert list(told.itertuples(index=False, name=None)) == [
        ("internal", "2", "register: heads overlap 0.3"),
        ("internal", "4", "not converted, or source technique not known"),
        ("susm", "3", "convert: damaged"),
    ]


def test_an_empty_study_gives_an_empty_table() -> None:
    """No subject, no population; the columns are there all the same."""
    result = population_table(**frames(), published=PUBLISHED)
    assert len(result) == 0
    assert list(result) == ["population", "row", "ours", "published", "n"]


def test_every_printed_row_is_computed() -> None:
    """The printed lines name no row that the table does not have."""
    result = table(session("susm", "1", (1.0,)))
    rows = {row for _, row in result.index}
    assert {row for line in LINES for row in line.rows} <= rows


PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "sex": st.sampled_from([None, "female", "male", "other"]),
            "age_years": st.none() | st.floats(0, 110),
            "primary_tumour": st.sampled_from([None, "prostate", *PRIMARY_TUMOUR]),
            "prior_brain_radiotherapy": st.sampled_from([None, "none", "srs", "wbrt"]),
            "partition": st.sampled_from(["train", "test", "excluded"]),
            "quality": st.sampled_from(["NAQ", "HAQ"]),
            "cohort": st.sampled_from(["internal", "second"]),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(PEOPLE)
def test_nobody_is_lost_and_nobody_counts_twice(people: list[dict[str, Any]]) -> None:
    """In every population the levels and what was not given sum to its patients; all are told."""
    content = frames(
        *(session(p.pop("cohort"), f"{n:03}", **p) for n, p in enumerate(dict(q) for q in people))
    )
    result = population_table(**content)
    sessions = assign_populations(content["subjects"], content["images"])
    wide = result.pivot_table(index="population", columns="row", values="ours", aggfunc="sum")
    patients = wide["patients"] if len(wide) else pd.Series([0])
    assert patients.sum() + len(patients_left_out(sessions)) == len(people)
    for names in (
        ["female", "male", "sex_other", "sex_not_given"],
        [*(f"primary_{p}" for p in PRIMARY_TUMOUR), "primary_unrecognised", "primary_not_given"],
        ["prior_none", "prior_srs", "prior_wbrt", "prior_unrecognised", "prior_not_given"],
    ):
        if len(wide):
            summed = wide.reindex(columns=names).fillna(0).sum(axis=1)
            assert (summed == patients).all(), names


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=30))
def test_the_spread_is_that_of_numpy(volumes: list[float]) -> None:
    """Median and quartiles are numpy's linear percentiles, the SD that with n - 1."""
    result = table(session("susm", "1", tuple(volumes)))
    rows = [f"lesion_volume_{name}_cm3" for name in ("q1", "median", "q3", "mean", "sd")]
    expected = [*np.percentile(volumes, [25, 50, 75]), np.mean(volumes), np.std(volumes, ddof=1)]
    assert ours(result, "SUSM", *rows) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_other_tables_do_not_matter() -> None:
    """Lesions of subjects that are not asked for are not counted."""
    content = frames(session("susm", "1", (1.0,)), session("ynhh", "2", (2.0, 3.0)))
    content["subjects"] = content["subjects"][content["subjects"]["cohort"] == "susm"]
    result = population_table(**content, published=PUBLISHED).set_index(["population", "row"])
    assert ours(result, "SUSM", "lesions") == [1]
    assert {p for p, _ in result.index} == {"SUSM"}


def test_frames_of_the_tables_have_their_types() -> None:
    """The helper gives what a study gives: nullable strings and whole numbers."""
    frame = frame_of("lesions", session("susm", "1", (1.0,))["lesions"])
    assert (str(frame["cohort"].dtype), str(frame["n_voxels"].dtype)) == ("string", "Int64")
