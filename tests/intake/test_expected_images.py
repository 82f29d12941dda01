"""What the card of a cohort does not expect does not enter it: a wrong name publishes nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.cohorts import parse_card, shipped_card_text
from cta_data.cohorts.card import Card
from cta_data.errors import DataRefused
from cta_data.intake import AdditionOptions, AdditionPlan, execute_addition, plan_addition
from cta_data.intake.add import expected_of, naming_of, recogniser
from cta_data.study.sourcedata import read_inventory

MakeSeries = Callable[..., list[Path]]
OWN = """
[cohort]
name = "own"
title = "A collection"
licence = "CC0-1.0"
access = "{access}"
how_to_get = "It is on this disk."
[subjects]
{subjects}
[[series]]
technique = "MPRAGE"
where = {{ Modality = "^MR$", SeriesDescription = "mprage" }}
"""


def shipped(name: str) -> Card:
    return parse_card(shipped_card_text(name), name, "card.toml")


def own(access: str, subjects: str = "") -> Card:
    return parse_card(OWN.format(access=access, subjects=subjects), "own", "card.toml")


def add(source: Path, sourcedata: Path, card: Card, **options: object) -> AdditionPlan:
    """Add a source as `cta-data add` does."""
    chosen = AdditionOptions(recognise=recogniser(card), naming=naming_of(card), **options)  # type: ignore[arg-type]
    with plan_addition(source, sourcedata, chosen, expected_of(card)) as plan:
        counts = plan.counts
        parts = ("kept_instances", "refused_instances", "duplicates", "set_aside", "damaged")
        kept = sum(counts[part] for part in (*parts, "conflicts", "unexpected"))
        assert counts["dicom"] + counts["recognised"] == kept
        execute_addition(plan)
    return plan


def stored(folder: Path) -> bytes:
    """All that is in a folder, and its names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.name.encode() + path.read_bytes() for path in files)


def patients(make_series: MakeSeries, source: Path, **descriptions: str) -> None:
    for number, (patient, description) in enumerate(descriptions.items(), start=1):
        make_series(
            source / patient,
            series=f"1.2.{number}.1.1",
            PatientID=patient,
            SeriesDescription=description,
            PixelData=bytes([number]) * 32,
        )


@pytest.mark.parametrize("cohort", ["ynhh", "susm", "ukhd", "ummc"])
def test_a_hospital_s_dicom_never_enters_a_collection(
    cohort: str, tmp_path: Path, make_series: MakeSeries
) -> None:
    """Nothing is stored, and the command fails."""
    patients(make_series, tmp_path / "in", A="t1_mprage", B="t1_mprage")
    with pytest.raises(DataRefused, check=has_reason("source_without_known_images")):
        add(tmp_path / "in", tmp_path / "out", shipped(cohort))
    assert stored(tmp_path / "out") == b""


def test_foreign_files_are_no_patients_of_a_collection(tmp_path: Path) -> None:
    """Masks under the collection's names, and images under others: no image matches a rule."""
    for number in range(3):
        folder = tmp_path / "in" / f"Mets_00{number}"
        folder.mkdir(parents=True)
        (folder / "seg.nii.gz").write_bytes(b"\x1f\x8bmask")
        (folder / "t2_foreign.nii.gz").write_bytes(b"\x1f\x8bimage")
    with pytest.raises(DataRefused, check=has_reason("source_without_known_images")):
        add(tmp_path / "in", tmp_path / "out", shipped("susm"))
    assert stored(tmp_path / "out") == b""


def test_dicom_beside_a_collection_s_files_is_left(tmp_path: Path, make_series: MakeSeries) -> None:
    """The collection's patient is taken; of the other not even the number is listed."""
    patients(make_series, tmp_path / "in", STRANGER="t1_mprage")
    folder = tmp_path / "in" / "Mets_001"
    folder.mkdir(parents=True)
    (folder / "bravo.nii.gz").write_bytes(b"\x1f\x8bimage")
    plan = add(tmp_path / "in", tmp_path / "out", shipped("susm"))
    assert [one.status for one in plan.subjects] == ["accepted"]
    assert [one.reason.split(",")[0] for one in plan.problems] == ["is DICOM"]
    assert b"STRANGER" not in stored(tmp_path / "out")


@pytest.mark.parametrize("access", ["public", "registered", "restricted"])
def test_a_subject_without_an_image_of_the_card_is_refused(
    access: str, tmp_path: Path, make_series: MakeSeries
) -> None:
    """The others are taken. A cohort that is handed on does not list who was refused."""
    patients(make_series, tmp_path / "in", GOOD="t1_mprage", STRANGER="abdomen")
    plan = add(tmp_path / "in", tmp_path / "out", own(access))
    found = {row.source_id: row.status for row in read_inventory(tmp_path / "out").subjects}
    refused = {"STRANGER": "refused"} if access == "restricted" else {}
    assert found == {"GOOD": "accepted"} | refused
    assert len(plan.problems) == (access != "restricted")
    assert {row.subject for row in read_inventory(tmp_path / "out").series} == {
        row.subject for row in read_inventory(tmp_path / "out").subjects if row.source_id == "GOOD"
    }


def test_who_is_not_of_a_public_collection_does_not_enter_it(
    tmp_path: Path, make_series: MakeSeries
) -> None:
    """Whatever image it is: the card says how numbers of the collection are written."""
    card = own("public", "pattern = 'OWN_(?P<id>[0-9]+)'\nsource_id = 'OWN_{id}'")
    patients(make_series, tmp_path / "in", OWN_1="t1_mprage", STRANGER="t1_mprage")
    add(tmp_path / "in", tmp_path / "out", card)
    assert [row.source_id for row in read_inventory(tmp_path / "out").subjects] == ["OWN_1"]
    assert b"STRANGER" not in stored(tmp_path / "out")


def test_later_objects_of_a_known_subject_need_no_image(
    tmp_path: Path, make_series: MakeSeries
) -> None:
    """The images came before."""
    make_series(tmp_path / "first", PatientID="A")
    add(tmp_path / "first", tmp_path / "out", own("restricted"))
    make_series(
        tmp_path / "later", series="1.2.3.1.2", PatientID="A", SeriesDescription="t2",
        PixelData=bytes(31) + b"x",
    )  # fmt: skip
    plan = add(tmp_path / "later", tmp_path / "out", own("restricted"))
    assert [one.status for one in plan.subjects] == ["accepted"]


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("new_uids", [True, False])
def test_a_mended_patient_is_accepted(
    tmp_path: Path, make_series: MakeSeries, replace: bool, new_uids: bool
) -> None:
    """Another's series came under the patient's number: once that is mended nothing stays refused.

    Where the mended export has UIDs of its own, only --replace says that it is all there is.
    """
    as_b = {"PatientName": "Roe^Rick", "PatientBirthDate": "19501111", "PatientSex": "M"}
    source, out = tmp_path / "in", tmp_path / "out"
    make_series(source / "a", PatientID="A", PatientName="Doe^Jane")
    make_series(source / "b1", series="1.2.4.1.1", PatientID="B", **as_b)
    wrong = {"PatientID": "A", "PixelData": bytes(31) + b"x", **as_b}
    make_series(source / "b2", series="1.2.4.1.2", **wrong)
    add(source, out, own("restricted"))
    refused = {row.source_id: row.status for row in read_inventory(out).subjects}
    assert refused == {"A": "refused", "B": "refused"}
    for path in (source / "b2").iterdir():
        path.unlink()
    series = "1.2.4.1.3" if new_uids else "1.2.4.1.2"
    make_series(source / "b2", series=series, **wrong | {"PatientID": "B"})
    add(source, out, own("restricted"), replace=replace)
    inventory = read_inventory(out)
    assert {row.source_id: row.status for row in inventory.subjects} == {
        "A": "accepted",
        "B": "accepted",
    }
    left = [row.reason for row in inventory.set_aside]
    assert left == [] or (new_uids and not replace)
