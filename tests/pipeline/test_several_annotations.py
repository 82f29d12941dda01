"""Several structure sets of a session: a stated rule decides, and all of them are listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import require_reason
from helpers.session_in_memory import card, contours_of, converted, image, structure_set
from pydicom.dataset import Dataset

from cta_data.imaging.lesions.consensus import METHODS

MPRAGE, SPACE = image("MPRAGE"), image("SPACE")
IMAGES = [MPRAGE, SPACE]
FIRST, SECOND = ("20240101", "120000"), ("20240201", "120000")


def on(technique: str, uid: str, made: tuple[str, str] = FIRST, **rois: tuple):
    name = f"{technique}.late"
    named = {key.replace("_", " "): middle for key, middle in rois.items()}
    return structure_set(uid, rois=named, series=[name], slices=name, made=made)


def test_all_takes_sets_of_one_technique(tmp_path: Path) -> None:
    """Their lesions are one annotation, whatever the order of the sets."""
    sets = [on("MPRAGE", "1", GTV_1=(0, 0, 0)), on("MPRAGE", "2", SECOND, GTV_2=(30, 0, 0))]
    result, workspace = converted(tmp_path, IMAGES, sets, card(structure_sets="all"))
    assert not result.refused and result.techniques == ["MPRAGE"]
    assert contours_of(result, workspace)["MPRAGE"] == ["GTV 1", "GTV 2"]


@pytest.mark.parametrize("policy", ["latest", "all", "refuse"])
@pytest.mark.parametrize("techniques", [("MPRAGE", "SPACE"), ("SPACE", "MPRAGE")])
def test_sets_on_two_techniques_are_two_annotations(
    tmp_path: Path, techniques: tuple[str, str], policy: str
) -> None:
    """Whatever the policy: it chooses among sets of one reader on one technique alone."""
    first, second = techniques
    sets = [on(first, "1", GTV_1=(0, 0, 0)), on(second, "2", SECOND, GTV_2=(30, 0, 0))]
    result, workspace = converted(tmp_path, IMAGES, sets, card(structure_sets=policy))
    assert not result.refused
    assert contours_of(result, workspace) == {first: ["GTV 1"], second: ["GTV 2"]}
    quality = {"MPRAGE": "NAQ", "SPACE": "HAQ"}
    assert [row.made_rank for row in result.written] == [1, 2]
    names = [(row.annotation, row.quality, row.drawn_on) for row in result.written]
    assert names == [(quality[name], quality[name], name) for name in techniques]
    assert [row.drawn_on for row in result.rows] == [first, second]
    assert [row.annotation for row in result.rows] == [quality[name] for name in techniques]


def test_sets_on_one_ct_that_were_drawn_on_two_techniques(tmp_path: Path) -> None:
    """As a planning system keeps them: the techniques are in their headers alone."""
    rules = [
        {"technique": name, "where": {"StructureSetLabel": name}} for name in ("MPRAGE", "SPACE")
    ]
    on_ct = {"series": ["CT.late"], "slices": "CT.late"}
    sets = [
        structure_set("1", rois={"GTV 1": (0, 0, 0)}, label="MPRAGE", **on_ct),
        structure_set("2", rois={"GTV 2": (30, 0, 0)}, label="SPACE", made=SECOND, **on_ct),
    ]
    policy = card(structure_sets="all", drawn_on=rules)
    result, _ = converted(tmp_path, [image("CT")], sets, policy)
    assert not result.refused and result.techniques == ["MPRAGE", "SPACE"]
    assert {(row.annotation, row.space) for row in result.written} == {("NAQ", "CT"), ("HAQ", "CT")}
    assert len({row.path for row in result.written}) == 2


def test_every_set_is_read_by_its_own_header(tmp_path: Path) -> None:
    """Two objects of one series have a label each."""
    rule = {"technique": "SPACE", "where": {"StructureSetLabel": "SPACE"}}
    older = structure_set("1", rois={"GTV": (0, 0, 0)}, label="MPRAGE", made=FIRST)
    newer = structure_set("2", rois={"GTV": (0, 0, 0)}, label="SPACE", made=SECOND)
    result, _ = converted(tmp_path, IMAGES, [older, newer], card(drawn_on=[rule]))
    assert result.techniques[-1] == "SPACE"


READERS = [
    {"code": "R1", "where": {"StructureSetLabel": "^first$"}},
    {"code": "R2", "where": {"StructureSetLabel": "^second$"}},
]


def by_reader(uid: str, label: str, made: tuple[str, str], **rois: tuple) -> Dataset:
    named = {key.replace("_", " "): middle for key, middle in rois.items()}
    name = "SPACE.late"
    return structure_set(uid, rois=named, series=[name], slices=name, made=made, label=label)


def test_sets_of_two_readers_are_two_annotations(tmp_path: Path) -> None:
    """Each reader has a line of versions: a repeat supersedes that reader's own set alone."""
    sets = [
        by_reader("1", "first", FIRST, GTV_1=(0, 0, 0)),
        by_reader("2", "second", FIRST, GTV_2=(30, 0, 0)),
        by_reader("3", "first", SECOND, GTV_3=(0, 0, 0)),
    ]
    result, workspace = converted(tmp_path, IMAGES, sets, card(readers=READERS))
    assert not result.refused
    found = {row.annotation: (row.reader, row.version, row.status) for row in result.written}
    assert found == {
        "HAQR1": ("R1", 1, "superseded"),
        "HAQR1v2": ("R1", 2, "current"),
        "HAQR2": ("R2", 1, "current"),
    }
    assert contours_of(result, workspace, "superseded") == {"SPACE": ["GTV 1"]}
    # R1's first and R2's only set were made at the same time: there is no order of all.
    assert {row.made_rank for row in result.written} == {None}
    rows = {row.source_roi: (row.annotation, row.selected) for row in result.rows}
    assert rows["GTV 1"] == ("HAQR1", False)
    assert rows["GTV 2"] == ("HAQR2", True) and rows["GTV 3"] == ("HAQR1v2", True)


def test_one_set_may_hold_the_regions_of_two_readers(tmp_path: Path) -> None:
    """The names of the regions tell them apart; what no rule names is by an unknown reader."""
    rules = [{"code": code, "roi": f"(?i)_{code}$"} for code in ("R1", "R2")]
    rois = {"GTV 1_R1": (0, 0, 0), "GTV 1_R2": (2, 0, 0), "GTV 2": (30, 0, 0)}
    name = "SPACE.late"
    one = structure_set("1", rois=rois, series=[name], slices=name)
    result, _ = converted(tmp_path, IMAGES, [one], card(readers=rules))
    assert not result.refused
    found = {row.annotation: row.n_lesions for row in result.written}
    assert found == {"HAQR1": 1, "HAQR2": 1, "HAQ": 1}
    assert [row.annotation for row in result.rows] == ["HAQR1", "HAQR2", "HAQ"]


def test_rules_that_name_two_readers_decide_nothing(tmp_path: Path) -> None:
    """The session waits, with the codes in the reason."""
    rules = [*READERS, {"code": "R3", "where": {"StructureSetLabel": "first"}}]
    sets = [by_reader("1", "first", FIRST, GTV_1=(0, 0, 0))]
    result, workspace = converted(tmp_path, IMAGES, sets, card(readers=rules))
    require_reason(result.refused, "reader_ambiguous", readers=("R1", "R3"))
    assert workspace.outputs() == []


@pytest.mark.parametrize("code", ["v2", "C1", "unknown", *METHODS])
def test_a_reader_is_no_version_correction_or_consensus(code: str) -> None:
    """`HAQv2` would be the second version of an unknown reader, `HAQunion` a consensus."""
    with pytest.raises(ValueError, match=code):
        card(readers=[{"code": code, "where": {"StructureSetLabel": "x"}}])


def test_of_several_the_latest_counts_and_the_others_are_listed(tmp_path: Path) -> None:
    """A row for each of their ROIs, with the reason."""
    sets = [on("SPACE", "1", SECOND, GTV_new=(0, 0, 0)), on("SPACE", "2", GTV_old=(30, 0, 0))]
    result, workspace = converted(tmp_path, IMAGES, sets, card())
    assert contours_of(result, workspace)["SPACE"] == ["GTV new"]
    rows = {row.source_roi: row for row in result.rows}
    assert rows["GTV new"].selected and rows["GTV new"].structure_set == 2
    assert not rows["GTV old"].selected and rows["GTV old"].rejected_code == "annotation_older"
    assert rows["GTV old"].structure_set == 1


@pytest.mark.parametrize("made", [FIRST, ("20240101", ""), ("", "")])
def test_equal_or_missing_dates_tell_no_latest(tmp_path: Path, made: tuple[str, str]) -> None:
    """The number of an object decides nothing."""
    sets = [on("SPACE", "1", FIRST, GTV_1=(0, 0, 0)), on("SPACE", "2", made, GTV_2=(30, 0, 0))]
    result, workspace = converted(tmp_path, IMAGES, sets, card())
    assert result.refused and workspace.outputs() == []
    assert [row.selected for row in result.rows] == [False, False]


def test_one_lesion_in_two_sets_is_one_lesion(tmp_path: Path) -> None:
    """The same contours count once, two versions of one region are refused, others are added."""
    policy = card(structure_sets="all")
    same = [on("SPACE", "1", GTV_1=(0, 0, 0)), on("SPACE", "2", SECOND, GTV_1=(0, 0, 0))]
    result, workspace = converted(tmp_path / "same", IMAGES, same, policy)
    assert len(contours_of(result, workspace)["SPACE"]) == 1
    assert [row.selected for row in result.rows] == [True, False]
    versions = [on("SPACE", "1", GTV_1=(0, 0, 0)), on("SPACE", "2", SECOND, GTV_1=(2, 0, 0))]
    result, workspace = converted(tmp_path / "versions", IMAGES, versions, policy)
    assert result.refused and not result.written
    apart = [on("SPACE", "1", GTV=(0, 0, 0)), on("SPACE", "2", SECOND, GTV=(30, 0, 0))]
    result, workspace = converted(tmp_path / "apart", IMAGES, apart, policy)
    assert len(contours_of(result, workspace)["SPACE"]) == 2


def rejected(made: Dataset) -> Dataset:
    made.ApprovalStatus = "REJECTED"
    return made


@pytest.mark.parametrize("policy", ["latest", "all", "refuse"])
def test_a_rejected_set_never_counts(tmp_path: Path, policy: str) -> None:
    """Whatever the policy: its ROIs are listed with the reason, and the older set is taken."""
    sets = [on("MPRAGE", "1", GTV_1=(0, 0, 0)), on("MPRAGE", "2", SECOND, GTV_2=(30, 0, 0))]
    rejected(sets[1])
    result, workspace = converted(tmp_path, IMAGES, sets, card(structure_sets=policy))
    assert not result.refused and len(result.warnings) == 1
    assert contours_of(result, workspace)["MPRAGE"] == ["GTV 1"]
    rows = {row.source_roi: row for row in result.rows}
    assert (
        not rows["GTV 2"].selected
        and rows["GTV 2"].rejected_code == "annotation_rejected_by_author"
    )


def test_a_session_whose_sets_are_all_rejected_waits(tmp_path: Path) -> None:
    """Nothing is written, also where the card does not require an annotation."""
    sets = [rejected(on("MPRAGE", "1", GTV_1=(0, 0, 0)))]
    result, workspace = converted(tmp_path, IMAGES, sets, card(required=False))
    require_reason(result.refused, "annotations_all_rejected")
    assert not any(row.selected for row in result.rows)
    assert workspace.outputs() == []


@pytest.mark.parametrize(
    ("zones", "taken"), [(("+0000", "-0500"), "GTV 2"), (("-0500", "+0000"), "GTV 1"),
                         (("+0000", ""), None), (("", ""), "GTV 1")]
)  # fmt: skip
def test_the_latest_is_latest_in_any_time_zone(
    tmp_path: Path, zones: tuple[str, str], taken: str | None
) -> None:
    """12:00 in London is before 11:00 in New York; a zone that one alone names tells nothing."""
    sets = [
        on("MPRAGE", "1", ("20240101", "120000"), GTV_1=(0, 0, 0)),
        on("MPRAGE", "2", ("20240101", "110000"), GTV_2=(30, 0, 0)),
    ]
    for one, zone in zip(sets, zones, strict=True):
        if zone:
            one.TimezoneOffsetFromUTC = zone
    result, workspace = converted(tmp_path, IMAGES, sets, card())
    assert bool(result.refused) is (taken is None)
    assert [name for names in contours_of(result, workspace).values() for name in names] == (
        [taken] if taken else []
    )
