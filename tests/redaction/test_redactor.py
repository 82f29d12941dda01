"""A patient's identity in free text: found however it is written, and no more than that."""

from __future__ import annotations

import pytest
from helpers.planted_identity import PLANTED, Planted
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from cta_data.formats.dicom.header import identity_of
from cta_data.redaction import REMOVED, Identity, Redactor
from cta_data.redaction.identity import is_public
from cta_data.redaction.roi_words import ROI_WORDS

PATTERN = r"(?i)(GK[._])?(?P<id>\d{3})"
ROI_NAMES = (
    *("Left", "GTV", "GTV 12", "Met", "Met 3 left frontal", "Metastasis 1", "Brain", "Brainstem"),
    *("Lima", "Liver", "Filia 2", "occipital", "PTV_12", "GTV XII", "CTV IV", "May", "Lesion 2 mm"),
    *("GTV 2019", "Bone", "Body", "Boost 20 Gy", "parietal", "HIRNSTAMM", "Mayo", "External"),
)


def of_header(dataset: Dataset) -> Redactor:
    return Redactor(Identity.of_headers([identity_of(dataset)]))


def of_name(name: str) -> Redactor:
    return Redactor(Identity(names=frozenset({name})))


def of_identifier(identifier: str, *, public: bool = False) -> Redactor:
    return Redactor(Identity.of_identifier(identifier, public=public))


WRITTEN = [(patient, text) for patient in PLANTED for text in patient.written]


@pytest.mark.parametrize(("patient", "text"), WRITTEN, ids=lambda one: str(one)[:24])
@pytest.mark.parametrize("around", ["{}", "GTV {}", "{} left", "met_{}_2", "GTV({})", "x, {};"])
def test_every_written_form_is_found(patient: Planted, text: str, around: str) -> None:
    """Nothing of it is left, and what is beside it stays."""
    assert of_header(patient.header()).redact(around.format(text)) == around.format(REMOVED)


@pytest.mark.parametrize("patient", PLANTED, ids=lambda one: one.name)
@pytest.mark.parametrize("name", ROI_NAMES)
def test_ordinary_names_of_regions_stay(patient: Planted, name: str) -> None:
    """A short name inside of a word, a numeral or a lesion's number is nobody's."""
    assert of_header(patient.header()).redact(name) == name


@pytest.mark.parametrize(
    ("patient", "name", "left"),
    [
        ("Brain^Joe", "Brain", "***"),
        ("Brain^Joe", "GTV brain left", "GTV *** left"),
        ("Brain^Joe", "Brainstem", "Brainstem"),
        ("Rain^Joe", "Brain", "Brain"),
        ("Left^Ann", "Left", "***"),
        ("May^Karl", "Met May", "Met ***"),
        ("Xi^Lu", "Met XI", "Met ***"),
        ("Xi^Lu", "Met XII", "Met XII"),
        ("Li^Bo", "GTVLi", "GTV***"),
        ("Li^Bo", "metLi2", "met***2"),
        ("Li^Bo", "metabolism", "metabolism"),
        ("O^Brian", "GTV O", "GTV O"),
    ],
)
def test_a_name_that_is_a_word_counts_as_a_whole_word(patient: str, name: str, left: str) -> None:
    """Inside of a longer word of anatomy it is a part of that word."""
    assert of_name(patient).redact(name) == left


@pytest.mark.parametrize(
    ("identifier", "name", "left"),
    [
        ("Mueller_Hans", "Met 1 HANS", "Met 1 ***"),
        ("Mueller_Hans", "mueller hans left", "*** left"),
        ("Li_Wu", "mask Li Wu met", "mask *** met"),
        ("Li_Wu", "mask_LiWu_met", "mask_***_met"),
        ("Li_Wu", "Liver Wurm", "Liver Wurm"),
        ("4711", "GTV 4711-2", "GTV ***-2"),
        ("4711", "GTV 147112", "GTV 147112"),
        ("12", "GTV 12", "GTV 12"),
        ("0042", "GTV 42", "GTV 42"),
        ("0042", "GTV 0042", "GTV ***"),
        ("MR-123456", "MR T1 123 456", "MR T1 ***"),
        ("Mueller_1950", "Müller left", "*** left"),
    ],
)
def test_an_identifier_is_found_as_number_or_name(identifier: str, name: str, left: str) -> None:
    """Its pieces may be joined in any way; what could be the number of a lesion stays."""
    assert of_identifier(identifier).redact(name) == left


@pytest.mark.parametrize("written", ["19 Feb", "GTV 12 19", "11937", "37", "2.19", "19370220"])
def test_what_is_no_birth_date_stays(written: str) -> None:
    """A day without its year, and numbers that hold its digits by chance."""
    dates = frozenset({"19370219"})
    assert Redactor(Identity(birth_dates=dates)).redact(written) == written


@pytest.mark.parametrize(
    ("birth_date", "name", "left"),
    [
        ("1937.02.19", "GTV 19.02.1937", "GTV ***"),
        ("Mueller^Hans", "Müller left", "*** left"),
        ("1937", "GTV 1937", "GTV ***"),
        ("00000000", "GTV 0 1", "GTV 0 1"),
    ],
)
def test_whatever_was_typed_as_birth_date_is_found(birth_date: str, name: str, left: str) -> None:
    """An old way to write it, a name in the wrong field, a year; zeros say that there is none."""
    assert Redactor(Identity(birth_dates=frozenset({birth_date}))).redact(name) == left


def test_a_public_collection_s_identifiers_stay() -> None:
    """`sub-147` leads back to `GK_147` on purpose, so names of its rows and files stay whole."""
    redactor = of_identifier("GK_147", public=is_public(PATTERN, "GK_147"))
    assert redactor.redact("GK.147_2_Llantfront") == "GK.147_2_Llantfront"
    assert not is_public(PATTERN, "Mueller_Hans") and not is_public("", "GK_147")


@given(
    # An asterisk beside a mark could not be told from the mark.
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), max_size=40),
    st.text(max_size=12),
    st.text(max_size=12),
)
@example(text="+0¼:", name="", number="00¼")
def test_what_is_not_identity_stays_as_it_is(text: str, name: str, number: str) -> None:
    """Whatever characters there are: without the marks, what is left stood there before."""
    redactor = Redactor(Identity(frozenset({name}), frozenset({number})))
    left = redactor.redact(text)
    place = 0
    for piece in left.split(REMOVED):
        place = text.index(piece, place) + len(piece)
    assert redactor.finds(text) or left == text


@given(st.sampled_from(sorted(ROI_WORDS)), st.integers(0, 4), st.integers(1, 4))
def test_a_piece_of_an_anatomical_word_is_nobody(word: str, start: int, cut: int) -> None:
    """Whoever is called like a piece of it."""
    piece = word[start:-cut]
    if piece and piece not in ROI_WORDS:
        assert of_name(piece).redact(word) == word
