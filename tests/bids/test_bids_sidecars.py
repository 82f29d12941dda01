"""Sidecars tell how an image was made and nothing about whom it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary

from cta_data.bids.sidecars import ALLOWED, build_sidecar, write_sidecar
from cta_data.files import json_text
from cta_data.formats.dicom.header import measured
from cta_data.redaction.identity import KEYWORDS

HEADER = {
    "Modality": "MR",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Skyra",
    "MagneticFieldStrength": "3",
    "ScanningSequence": "GR\\IR",
    "SequenceVariant": "SP",
    "EchoTime": "2.44",
    "RepetitionTime": "2000",
    "InversionTime": "900",
    "FlipAngle": "9",
    "SliceThickness": "0.90000",
}
NOT_ALLOWED = sorted(
    entry[4] for entry in DicomDictionary.values() if entry[4] and entry[4] not in ALLOWED
)
SECRET = st.text("QZXJ", min_size=8, max_size=12)


def test_units_and_names_are_those_of_bids() -> None:
    """Milliseconds become seconds, several codes a list, numbers plain numbers."""
    sidecar = build_sidecar(HEADER)
    assert sidecar["EchoTime"] == 0.00244
    assert sidecar["RepetitionTime"] == 2
    assert sidecar["InversionTime"] == 0.9
    assert sidecar["SliceThickness"] == 0.9
    assert sidecar["MagneticFieldStrength"] == 3
    assert sidecar["ManufacturersModelName"] == "Skyra"
    assert sidecar["ScanningSequence"] == ["GR", "IR"]
    assert sidecar["SequenceVariant"] == "SP"
    assert sidecar["GeometrySource"] == "dicom"


MEASURED = [
    keyword
    for keyword in ALLOWED
    if isinstance(build_sidecar({keyword: "3"}).get(ALLOWED[keyword][0]), float | int)
]


@pytest.mark.parametrize("keyword", MEASURED)
@pytest.mark.parametrize("text", ["0", "0.0", "-1", "", "nan", "inf", "none", "0\\5", "19370219"])
def test_a_value_that_means_not_given_is_absent(keyword: str, text: str) -> None:
    """0 and -1 of a time, length, field or count say that there is none; an angle may be 0."""
    name = ALLOWED[keyword][0]
    angle = keyword == "GantryDetectorTilt" and text.startswith(("0", "-"))
    assert (name in build_sidecar({keyword: text})) == angle
    assert (measured({keyword: text}, keyword, may_be_zero=True) is not None) == (
        text.startswith(("0", "-"))
    )
    assert measured({keyword: text}, keyword) is None


def test_quantities_are_found_among_the_attributes() -> None:
    """The test before is about all of these."""
    assert {"InversionTime", "FlipAngle", "KVP", "EchoTrainLength"} < set(MEASURED)


@given(values=st.dictionaries(st.sampled_from(NOT_ALLOWED), SECRET, max_size=30), secret=SECRET)
def test_nothing_off_the_list_reaches_the_file(values: dict[str, str], secret: str) -> None:
    """Whatever any other attribute of the DICOM dictionary holds, it is not in the text."""
    identity = dict.fromkeys((*KEYWORDS, "SeriesDescription", "StudyDate"), secret)
    text = json_text(build_sidecar(HEADER | values | identity))
    assert secret not in text
    assert not [value for value in values.values() if value in text]


@given(
    secret=SECRET,
    keyword=st.sampled_from(sorted(ALLOWED)),
    identity=st.sampled_from(KEYWORDS),
)
def test_a_name_that_was_typed_into_an_allowed_attribute_is_left_out(
    secret: str, keyword: str, identity: str
) -> None:
    """Staff type names into any field; one that repeats the patient's name or number is dropped."""
    header = HEADER | {identity: f"{secret}^Given", keyword: f"for {secret.lower()}"}
    assert secret.lower() not in json_text(build_sidecar(header)).lower()


@pytest.mark.parametrize(
    "text", ["LI", "BO", "SMITH", "HFS LI", "PFP SMITH", "FS\\LI", "19370219", "004711234"]
)
def test_a_stranger_s_name_or_number_is_no_value(text: str) -> None:
    """Of any attribute, though no header says whose it is: codes and plausible quantities alone."""
    told = json_text(build_sidecar(dict.fromkeys(ALLOWED, text)))
    for piece in ("LI", "BO", "SMITH", "1937", "4711"):
        assert f'"{piece}' not in told and f" {piece}" not in told


def test_what_is_no_number_is_left_out() -> None:
    """A broken value does not break the file, and is not passed on as text."""
    sidecar = build_sidecar(HEADER | {"EchoTime": "two", "FlipAngle": "nan", "KVP": ""})
    assert not {"EchoTime", "FlipAngle", "KVP"} & set(sidecar)


def test_caller_fields_and_deviations_are_kept() -> None:
    """Repairs are data in the sidecar; the caller's own fields win."""
    record = {"Kind": "gantry_tilt", "Measured": "14°", "Action": "repaired"}
    sidecar = build_sidecar(HEADER, deviations=[record], extra={"ContrastPhase": "late"})
    assert sidecar["Deviations"] == [record]
    assert sidecar["ContrastPhase"] == "late"


def test_the_file_is_deterministic(tmp_path: Path) -> None:
    """Sorted keys and a final newline; the same bytes whatever the header's order."""
    write_sidecar(build_sidecar(HEADER), tmp_path / "a.json")
    write_sidecar(build_sidecar(dict(reversed(HEADER.items()))), tmp_path / "b.json")
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))
