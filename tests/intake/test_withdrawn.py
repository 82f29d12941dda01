"""Who withdrew consent is known again, by the least that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from cta_data.intake.identity import fingerprints_of
from cta_data.intake.instances import Instance
from cta_data.intake.persons import image_digest
from cta_data.intake.pseudonyms import assign_labels
from cta_data.intake.withdrawn import (
    WithdrawnCohort,
    WithdrawnRow,
    is_withdrawn_label,
    read_withdrawn,
    with_consent_again,
    withdrawal_of,
    withdrawn_row,
    write_withdrawn,
)
from cta_data.study.sourcedata import ACCEPTED, SeriesRow, SubjectRow

SALT = "ab" * 32
ATTRIBUTES = ("PatientName", "PatientBirthDate", "PatientSex")
PERSON = {"PatientName": "DOE^JANE", "PatientBirthDate": "19500203", "PatientSex": "F"}
OTHER = {"PatientName": "ROE^RICHARD", "PatientBirthDate": "19600405", "PatientSex": "M"}
NUMBER, PIXELS = "P-123456", "pixels of one slice"


def instance(identity: dict[str, str], pixels: str = "") -> Instance:
    plain = dict.fromkeys(("sop_class", "study_uid", "series_uid", "modality", "study_date"), "")
    return Instance(
        path=Path("file"), name="file", digest="", sop_uid="1", patient_id="", instance_number=1,
        frame_of_reference_uid="", acquired="", identity=identity, pixels=pixels, **plain,
    )  # fmt: skip


def series(pixels: str) -> SeriesRow:
    names = ("session", "series", "file", "kind", "modality", "sop_class", "study_uid")
    names += ("series_uid", "frame_of_reference_uid", "study_date", "acquired", "digest")
    return SeriesRow(subject="001", n_instances=1, pixels=pixels, **dict.fromkeys(names, ""))


@pytest.fixture
def row() -> WithdrawnRow:
    """What is kept of a patient with a number, a name, a birth date and an image."""
    identity = fingerprints_of([instance(PERSON)], ATTRIBUTES, SALT)
    people = [SubjectRow("001", NUMBER, ACCEPTED, identity=identity)]
    images = [series(image_digest([PIXELS]))]
    return withdrawn_row("w1", "2026-03-01", "001", people, images, SALT)


@pytest.mark.parametrize(
    ("number", "identity", "pixels", "known"),
    [
        (NUMBER, OTHER, "", True),
        ("other", PERSON | {"PatientName": "Jane Doe"}, "", True),
        ("other", OTHER, PIXELS, True),
        ("other", OTHER, "other pixels", False),
        ("other", PERSON | {"PatientBirthDate": "19500204"}, "", False),
        ("other", {}, "", False),
        ("", {}, "", False),
    ],
)
def test_a_patient_is_known_by_number_person_or_image(
    row: WithdrawnRow, number: str, identity: dict[str, str], pixels: str, known: bool
) -> None:
    """Each of them is enough; a name without its birth date, or an empty number, is nobody."""
    cohort = WithdrawnCohort(SALT, (row,))
    found = withdrawal_of({number: [instance(identity, pixels)]}, ATTRIBUTES, [cohort])
    assert (found == row) == known


def test_a_short_number_of_another_cohort_is_another_patient(row: WithdrawnRow) -> None:
    """Numbers such as `12` are in many hospitals; long ones are one patient's."""
    people = [SubjectRow("001", "12", ACCEPTED)]
    short = withdrawn_row("w2", "2026-03-01", "001", people, [], SALT)
    own, elsewhere = WithdrawnCohort(SALT, (short,)), WithdrawnCohort(SALT, (short,), is_own=False)
    assert withdrawal_of({"12": [instance({})]}, ATTRIBUTES, [own]) == short
    assert withdrawal_of({"12": [instance({})]}, ATTRIBUTES, [elsewhere]) is None


def test_the_file_names_nobody_and_consent_ends_it(row: WithdrawnRow, tmp_path: Path) -> None:
    """Neither number nor name nor label stands in it; whoever consented again is not refused."""
    write_withdrawn(tmp_path, [row])
    text = (tmp_path / "withdrawn.tsv").read_text("utf-8")
    assert not any(word in text for word in (NUMBER, "DOE", "1950", "\t001\t"))
    with_consent_again(tmp_path, {"w1"}, "2026-04-01")
    [lifted] = read_withdrawn(tmp_path)
    assert lifted.consent_again_on == "2026-04-01" and not lifted.holds
    cohort = WithdrawnCohort(SALT, (lifted,))
    assert withdrawal_of({NUMBER: [instance(PERSON)]}, ATTRIBUTES, [cohort]) is None


def test_nobody_else_gets_the_label(row: WithdrawnRow) -> None:
    """New numbers leave it out, by hand it is refused, and on new consent it may be given again."""
    gone = is_withdrawn_label([row], SALT)
    numbered = assign_labels(["a", "b"], [], SALT, chosen={}, is_withdrawn=gone)
    assert sorted(numbered.labels.values()) == ["002", "003"]
    chosen = {"a": "001"}
    refused = assign_labels(["a"], [], SALT, chosen=chosen, is_withdrawn=gone)
    assert refused.refused["a"][1].code == "label_of_withdrawn_patient"
    again = assign_labels(["a"], [], SALT, chosen=chosen, is_withdrawn=gone, consent_again=True)
    assert again.labels == {"a": "001"}
