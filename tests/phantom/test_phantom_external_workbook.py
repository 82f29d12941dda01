"""The full-size workbook of UMMC has the real one's counts, and its lesions can be joined."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from helpers.full_size_workbook import FullWorkbook, full_size_workbook

from cta_data.cohorts.clinical.lesion_rows import LesionRow, link_lesions


@pytest.fixture(scope="module", params=[0, 7])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FullWorkbook:
    return full_size_workbook(tmp_path_factory.mktemp("full") / "book.xlsx", request.param)


def _sheet(full: FullWorkbook, name: str) -> pd.DataFrame:
    return pd.read_excel(full.path, sheet_name=name)


def test_counts_are_those_of_the_real_workbook(full: FullWorkbook) -> None:
    """47 patients, 76 courses, 244 lesions, shared out and followed up as in the real one."""
    courses, lesions = _sheet(full, "course_level"), _sheet(full, "lesion_level")
    assert len(_sheet(full, "pt_level")) == 47
    assert Counter(courses.groupby("unique_pt_id").size()) == {1: 30, 2: 10, 3: 6, 8: 1}
    assert list(lesions["No."]) == list(range(1, 245))
    assert (lesions["Treatment Course"] == 1).sum() == 123
    assert (lesions["Treatment Course"] > 2).sum() == 56
    assert lesions["mri_type"].value_counts().to_dict() == {"stable": 221, "recurrence": 23}
    assert lesions.loc[lesions["mri_type"] == "recurrence", "unique_pt_id"].nunique() == 15
    assert lesions["Fractions"].value_counts().to_dict() == {1: 230, 5: 13, 3: 1}
    assert lesions.groupby(["unique_pt_id", "Treatment Course"]).size().max() == 21


def test_both_sheets_have_the_same_courses(full: FullWorkbook) -> None:
    """Courses are unique, out of order, and the same set; lesion numbers run over the patient."""
    courses, lesions = _sheet(full, "course_level"), _sheet(full, "lesion_level")
    keys = list(zip(courses["unique_pt_id"], courses["Course #"], strict=True))
    assert len(set(keys)) == 76 and keys != sorted(keys)
    assert set(keys) == set(zip(lesions["unique_pt_id"], lesions["Treatment Course"], strict=True))
    assert set(keys) == set(full.files)
    for _, of_patient in lesions.groupby("unique_pt_id"):
        assert sorted(of_patient["Lesion #"]) == list(range(1, len(of_patient) + 1))


def test_names_have_the_defects_of_the_real_workbook(full: FullWorkbook) -> None:
    """13 differ in case, one file has a date, one name a double blank, some sides are wrong."""
    lesions = _sheet(full, "lesion_level")
    names = dict(zip(lesions["No."], lesions["Lesion Name in NRRD files"], strict=True))
    pairs = [(f"{names[number]}.nrrd", file) for number, file in full.joined.items()]
    other = [(row, file) for row, file in pairs if row != file]
    dated = [(row, file) for row, file in other if row.lower() != file.lower()]
    assert len(other) == 14
    assert dated == [("GK.270_3_L_RtOccipital.nrrd", "GK.270_3_L_RtOccipital11302018.nrrd")]
    assert "GK.132_1_LPost op  Cavity" in names.values()
    assert len(full.without_row) == 3
    sides = lesions["Lesion Location"].str.startswith("Rt ") & lesions[
        "Lesion Name in NRRD files"
    ].str.contains(r"_L_?Lt", regex=True)
    assert sides.sum() >= 4


def test_every_row_can_be_joined_to_its_file(full: FullWorkbook) -> None:
    """244 rows find the file that was written for them; three files are left without a row."""
    lesions = _sheet(full, "lesion_level").to_dict("records")
    statuses: Counter[str] = Counter()
    for (patient, course), files in full.files.items():
        rows = [
            LesionRow(int(r["No."]), "", "", r["Lesion Name in NRRD files"], r["Lesion Location"])
            for r in lesions
            if (r["unique_pt_id"], r["Treatment Course"]) == (patient, course)
        ]
        for link in link_lesions(rows, list(enumerate(files))):
            statuses[link.status] += 1
            if link.row is not None and link.roi is not None:
                assert full.joined[link.row] == files[link.roi]
    assert statuses == {"matched": 244, "roi_without_row": 3}


def test_the_same_seed_writes_the_same_bytes(full: FullWorkbook, tmp_path: Path) -> None:
    """Neither the clock nor the order of a set gets into the workbook."""
    first = full_size_workbook(tmp_path / "a.xlsx", 3)
    second = full_size_workbook(tmp_path / "b.xlsx", 3)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.files == second.files
    assert first.path.read_bytes() != full.path.read_bytes()
