"""Names of regions outside of sourcedata: withheld or without identity, and rules that see them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import require_reason
from helpers.session_in_memory import card, contours_of, converted, image, structure_set
from helpers.structure_sets import CARD
from pydicom.dataset import Dataset

from cta_data.cohorts import parse_card

RULES = [
    {"pattern": r"\*", "lesion": False, "reason": "marked with a star"},
    {"pattern": "^(GTV|Met)", "lesion": True},
]


def session(tmp_path: Path, *names: str, **section: object):
    """Convert a session of a patient called Met Frida, with regions of these names."""
    rois = {name: (30.0 * number, 0.0, 0.0) for number, name in enumerate(names)}
    drawn = structure_set("1", rois=rois, series=["MPRAGE.late"], slices="MPRAGE.late")
    drawn.PatientName, drawn.PatientID = "Met^Frida", "4711"
    observation = Dataset()
    observation.ROIInterpreter = "Meier^Kuno"
    drawn.RTROIObservationsSequence = [observation]
    observation.ReferencedROINumber = 1
    return converted(tmp_path, [image("MPRAGE")], [drawn], card(rois=RULES, **section))


def test_a_number_stands_in_the_place_of_a_name_that_is_withheld(tmp_path: Path) -> None:
    """In rows and contours; the log has the name without the patient's."""
    result, workspace = session(
        tmp_path, "GTV Frida by Kuno, Wurzel", "Met 2", roi_names="withheld"
    )
    assert not result.refused
    assert [row.source_roi for row in result.rows] == ["ROI 1", "ROI 2"]
    assert [row.selected_by for row in result.rows] == ["^(GTV|Met)"] * 2
    assert contours_of(result, workspace)["MPRAGE"] == ["ROI 1", "ROI 2"]
    written = b"".join(workspace.write(path).read_bytes() for path in workspace.outputs())
    assert b"ROI 1" in written and not any(
        name in written for name in (b"GTV", b"Frida", b"Wurzel")
    )
    notes = "; ".join(result.notes)
    assert "ROI 1: 'GTV *** by ***, Wurzel'" in notes and "Frida" not in notes


def test_rules_see_the_name_as_it_was_delivered(tmp_path: Path) -> None:
    """What is cut out of a name decides nothing: not for a rule, and not against another."""
    result, _ = session(tmp_path, "GTV Frida", "Met 2", roi_names="published")
    assert not result.refused
    rows = [(row.source_roi, row.selected) for row in result.rows]
    assert rows == [("GTV ***", True), ("*** 2", True)]


@pytest.mark.parametrize("roi_names", ["published", "withheld"])
def test_a_refusal_names_no_patient(tmp_path: Path, roi_names: str) -> None:
    """A region that no rule matches stops the session, and is told by what it is called outside."""
    result, _ = session(tmp_path, "Frida 4711", roi_names=roi_names)
    require_reason(result.refused, "roi_matches_no_rule")
    told = str((result.refused, result.rows, result.notes))
    assert "Frida" not in told and "4711" not in told


@pytest.mark.parametrize(
    ("access", "said", "withheld"),
    [
        ("restricted", "", True),
        ("restricted", "published", False),
        ("registered", "", False),
        ("public", "", False),
        ("public", "withheld", True),
    ],
)
def test_restricted_cohorts_withhold_names(access: str, said: str, withheld: bool) -> None:
    """Unless the card says otherwise."""
    text = CARD.replace('access = "public"', f'access = "{access}"')
    text = text.replace("[annotations]", f'[annotations]\nroi_names = "{said}"')
    assert parse_card(text, "own", "card.toml").withholds_roi_names == withheld
