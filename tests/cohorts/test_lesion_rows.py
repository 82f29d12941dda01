"""Rows of a table of lesions and outlines: each exactly once, joined only without a choice."""

from __future__ import annotations

import pytest
from helpers.clinical_workbook import gamma_knife
from hypothesis import given
from hypothesis import strategies as st

from cta_data.cohorts.clinical.card import TargetRule
from cta_data.cohorts.clinical.lesion_rows import LesionLink, LesionRow, link_lesions, target_type

NAMES = st.one_of(
    st.sampled_from(
        [
            *("GK.103_1_LR atrium", "GK.103_1_Lr atrium", "R atrium", "r_atrium", "LR atrium"),
            *("GK.103_3_L_Foo", "GK.103_3_L_Foo11302018", "Foo", "_Foo", "L_Foo", "12345678"),
            *("", " ", "***", "L", "GK.103_1_L"),
        ]
    ),
    st.text(alphabet="GKL._13 aA*", max_size=8),
)


def rows(*names: str) -> list[LesionRow]:
    return [LesionRow(i + 1, "GK_103", "1", name) for i, name in enumerate(names)]


def rois(*names: str) -> list[tuple[int, str]]:
    return [(i + 100, name) for i, name in enumerate(names)]


def pairs(links: list[LesionLink]) -> set[tuple[int | None, int | None]]:
    return {(link.row, link.roi) for link in links}


@given(st.lists(NAMES, max_size=7), st.lists(NAMES, max_size=7))
def test_every_row_and_every_outline_appears_exactly_once(
    row_names: list[str], roi_names: list[str]
) -> None:
    """Nothing is lost and nothing is joined twice; the status says which side is missing."""
    links = link_lesions(rows(*row_names), rois(*roi_names))
    assert [link.row for link in links if link.row is not None] == [
        i + 1 for i in range(len(row_names))
    ]
    assert sorted(link.roi for link in links if link.roi is not None) == [
        i + 100 for i in range(len(roi_names))
    ]
    for link in links:
        assert (link.status == "matched") == (link.row is not None and link.roi is not None)
        assert (link.status == "matched") == bool(link.rule)
        assert link.status != "row_without_roi" or link.roi is None
        assert link.status != "roi_without_row" or link.row is None
    assert links == link_lesions(rows(*row_names), rois(*roi_names))


@given(st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=6), st.randoms())
def test_only_order_depends_on_order(
    row_names: list[str], roi_names: list[str], random: object
) -> None:
    """Shuffled outlines are joined with the same rows, but where order alone decided."""
    outlines = rois(*roi_names)
    shuffled = list(outlines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = link_lesions(rows(*row_names), outlines)
    other = link_lesions(rows(*row_names), shuffled)

    def decided(links: list[LesionLink]) -> set[LesionLink]:
        return {link for link in links if link.rule != "order"}

    assert decided(one) == decided(other)


@pytest.mark.parametrize(
    ("row", "roi", "rule"),
    [
        ("GK.103_1_LR atrium", "GK.103_1_LR atrium", "exact"),
        ("GK.103_1_LR atrium", "R atrium", "exact"),
        ("GK.103_1_LLt Frontal", "Lt Frontal", "exact"),
        ("GK.103_1_L_Vermis", "_Vermis", "exact"),
        ("GK.103_3_L_Vermis", "Vermis", "exact"),
        ("GK.103_1_LR atrium", "GK.103_1_LR atrium.nrrd", "exact"),
        ("GK.467_2_Lpontine", "GK.467_2_LPontine", "case"),
        ("GK.147_2_Llantfront", "LAntFront", "case"),
        ("GK.132_1_LPost op  Cavity", "Post op Cavity", "key"),
        ("GK.243_3_L_LtHippocampal", "Lt Hippocampal", "key"),
        ("GK.270_3_L_RtOccipital", "GK.270_3_L_RtOccipital11302018", "date"),
        ("GK.103_1_LR atrium", "LR atrium", "prefix"),
    ],
)
def test_names_that_mean_the_same_are_joined(row: str, roi: str, rule: str) -> None:
    """Each difference that is known of real files is bridged, and by the rule that says so."""
    assert link_lesions(rows(row), rois(roi)) == [LesionLink(1, 100, roi, "matched", rule)]  # type: ignore[arg-type]


def test_a_name_that_begins_with_l_is_not_cut() -> None:
    """`frontal` and `Lfrontal` are two lesions, whichever rows there are."""
    both = rows("GK.103_1_Lfrontal", "GK.103_1_LLfrontal")
    assert pairs(link_lesions(both, rois("Lfrontal", "frontal"))) == {(1, 101), (2, 100)}
    one = link_lesions(both[:1], rois("Lfrontal", "frontal"))
    assert pairs(one) == {(1, 101), (None, 100)}


def test_a_dated_file_beside_an_undated_one_has_no_row() -> None:
    """The exact name wins; what is left is listed and not joined."""
    links = link_lesions(rows("GK.270_3_L_Rt"), rois("GK.270_3_L_Rt11302018", "GK.270_3_L_Rt"))
    assert {(link.row, link.roi, link.status) for link in links} == {
        (1, 101, "matched"),
        (None, 100, "roi_without_row"),
    }


def test_equals_are_joined_in_order_where_counts_agree_and_are_ambiguous_otherwise() -> None:
    """Order decides by the rows' numbers, and says so; with other counts nothing is joined."""
    equal = [LesionRow(9, "a", "1", "Target"), LesionRow(2, "a", "1", "target ")]
    links = link_lesions(equal, rois("TARGET", "tar get"))
    assert pairs(links) == {(2, 100), (9, 101)}
    assert {link.rule for link in links} == {"order"}
    links = link_lesions(equal, rois("TARGET", "tar get", "Tar_Get", "pons"))
    assert [link.status for link in links] == ["ambiguous"] * 5 + ["roi_without_row"]


def test_a_row_without_a_name_is_joined_with_nothing() -> None:
    """Location is not looked at: it names another place, or side, than the outline too often."""
    row = LesionRow(1, "a", "1", "", location="pons")
    assert [link.status for link in link_lesions([row], rois("pons"))] == [
        "row_without_roi",
        "roi_without_row",
    ]


def test_every_lesion_of_the_collection_is_joined_or_listed() -> None:
    """All 244 rows find their own file in the NRRD form; the one file without a row is listed."""
    collection = gamma_knife()
    found: dict[int, str] = {}
    alone: set[str] = set()
    rules: list[str] = []
    for (patient, course), stems in collection.stems.items():
        its_rows = [
            LesionRow(r[0], f"GK_{patient}", str(course), r[8])
            for r in collection.sheets["lesion_level"][1:]
            if (r[1], r[2]) == (patient, course)
        ]
        for link in link_lesions(its_rows, list(enumerate(stems))):
            rules.append(link.rule)
            if link.row is None:
                alone.add(link.name)
            else:
                assert link.status == "matched"
                found[link.row] = link.name
    assert found == collection.truth
    assert len(found) == 244
    assert alone == collection.extra
    assert rules.count("case") == 13
    assert rules.count("date") == 1
    assert rules.count("order") == 0


def test_every_row_finds_its_roi_in_the_structure_sets() -> None:
    """The same 244 rows find the names that clinicians gave, from which files were named."""
    collection = gamma_knife()
    found: dict[int, str] = {}
    for patient, course in collection.stems:
        its_rows = [
            LesionRow(r[0], f"GK_{patient}", str(course), r[8])
            for r in collection.sheets["lesion_level"][1:]
            if (r[1], r[2]) == (patient, course)
        ]
        its_rois = [(row.number, collection.roi_names[row.number]) for row in its_rows]
        for link in link_lesions(its_rows, sorted(its_rois, key=lambda roi: roi[1])):
            assert link.row == link.roi
            assert link.rule in ("exact", "case", "key")
            found[link.row or 0] = link.name
    assert found == collection.roi_names


@pytest.mark.parametrize(
    ("name", "location", "expected"),
    [
        ("GK.132_1_LPost op  Cavity", "", "resection_cavity"),
        ("L_Rt", "Left parietal resection bed", "resection_cavity"),
        ("GK.257_1_L2_Lt_Front_Calv", "Lt Frontal", "calvarial"),
        ("mass", "Skull bone", "calvarial"),
        ("R post optic tract", "", "metastasis"),
        ("R atrium", "Rt Atrium", "metastasis"),
    ],
)
def test_what_was_outlined_follows_from_names(name: str, location: str, expected: str) -> None:
    """Cavities and lesions of the skull are told; everything else is a metastasis."""
    assert target_type(name, location) == expected


def test_rules_of_the_card_replace_the_common_ones() -> None:
    """The first rule of the card that is found decides."""
    rules = (
        TargetRule(pattern="pons", type="other_lesion"),
        TargetRule(pattern="p", type="calvarial"),
    )
    assert target_type("pons", "", rules) == "other_lesion"
    assert target_type("cavity", "", rules) == "metastasis"
