"""Clinical tables to persons: what is known, what is missing, and why."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from helpers.clinical_workbook import courses, gamma_knife, write_workbook
from helpers.refusals import has_reason

from cta_data.cohorts import parse_card, shipped_card_text
from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.people import Clinical, Person, find_clinical_files, read_clinical
from cta_data.errors import ConfigurationError

PEOPLE = """
file = '(?i)people.*\\.(xlsx|csv)$'
name = "people"
keys = { subject = '^id$', subject_id = "Mets_{value:0>3}", session = '^visit$' }
columns = { sex = '^(sex|gender)$', age_years = '^age', primary_tumour = 'primary' }
values = { sex = { "1" = "male" }, primary_tumour = { "Hepatocellular  CA" = "others" } }
"""
GAMMA_KNIFE = """
[[clinical]]
file = '(?i)GammaKnife.*Clinical.*Information.*\\.xlsx$'
sheet = "Course_Level"
name = "courses"
[clinical.keys]
subject = '^unique_pt_id$'
subject_id = "GK_{value}"
session = '^course ?#$'
[clinical.columns]
sex = '^gender$'
age_years = '^age'
primary_tumour = '^primary'
[clinical.values.primary_tumour]
"lung ca" = "lung"

[[clinical]]
file = '(?i)GammaKnife.*Clinical.*Information.*\\.xlsx$'
sheet = "lesion_level"
name = "lesions"
[clinical.keys]
subject = '^unique_pt_id$'
subject_id = "GK_{value}"
session = '^treatment course$'
[clinical.lesions]
number = '^No\\.$'
name = '^lesion name'
location = '^lesion location$'
publish = ['^mri_type$', '^duration', '^fractions$', '^lesion location$']
"""


def people(folder: Path, *rows: list[Any], **changes: Any) -> Clinical:
    """Read a workbook with these rows, the header first, by the card `people`."""
    write_workbook(folder / "people.xlsx", {"s": rows})
    card = ClinicalTable.model_validate(tomllib.loads(PEOPLE) | changes)
    return read_clinical([card], folder)


def kinds(clinical: Clinical) -> list[tuple[str, str, str, int]]:
    return [(p.kind, p.column, p.value, p.count) for p in clinical.problems]


def test_a_number_finds_its_patient(tmp_path: Path) -> None:
    """5, 5.0 and the text `103.0` are the patients Mets_005 and Mets_103."""
    rows = [["id", "sex"], [5.0, "F"], ["103.0", "M"], [7, 1]]
    clinical = people(tmp_path, *rows, keys={"subject": "^id$", "subject_id": "Mets_{value:0>3}"})
    assert clinical.subjects() == ["Mets_005", "Mets_007", "Mets_103"]
    assert clinical.person("Mets_005").sex == "female"
    assert clinical.person("Mets_103", "1").sex == "male"
    assert clinical.person("Mets_007").sex == "male"
    assert clinical.person("Mets_999") == Person()


def test_a_part_of_the_cell_can_name_the_patient(tmp_path: Path) -> None:
    """And what does not have it is reported, as is a row without a patient."""
    keys = {"subject": "^id$", "subject_value": r"^Mets_(\d+)$", "subject_id": "Mets_{value:0>3}"}
    clinical = people(
        tmp_path, ["id", "sex"], ["Mets_5", "F"], ["sum", "M"], [None, "M"], keys=keys
    )
    assert clinical.subjects() == ["Mets_005"]
    reasons = [(p.message, p.count) for p in clinical.problems if p.kind == "no_key"]
    assert reasons == [
        ("the patient's cell is empty", 1),
        ("the patient's cell is not recognised", 1),
    ]


def test_what_is_not_understood_is_missing_and_reported(tmp_path: Path) -> None:
    """Each text once with its rows; what says nothing is missing without a report."""
    clinical = people(
        tmp_path,
        ["id", "visit", "Gender", "Age", "Primary"],
        [1, 1, "0", 630, "hepatocellular ca"],
        [2, 1, "0", "n/a", "mystery"],
        [3, 1, None, "063Y", ""],
    )
    assert clinical.person("Mets_001", "1") == Person(primary_tumour="others")
    assert clinical.person("Mets_003", "1") == Person(age_years=63.0)
    assert kinds(clinical) == [
        ("unmapped", "Gender", "0", 2),
        ("unmapped", "Age", "630", 1),
        ("unmapped", "Primary", "mystery", 1),
    ]


def test_a_session_wins_over_the_patient(tmp_path: Path) -> None:
    """Rows without a session hold for all; without a session only what all agree on is known."""
    clinical = people(
        tmp_path,
        ["id", "visit", "sex", "age", "primary"],
        [1, None, "F", 60, "melanoma"],
        [1, 2, None, 62, ""],
        [2, 1, "M", 50, "lung"],
        [2, 2, "", 51, "lung"],
    )
    assert clinical.person("Mets_001", "2") == Person("female", 62.0, "melanoma")
    assert clinical.person("Mets_001", "1") == Person("female", 60.0, "melanoma")
    assert clinical.person("Mets_001") == Person("female", 60.0, "melanoma")
    assert clinical.person("Mets_002") == Person("male", None, "lung")
    assert clinical.person("Mets_002", "2") == Person("male", 51.0, "lung")
    assert clinical.person("Mets_002", "3") == Person("male")
    assert clinical.sessions("Mets_002") == ["1", "2"]
    assert clinical.problems == ()


def test_contradictions_are_missing_and_reported(tmp_path: Path) -> None:
    """Two sexes of one patient in any sessions, two ages in one; the report names no patient."""
    clinical = people(
        tmp_path,
        ["id", "visit", "sex", "age", "primary"],
        [1, 1, "F", 60, "lung"],
        [1, 2, "M", 61, "breast"],
        [2, 1, "F", 60, "lung"],
        [2, 1, "F", 61, "lung"],
    )
    assert clinical.person("Mets_001", "1") == Person(None, 60.0, "lung")
    assert clinical.person("Mets_002", "1") == Person("female", None, "lung")
    assert kinds(clinical) == [
        ("duplicate_key", "session", "1", 2),
        ("contradiction", "sex", "female, male", 2),
        ("contradiction", "age_years", "60.0, 61.0", 2),
    ]
    assert [p.source_id for p in clinical.problems] == ["Mets_002", "Mets_001", "Mets_002"]
    assert not any("Mets" in p.message + p.value for p in clinical.problems)


def test_columns_that_are_not_one_are_not_taken(tmp_path: Path) -> None:
    """No header, or several with different cells, fits: reported; the same cells are one column."""
    rows = [["id", "visit", "Age", "age at death", "Sex", "sex"], [1, 1, 60, 61, "F", "F"]]
    clinical = people(tmp_path, *rows)
    assert clinical.person("Mets_001", "1") == Person("female")
    found = [(p.kind, p.column) for p in clinical.problems]
    assert found == [("several_columns", "age_years"), ("no_column", "primary_tumour")]
    assert "Age, age at death" in clinical.problems[0].message


def test_without_the_key_column_no_row_is_used(tmp_path: Path) -> None:
    """It is reported, and nothing is known of anybody."""
    clinical = people(tmp_path, ["name", "visit", "sex", "age", "primary"], [1, 1, "F", 1, "lung"])
    assert clinical.subjects() == []
    assert kinds(clinical) == [("no_column", "subject", "^id$", 0)]


def test_a_table_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    """The other tables are read; what is wrong is a problem with what to do."""
    card = ClinicalTable.model_validate(tomllib.loads(PEOPLE))
    broken = card.model_copy(update={"name": "broken", "file": "broken"})
    gone = card.model_copy(update={"name": "gone", "file": "gone"})
    (tmp_path / "broken.xlsx").write_bytes(b"no workbook")
    (tmp_path / "people.csv").write_text("id;visit;sex;age;primary\n5;1;F;63,5;nsclc\n")
    clinical = read_clinical([broken, gone, card], tmp_path)
    assert clinical.person("Mets_005", "1") == Person("female", 63.5, "lung")
    assert [(p.table, p.kind) for p in clinical.problems] == [
        ("broken", "unreadable"),
        ("gone", "no_file"),
    ]
    assert "Obtain it again" in clinical.problems[0].message


def test_files_are_found_by_path() -> None:
    """The shallowest first; what Office leaves beside an open workbook is none."""
    cards = [ClinicalTable.model_validate(card) for card in tomllib.loads(GAMMA_KNIFE)["clinical"]]
    names = [
        "PKG/Brain_TR_GammaKnife_Clinical_Information.xlsx",
        "~$Brain-TR-GammaKnife-Clinical-Information.xlsx",
        "Brain-TR-GammaKnife-Clinical-Information.xlsx",
        "Brain-TR-GammaKnife-Clinical-Information.xlsx.md5",
    ]
    assert find_clinical_files(cards, names) == {
        "courses": "Brain-TR-GammaKnife-Clinical-Information.xlsx",
        "lesions": "Brain-TR-GammaKnife-Clinical-Information.xlsx",
    }
    assert find_clinical_files(cards, ["a.xlsx"]) == {}
    with pytest.raises(ConfigurationError, check=has_reason("clinical_table_name_repeated")):
        find_clinical_files([cards[0], cards[0]], names)


def test_the_gamma_knife_workbook_is_read_whole(tmp_path: Path) -> None:
    """47 patients, 76 courses, 244 lesions; first courses are 47 sessions with 123 lesions."""
    collection = gamma_knife()
    name = "PKG x/Brain-TR-GammaKnife_Clinical-Information.xlsx"
    write_workbook(tmp_path / name, collection.sheets)
    cards = [ClinicalTable.model_validate(card) for card in tomllib.loads(GAMMA_KNIFE)["clinical"]]
    clinical = read_clinical(cards, tmp_path)
    assert clinical.problems == ()
    assert len(clinical.subjects()) == 47
    keys = [(f"GK_{p}", str(c)) for p, n in courses().items() for c in range(1, n + 1)]
    assert len(keys) == 76
    lesions = {key: clinical.lesion_rows(*key) for key in keys}
    assert sorted(row.number for rows in lesions.values() for row in rows) == [*range(1, 245)]
    first = [rows for (_, course), rows in lesions.items() if course == "1"]
    assert (len(first), sum(map(len, first))) == (47, 123)
    assert clinical.person("GK_152", "2") == Person("female", 60.0, "melanoma")
    assert clinical.person("GK_103", "1") == Person("female", 60.0, "lung")
    row = next(r for r in lesions["GK_132", "1"] if r.name == "GK.132_1_LLt Frontal")
    assert row.location == "Lt Frontal"
    assert row.values["duration_tx_to_imag (months)"] == "3.5"
    assert set(row.values) == {
        *("mri_type", "duration_tx_to_imag (months)", "Fractions", "Lesion Location")
    }


def test_lesions_are_counted_where_their_numbers_are_no_numbers(tmp_path: Path) -> None:
    """A number that is missing or comes twice would lose a row; that it was counted is told."""
    lesions = {"number": "^no$", "name": "^lesion$"}
    rows = [["id", "visit", "no", "lesion"], [1, 1, 1, "a"], [1, 1, 1, "b"], [1, 1, None, "c"]]
    clinical = people(tmp_path, *rows, lesions=lesions, columns={})
    found = [(row.number, row.name) for row in clinical.lesion_rows("Mets_001", "1")]
    assert found == [(1, "a"), (2, "b"), (3, "c")]
    assert kinds(clinical) == [("lesion_number", "no", "", 3)]


def test_a_second_column_is_asked_where_the_first_names_no_organ(tmp_path: Path) -> None:
    """The shipped UMMC card: `unknown` and empty give way, an organ never does."""
    head = ["unique_pt_id", "Course #", "Diagnosis (Only want Mets)", "Primary Diagnosis"]
    rows = [
        [101, 1, "Brain Mets Lung ", "Carcinoma"],
        [102, 1, "Brain Mets -Lung", "Large cell neuroendocrine carcinoma"],
        [103, 1, "Brain Mets Kidney", "Squamous cell carcinoma"],
        [104, 1, "RCC Brain Mets", None],
        [105, 1, "Brain Met-Post op cavity", "Carcinoma"],
        [106, 1, "Brain Mets Breast", "Carcinoma of the lung"],
        [107, 1, "Brain Mets Lung", "a new spelling"],
    ]
    name = "Brain-TR-GammaKnife-Clinical-Information.xlsx"
    write_workbook(tmp_path / name, {"course_level": [head, *rows]})
    card = parse_card(shipped_card_text("ummc"), "ummc", "card.toml")
    clinical = read_clinical(card.clinical[:1], tmp_path)
    told = [clinical.person(f"GK_{number}", "1").primary_tumour for number in range(101, 108)]
    assert told == ["lung", "lung", "kidney", "kidney", "unknown", "lung", None]
    assert [p.value for p in clinical.problems if p.kind == "unmapped"] == ["a new spelling"]


def test_a_second_column_names_groups_that_there_are() -> None:
    """A card that maps to something else is refused."""
    wrong = {"primary_tumour": {"column": "^d", "patterns": [{"pattern": "x", "value": "skin"}]}}
    with pytest.raises(ValueError, match="skin"):
        ClinicalTable.model_validate(tomllib.loads(PEOPLE) | {"fallback": wrong})


def test_a_code_for_an_age_that_is_not_known(tmp_path: Path) -> None:
    """A card may say that 99 stands for none; it cannot make another age of it."""
    rows = [["id", "age"], [1, 99], [2, 63], [3, 0]]
    clinical = people(tmp_path, *rows, values={"age_years": {"99": "n/a"}})
    assert [clinical.person(f"Mets_00{n}").age_years for n in (1, 2, 3)] == [None, 63.0, None]
    assert ("unmapped", "age", "0", 1) in kinds(clinical)
    with pytest.raises(ValueError, match="no age_years"):
        people(tmp_path, *rows, values={"age_years": {"99": "64"}})
