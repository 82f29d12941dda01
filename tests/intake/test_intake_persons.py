"""One person under two patient numbers: noticed, asked about, and settled on the user's word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.refusals import codes_of, require_reason

from cta_data.intake import (
    AdditionOptions,
    AdditionPlan,
    execute_addition,
    plan_addition,
    read_inventory,
)
from cta_data.intake.persons import OtherCohort

MakeDicom = Callable[..., bytes]
MakeSeries = Callable[..., list[Path]]


def _add(source: Path, sourcedata: Path, **options: Any) -> AdditionPlan:
    with plan_addition(source, sourcedata, AdditionOptions(**options)) as plan:
        execute_addition(plan)
    return plan


def _labels(plan: AdditionPlan) -> dict[str, str]:
    return {one.subject: one.status for one in plan.subjects}


def _map(path: Path, **labels: str) -> Path:
    rows = "".join(f"{source_id}\t{label}\n" for source_id, label in labels.items())
    path.write_text(f"source_id\tsubject\n{rows}")
    return path


@pytest.fixture
def twice(tmp_path: Path, make_series: MakeSeries) -> Path:
    """One woman under the numbers A and B, and another patient, C."""
    make_series(tmp_path / "in", PatientID="A", PatientName="Doe^Jane")
    make_series(tmp_path / "in", series="1.2.3.2.1", PatientID="B", PatientName="DOE^JANE^^")
    make_series(tmp_path / "in", series="1.2.3.3.1", PatientID="C", PatientName="Roe^Richard")
    return tmp_path / "in"


def test_one_person_under_two_numbers_is_refused(twice: Path, tmp_path: Path) -> None:
    """Both of an addition wait, the third patient does not; no name is in the reason."""
    plan = _add(twice, tmp_path / "out")
    status = {one.source_ids: one.status for one in plan.subjects}
    assert status == {("A",): "refused", ("B",): "refused", ("C",): "accepted"}
    reason = str(next(one.reason for one in plan.subjects if one.source_ids == ("A",)))
    other = next(one.subject for one in plan.subjects if one.source_ids == ("B",))
    assert f"sub-{other}" in reason and "--subject-map" in reason
    assert "different_persons" in reason and "doe" not in reason.casefold()


def test_who_was_added_before_stays(twice: Path, tmp_path: Path, make_series: MakeSeries) -> None:
    """A second number of a known person is refused; the first delivery is as it was."""
    make_series(tmp_path / "first", PatientID="A", PatientName="Doe^Jane")
    _add(tmp_path / "first", tmp_path / "out")
    plan = _add(twice, tmp_path / "out")
    status = {one.source_ids: one.status for one in plan.subjects}
    assert status == {("A",): "accepted", ("B",): "refused", ("C",): "accepted"}


def test_the_same_on_the_users_word(twice: Path, tmp_path: Path) -> None:
    """One label for both numbers, also after the refusal; later additions remember it."""
    _add(twice, tmp_path / "out")
    known = {row.source_id: row.subject for row in read_inventory(tmp_path / "out").subjects}
    table = _map(tmp_path / "map.tsv", A=known["A"], B=known["A"])
    plan = _add(twice, tmp_path / "out", subject_map=table)
    assert set(_labels(plan).values()) == {"accepted"}
    rows = {row.source_id: row for row in read_inventory(tmp_path / "out").subjects}
    assert len(rows) == 3 and rows["A"].subject == rows["B"].subject == known["A"]
    assert {row.status for row in rows.values()} == {"accepted"}
    again = _add(twice, tmp_path / "out")
    assert {one.action for one in again.series} == {"notneeded"}


def test_two_persons_on_the_users_word(twice: Path, tmp_path: Path) -> None:
    """Subjects that are stated to be different persons are both taken in."""
    known = {one.source_ids[0]: one.subject for one in _add(twice, tmp_path / "out").subjects}
    different = frozenset({frozenset({known["A"], known["B"]})})
    plan = _add(twice, tmp_path / "out", different=different)
    assert set(_labels(plan).values()) == {"accepted"} and len(plan.subjects) == 3


@pytest.mark.parametrize(
    "identity",
    [
        {"PatientName": "ANONYMOUS", "PatientBirthDate": ""},
        {"PatientName": "Anonymous", "PatientBirthDate": "19600203"},
        {"PatientName": "Doe^Jane", "PatientBirthDate": "19000101"},
        {"PatientName": "", "PatientBirthDate": "19600203"},
        {"PatientName": "Doe^Jane", "PatientBirthDate": ""},
    ],
)
def test_placeholders_name_nobody(
    tmp_path: Path, make_series: MakeSeries, identity: dict[str, str]
) -> None:
    """An export in which everybody has one name, or one birth date, is not one person."""
    for number in range(1, 5):
        make_series(tmp_path / "in", series=f"1.2.3.{number}.1", PatientID=f"P{number}", **identity)
    assert list(_labels(_add(tmp_path / "in", tmp_path / "out")).values()) == ["accepted"] * 4


def test_another_sex_is_another_person(tmp_path: Path, make_series: MakeSeries) -> None:
    """Twins with a unisex name: what contradicts counts; what is not given does not."""
    same = {"PatientName": "Doe^Jane"}
    make_series(tmp_path / "in", PatientID="A", PatientSex="M", **same)
    make_series(tmp_path / "in", series="1.2.3.2.1", PatientID="B", **same)
    assert set(_labels(_add(tmp_path / "in", tmp_path / "out")).values()) == {"accepted"}
    make_series(tmp_path / "c", series="1.2.3.3.1", PatientID="C", PatientSex="", **same)
    assert set(_labels(_add(tmp_path / "c", tmp_path / "out")).values()) == {"refused"}


def _slices(make_dicom: MakeDicom, folder: Path, series: str, seed: int, **changes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for number in range(1, 4):
        pixels = random.integers(0, 999, 16, np.uint16).tobytes()
        content = make_dicom(number, series, PixelData=pixels, **changes)
        (folder / f"{series}-{number}").write_bytes(content)


def test_equal_pixels_under_two_numbers_are_refused(tmp_path: Path, make_dicom: MakeDicom) -> None:
    """Another name and number do not make another image of it; black slices say nothing."""
    _slices(make_dicom, tmp_path / "in", "1.2.3.1.1", 1, PatientID="A")
    _slices(make_dicom, tmp_path / "in", "1.2.3.2.1", 1, PatientID="B", PatientName="Roe^R")
    _slices(make_dicom, tmp_path / "in", "1.2.3.3.1", 2, PatientID="C", PatientName="Poe^P")
    plan = _add(tmp_path / "in", tmp_path / "out")
    status = {one.source_ids: one.status for one in plan.subjects}
    assert status == {("A",): "refused", ("B",): "refused", ("C",): "accepted"}
    refused = [one.reason for one in plan.subjects if one.status == "refused"]
    assert all("image_of_another_subject" in codes_of(reason) for reason in refused)
    _slices(make_dicom, tmp_path / "late", "1.2.3.4.1", 2, PatientID="D", PatientName="Moe^M")
    assert set(_labels(_add(tmp_path / "late", tmp_path / "out")).values()) == {"refused"}


def test_a_person_of_another_cohort_is_recorded(
    twice: Path, tmp_path: Path, make_series: MakeSeries
) -> None:
    """Cohorts have secrets of their own, so the comparison is made while names are at hand."""
    make_series(tmp_path / "other", series="1.2.4.1.1", PatientID="X-1", PatientName="Doe^Jane")
    _add(tmp_path / "other", tmp_path / "trial")
    trial = read_inventory(tmp_path / "trial")
    salt = (tmp_path / "trial/pseudonyms.salt").read_text().strip()
    other = OtherCohort("trial", salt, tuple(trial.subjects))
    known = {one.source_ids[0]: one.subject for one in _add(twice, tmp_path / "out").subjects}
    different = frozenset({frozenset({known["A"], known["B"]})})
    _add(twice, tmp_path / "out", different=different, others=(other,))
    found = {(r.subject, r.cohort, r.other) for r in read_inventory(tmp_path / "out").persons}
    assert found == {(known["A"], "trial", "001"), (known["B"], "trial", "001")}


def test_a_structure_set_under_another_number(
    tmp_path: Path, make_dicom: MakeDicom, make_series: MakeSeries
) -> None:
    """One study under two numbers asks, names the way, and takes it, also after the refusal."""
    make_series(tmp_path / "in", PatientID="P1")
    structures = make_dicom(
        1, "1.2.3.1.7", PatientID="00P1-RT", PatientName="P1 planning", PatientBirthDate=""
    )
    (tmp_path / "in/rs").write_bytes(structures)
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert set(_labels(plan).values()) == {"refused"}
    assert all("--subject-map" in str(one.reason) for one in plan.subjects)
    table = _map(tmp_path / "map.tsv", **{"P1": "002", "00P1-RT": "002"})
    plan = _add(tmp_path / "in", tmp_path / "out", subject_map=table)
    assert _labels(plan) == {"002": "accepted"} and len(plan.series) == 2
    rows = read_inventory(tmp_path / "out")
    assert {(row.source_id, row.subject, row.status) for row in rows.subjects} == {
        ("P1", "002", "accepted"),
        ("00P1-RT", "002", "accepted"),
    }
    assert rows.set_aside == []
    assert {one.action for one in _add(tmp_path / "in", tmp_path / "out").series} == {"notneeded"}
    (tmp_path / "in/rs").unlink()
    assert _labels(_add(tmp_path / "in", tmp_path / "out")) == {"002": "accepted"}


def test_a_structure_set_that_comes_later(
    tmp_path: Path, make_dicom: MakeDicom, make_series: MakeSeries
) -> None:
    """The images were accepted before: the table that names both numbers adds the rest."""
    make_series(tmp_path / "in", PatientID="P1")
    _add(tmp_path / "in", tmp_path / "out")
    (tmp_path / "late").mkdir()
    structures = make_dicom(1, "1.2.3.1.7", PatientID="00P1-RT", PatientName="", PatientSex="")
    (tmp_path / "late/rs").write_bytes(structures)
    assert set(_labels(_add(tmp_path / "late", tmp_path / "out")).values()) == {"refused"}
    table = _map(tmp_path / "map.tsv", **{"P1": "001", "00P1-RT": "001"})
    plan = _add(tmp_path / "late", tmp_path / "out", subject_map=table)
    assert _labels(plan) == {"001": "accepted"}


def test_sex_alone_shows_nobody(tmp_path: Path, make_series: MakeSeries) -> None:
    """A label of another number needs more than one sex in common."""
    make_series(tmp_path / "in", PatientID="A")
    _add(tmp_path / "in", tmp_path / "out")
    make_series(
        tmp_path / "b", series="1.2.3.2.1", PatientID="B", PatientName="", PatientBirthDate=""
    )
    plan = _add(tmp_path / "b", tmp_path / "out", subject="001")
    assert len(plan.subjects) == 1
    require_reason(plan.subjects[0].reason, "label_of_another_patient_number")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Müller^Anna", "Mueller^Anna"),
        ("Müller^Anna", "Mu\u0308ller^Anna"),
        ("MÜLLER^ANNA", "Muller^Anna"),
        ("Doe^Jane", "Jane Doe"),
        ("Doe^Jane", "Doe^Jane^Marie"),
        ("Meyer-Schmidt^Eva", "Meyer^Eva"),
        ("O'Neil^Pat", "ONeil^Pat"),
    ],
)
def test_a_name_in_two_spellings_is_one_person(
    tmp_path: Path, make_series: MakeSeries, name: str, other: str
) -> None:
    """Umlauts, accents, order, a name more: asked within a source, and of who was added before."""
    text = {"SpecificCharacterSet": "ISO_IR 192"}
    make_series(tmp_path / "a", PatientID="A", PatientName=name, **text)
    make_series(tmp_path / "b", series="1.2.3.2.1", PatientID="B", PatientName=other, **text)
    _add(tmp_path / "a", tmp_path / "out")
    assert set(_labels(_add(tmp_path / "b", tmp_path / "out")).values()) == {"refused"}
    make_series(tmp_path / "c", PatientID="A", PatientName=name, PatientSex="", **text)
    make_series(tmp_path / "c", series="1.2.3.2.1", PatientID="B", PatientName="Roe^Jane", **text)
    assert set(_labels(_add(tmp_path / "c", tmp_path / "other")).values()) == {"accepted"}


def test_one_number_may_spell_its_name_in_two_ways(tmp_path: Path, make_series: MakeSeries) -> None:
    """Composed and decomposed umlauts under one patient number are one patient."""
    text = {"PatientID": "A", "SpecificCharacterSet": "ISO_IR 192"}
    make_series(tmp_path / "in", PatientName="Müller^Anna", **text)
    make_series(tmp_path / "in", series="1.2.3.1.2", PatientName="Mu\u0308ller^Anna", **text)
    assert set(_labels(_add(tmp_path / "in", tmp_path / "out")).values()) == {"accepted"}


@pytest.mark.parametrize("change", ["one slice fewer", "one pixel changed", "another person"])
def test_series_that_share_most_slices(tmp_path: Path, make_dicom: MakeDicom, change: str) -> None:
    """Anonymised copies of one series under two numbers are refused, in one addition and later."""
    pixels = np.random.default_rng(1).integers(0, 999, (8, 4, 4)).astype(np.uint16)
    other = np.random.default_rng(2).integers(0, 999, (8, 4, 4)).astype(np.uint16)
    copy = {"one slice fewer": pixels[:-1], "another person": other}.get(change, pixels.copy())
    copy[0, 0, 0] += 1
    for folder, series, voxels in (("a", "1.2.3.1.1", pixels), ("b", "1.2.3.2.1", copy)):
        (tmp_path / folder).mkdir()
        who = {"PatientID": folder, "PatientName": f"anon{folder}", "PatientBirthDate": ""}
        for number, plane in enumerate(voxels, start=1):
            content = make_dicom(number, series, PixelData=plane.tobytes(), **who)
            (tmp_path / folder / f"{number}.dcm").write_bytes(content)
    _add(tmp_path / "a", tmp_path / "out")
    [status] = _labels(_add(tmp_path / "b", tmp_path / "out")).values()
    assert status == ("accepted" if change == "another person" else "refused")
