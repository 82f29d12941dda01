"""BIDS names: built in the specification's order, and taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.bids.names import (
    ENTITY_ORDER,
    BidsName,
    parse_name,
    raw_name,
    transform_name,
    variant_name,
)
from cta_data.errors import ConfigurationError

LABELS = st.text("abcXYZ019", min_size=1, max_size=6)
NUMBERED = ("run", "echo", "flip", "inv")


@given(
    entities=st.dictionaries(
        st.sampled_from([key for key in ENTITY_ORDER if key not in NUMBERED]), LABELS
    ),
    subject=LABELS,
    run=st.integers(0, 99),
    suffix=st.sampled_from(["T1w", "ct", "dseg", "xfm"]),
    extension=st.sampled_from([".nii.gz", ".json", ".tfm"]),
)
def test_a_name_is_taken_apart_into_what_it_was_built_from(
    entities: dict[str, str], subject: str, run: int, suffix: str, extension: str
) -> None:
    """Parsing is the inverse of building, whatever order the entities came in."""
    parts = entities | {"sub": subject, "run": str(run)}
    name = BidsName(parts, suffix, extension)
    assert parse_name(name.filename) == name
    shuffled = BidsName(dict(reversed(parts.items())), suffix, extension)
    assert shuffled.filename == name.filename


def test_names_of_the_study() -> None:
    """The names that other rooms and users rely on."""
    late = raw_name("001", "1", "T1w", acquisition="mprageLate", contrast_agent="gadolinium")
    assert late.filename == "sub-001_ses-1_acq-mprageLate_ce-gadolinium_T1w.nii.gz"
    assert str(late.path) == f"sub-001/ses-1/anat/{late.filename}"
    assert late.with_extension(".json").filename.endswith("_T1w.json")
    scan = raw_name("001", "1", "ct", run=2)
    assert str(scan.path) == "sub-001/ses-1/ct/sub-001_ses-1_run-2_ct.nii.gz"
    variant = variant_name("001", "1", space="MPRAGE", description="HAQ")
    assert variant.filename == "sub-001_ses-1_space-MPRAGE_desc-HAQ_dseg.nii.gz"
    transform = transform_name("001", "1", moving="SPACE", fixed="MPRAGE")
    assert transform.filename == "sub-001_ses-1_from-SPACE_to-MPRAGE_mode-image_xfm.tfm"


@pytest.mark.parametrize("label", ["", "a-b", "a_b", "ä", "٣", "a b", "../x", "1.2"])
def test_labels_are_letters_and_digits(label: str) -> None:
    """Anything else would break the name apart, or climb out of the folder."""
    with pytest.raises(ConfigurationError):
        BidsName({"sub": "1", "acq": label}, "T1w")


@pytest.mark.parametrize(
    "filename",
    [
        "T1w.nii.gz",
        "ses-1_sub-001_T1w.nii.gz",
        "sub-001_sub-002_T1w.nii.gz",
        "sub-001_color-red_T1w.nii.gz",
        "sub-001_acq_T1w.nii.gz",
        "sub-001_run-one_T1w.nii.gz",
        "sub-001_T1w",
    ],
)
def test_other_names_are_refused(filename: str) -> None:
    """No subject, wrong order, repeats, unknown parts, no label, no number, no extension."""
    with pytest.raises(ConfigurationError):
        parse_name(filename)
