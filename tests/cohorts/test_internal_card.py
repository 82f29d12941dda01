"""The shipped internal card on headers and ROI names as hospitals write them."""

from __future__ import annotations

import pytest
from helpers.refusals import codes_of, require_reason

from cta_data.cohorts import (
    RoiName,
    SeriesHeader,
    assign_roles,
    parse_card,
    select_rois,
    shipped_card_text,
    technique_drawn_on,
)
from cta_data.cohorts.series_roles import Roles
from cta_data.reasons import Reason

CARD = parse_card(shipped_card_text("internal"), "internal", "card.toml")
PRIMARY = "ORIGINAL\\PRIMARY\\M\\ND\\NORM"


def header(description: str = "", **more: str) -> dict[str, str]:
    values = {"Modality": "MR", "ImageType": PRIMARY, "SeriesDescription": description, **more}
    return {key: value for key, value in values.items() if value}


def technique(values: dict[str, str]) -> str | None:
    """What a series alone becomes, whatever else the session lacks."""
    return assign_roles([SeriesHeader("1", values)], CARD.series).roles[0].technique


def beside_mprage(**series: dict[str, str]) -> Roles:
    """Roles in a session with MPRAGE at 10:00 before and 10:10 and 10:20 after contrast."""
    raw = {
        "pre": header("t1_mprage_sag_nativ", AcquisitionTime="100000"),
        "early": header("t1_mprage_sag_KM", AcquisitionTime="101000"),
        "last": header("t1_mprage_sag_KM", AcquisitionTime="102000"),
        "ct": header("Schaedel", Modality="CT"),
        **series,
    }
    named = [SeriesHeader(name, {"StudyDate": "20200102", **one}) for name, one in raw.items()]
    return assign_roles(named, CARD.series)


def space_phase(roles: Roles) -> list[str]:
    return [role.phase for role in roles.images if role.technique == "SPACE"]


MPRAGE = [
    header("t1_mprage_sag_p2_iso"),
    header("T1_MPRAGE_tra_KM"),
    header("t1_mpr_tra_iso"),
    header("T1 MPR sag nativ"),
    header("MP-RAGE"),
    header("t1 mprage post", SequenceName="*tfl3d1_16ns"),
    header("", SequenceName="*tfl3d1_16ns"),
    header("Ax T1 BRAVO +C", ImageType="ORIGINAL\\PRIMARY\\OTHER"),
    header("SAG 3D BRAVO", ImageType="ORIGINAL\\PRIMARY\\OTHER"),
    header("T1W_3D_TFE", ImageType="ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE"),
    header("sT1W 3D TFE KM", ImageType="ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE"),
    header("Stereotaxie", ProtocolName="T1_3D_TFE_SENSE"),
    header("t1_mprage", ImageType="DERIVED\\PRIMARY\\M\\DIS3D"),
]
SPACE = [
    header("t1_space_sag_p2_iso"),
    header("T1 SPACE KM"),
    header("t1_spc_tra_0.9mm"),
    header("", SequenceName="*spc_282ns"),
    header("Sag CUBE T1 +C", ImageType="ORIGINAL\\PRIMARY\\OTHER"),
    header("T1W_VISTA_KM", ImageType="ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
    header("3D_Brain_VIEW_T1", ImageType="ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
]
NOTHING = [
    header("localizer", ImageType="ORIGINAL\\PRIMARY\\M\\ND\\LOCALIZER"),
    header("AAHead_Scout"),
    header("t1_mprage localizer", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER"),
    header("Survey_TFE", ImageType="ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE"),
    header("t1_mprage_MPR_cor", ImageType="DERIVED\\SECONDARY\\MPR\\CSA MPR\\\\CSAPARALLEL"),
    header("t1_space_MPR_tra", ImageType="DERIVED\\SECONDARY\\MPR\\CSA MPR\\\\CSAPARALLEL"),
    header("Ax BRAVO reformat", ImageType="DERIVED\\SECONDARY\\REFORMATTED\\AVERAGE"),
    header("t1_mprage MIP", ImageType="DERIVED\\PRIMARY\\PROJECTION IMAGE"),
    header("t1_mprage_SUB", ImageType="DERIVED\\PRIMARY\\M\\ND\\NORM\\SUB"),
    header("t2_space_sag"),
    header("t2_space_dark-fluid_sag_FLAIR"),
    header("FLAIR_3D", SequenceName="*spcir_284ns"),
    header("Sag CUBE T2 FLAIR", ImageType="ORIGINAL\\PRIMARY\\OTHER"),
    header("3D_FLAIR_VISTA", ImageType="ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
    header("t1_mp2rage_INV1", SequenceName="*tfl3d1_16ns"),
    header("ep2d_diff_tra"),
    header("t2_tse_tra"),
    header("Topogramm", Modality="CT", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER\\CT_SOM5 TOP"),
    header("Patient Protocol", Modality="CT", ImageType="DERIVED\\SECONDARY\\OTHER\\CT_SOM5 PROT"),
    header("MPR cor", Modality="CT", ImageType="DERIVED\\SECONDARY\\MPR"),
    header("t1_mprage", Modality="PT"),
]


def name_of(values: dict[str, str]) -> str:
    return values.get("SeriesDescription") or values["SequenceName"]


@pytest.mark.parametrize("values", MPRAGE, ids=name_of)
def test_mprage_and_its_kin_are_recognised(values: dict[str, str]) -> None:
    """Siemens MPRAGE, GE BRAVO and Philips 3D TFE, by any of the names in use."""
    assert technique(values) == "MPRAGE"


@pytest.mark.parametrize("values", SPACE, ids=name_of)
def test_space_and_its_kin_are_recognised(values: dict[str, str]) -> None:
    """Siemens SPACE, GE CUBE and Philips VISTA with T1 contrast, after MPRAGE with contrast."""
    roles = beside_mprage(space=values | {"AcquisitionTime": "103000"})
    assert roles.problems == () and space_phase(roles) == ["late"]


@pytest.mark.parametrize(
    ("values", "by"),
    [
        (header("space_sag", EchoTime="380", RepetitionTime="700"), "EchoTime 380"),
        (header("space_sag", EchoTime="12", RepetitionTime="3200"), "RepetitionTime 3200"),
        (header("space_sag_t2"), "SeriesDescription"),
    ],
)
def test_space_of_another_contrast_is_left_out_and_told(values: dict[str, str], by: str) -> None:
    """T2 by echo or repetition time or by name: no image, and the session says which and why."""
    late = values | {"AcquisitionTime": "103000", "ContrastBolusAgent": "Gadovist"}
    roles = beside_mprage(space=late)
    [role] = [role for role in roles.roles if role.identifier == "space"]
    assert role.technique is None
    require_reason(role.reason, "series_left_out", technique="SPACE", by=(by,))
    [problem] = roles.problems
    require_reason(problem, "technique_missing", named="SPACE", why=str(role.reason))
    other = header("t1_space_KM", AcquisitionTime="103500", EchoTime="12", RepetitionTime="700")
    both = beside_mprage(space=late, other=other)
    assert both.problems == () and space_phase(both) == ["late"]


def test_space_before_contrast_is_never_late() -> None:
    """By its name, or by its time before MPRAGE without contrast; alone it refuses the session."""
    native = header("t1_space_sag_nativ", AcquisitionTime="095500")
    unmarked = header("t1_space_sag", AcquisitionTime="095500")
    late = header("t1_space_sag_KM", AcquisitionTime="103000")
    for one in (native, unmarked):
        alone = beside_mprage(space=one)
        [problem] = alone.problems
        require_reason(problem, "post_contrast_series_missing", technique="SPACE")
        both = beside_mprage(space=one, late=late)
        assert both.problems == () and space_phase(both) == ["none", "late"]


@pytest.mark.parametrize(
    "values",
    [
        header("t1_space_sag"),
        header("t1_space_sag", AcquisitionTime="100500"),
        header("t1_space_sag", AcquisitionTime="103000", AcquisitionDate="20200103"),
        header("t1_space_sag_nativ", AcquisitionTime="103000"),
        header("t1_space_sag_KM", AcquisitionTime="095500"),
    ],
)
def test_where_name_and_time_leave_contrast_open_space_is_refused(values: dict[str, str]) -> None:
    """No time, a time between the phases, another day, or a name that the time contradicts."""
    roles = beside_mprage(space=values)
    assert space_phase(roles) == [] and len(roles.problems) == 1


@pytest.mark.parametrize("values", NOTHING, ids=name_of)
def test_other_series_become_nothing(values: dict[str, str]) -> None:
    """Localizers, reformats, projections, subtractions and other contrasts are left out."""
    assert technique(values) is None


def test_the_planning_ct_is_recognised() -> None:
    """Any CT that is not a topogram."""
    assert (
        technique(header("Schaedel", Modality="CT", ImageType="ORIGINAL\\PRIMARY\\AXIAL")) == "CT"
    )


AFTER = [
    header("t1_mprage_sag_KM"),
    header("t1_mprage_nach KM"),
    header("T1 MPRAGE post Gd"),
    header("mprage_postcontrast"),
    header("MPRAGE Gadovist"),
    header("mprage_ce"),
    header("Ax T1 BRAVO +C"),
    header("BRAVO C+"),
    header("t1_mprage", ContrastBolusAgent="Gadovist"),
    header("t1_mprage", ContrastBolusAgent="7.5 ml Gadobutrol"),
    header("t1_mprage", ContrastBolusAgent="0.1 mmol/kg"),
    header("t1_mprage", ContrastBolusAgent="Yes"),
]
BEFORE = [
    header("t1_mprage_sag"),
    header("t1_mprage_nativ"),
    header("t1_mprage_nativ", ContrastBolusAgent="Gadovist"),
    header("MPRAGE vor KM"),
    header("MPRAGE ohne KM"),
    header("mprage pre"),
    header("mprage_pre_gd"),
    header("MPRAGE precontrast"),
    header("MPRAGE without contrast"),
    header("MPRAGE w/o contrast"),
    header("MPRAGE non-contrast"),
    header("t1_mprage", ContrastBolusAgent="None"),
    header("t1_mprage", ContrastBolusAgent="NO"),
    header("t1_mprage", ContrastBolusAgent="No contrast"),
    header("t1_mprage", ContrastBolusAgent="n/a"),
    header("t1_mprage", ContrastBolusAgent="keines"),
    *(
        header("t1_mprage", ContrastBolusAgent=text)
        for text in ("0 ml", "0", "-", "--", ".", "0,0 ml", "0ml Gadovist", "keine Gabe", "N.A.")
    ),
    *(header("t1_mprage", ContrastBolusAgent=text) for text in ("not given", "W/O", "?", "sans")),
    header("BRAVO IR-Prep posterior fossa"),
]


@pytest.mark.parametrize(
    ("values", "phase"),
    [(values, "late") for values in AFTER] + [(values, "none") for values in BEFORE],
)
def test_contrast_is_told_from_agent_and_description(values: dict[str, str], phase: str) -> None:
    """English and German, agents and words that deny one."""
    roles = assign_roles([SeriesHeader("1", values)], CARD.series).roles
    assert [(role.technique, role.phase) for role in roles] == [("MPRAGE", phase)]


def test_a_whole_session_of_the_trial() -> None:
    """MPRAGE before, early and late, SPACE, CT; scouts, FLAIR and reformats beside them."""
    raw = [
        ("scout", header("AAHead_Scout", AcquisitionTime="095500")),
        ("pre", header("t1_mprage_sag_nativ", AcquisitionTime="100000")),
        ("early", header("t1_mprage_sag_KM", AcquisitionTime="101000")),
        ("flair", header("t2_space_dark-fluid", AcquisitionTime="101500")),
        ("late", header("t1_mprage_sag_KM", AcquisitionTime="102000")),
        ("mpr", header("t1_mprage_sag_KM", ImageType="DERIVED\\SECONDARY\\MPR")),
        ("space", header("t1_space_sag_KM", AcquisitionTime="103000")),
        ("ct", header("Schaedel", Modality="CT", AcquisitionTime="140000")),
    ]
    roles = assign_roles([SeriesHeader(name, values) for name, values in raw], CARD.series)
    assert roles.problems == ()
    assert {role.identifier: (role.technique, role.phase) for role in roles.images} == {
        "pre": ("MPRAGE", "none"),
        "early": ("MPRAGE", "early"),
        "late": ("MPRAGE", "late"),
        "space": ("SPACE", "late"),
        "ct": ("CT", "none"),
    }


def decide(*names: str, contours: int = 5) -> dict[str, tuple[bool, Reason | None]]:
    rois = [RoiName(number, name, "", contours) for number, name in enumerate(names)]
    decisions = select_rois(rois, CARD.annotations).decisions
    return {d.roi.name: (d.selected, d.rejected) for d in decisions}


@pytest.mark.parametrize(
    "name",
    ["GTV", "GTV 1", "gtv3", "GTV_2 front li", "GTV-1", "GTV1", "GTV.4", "Gtv_A", " GTV 12 "],
)
def test_gtvs_are_lesions(name: str) -> None:
    """Every spelling of a gross tumour volume is taken."""
    assert decide(name)[name][0]


@pytest.mark.parametrize(
    "name", ["CTV", "CTV 1", "ctv_1", "PTV1", "PTV_2 front li", "PTV-1 2mm", "ITV"]
)
def test_margins_are_no_lesions(name: str) -> None:
    """Volumes with a margin are known and not taken."""
    selected, reason = decide(name)[name]
    assert not selected and "margin" in str(reason) and "no_lesion_by_card" in codes_of(reason)


@pytest.mark.parametrize(
    "name",
    [
        *("Brain", "Hirnstamm", "Brainstem", "Chiasma", "Optic_Nerve_L", "N. opticus re"),
        *("Auge links", "Eye_R", "Linse li", "Lens_L", "Cochlea R", "Hippocampus_L", "SpinalCord"),
        *("Hypophyse", "Skin", "External", "BODY", "Tisch", "Ring 5mm", "Oral Cavity", "Maske"),
    ],
)
def test_organs_and_aids_are_no_lesions(name: str) -> None:
    """Organs at risk and planning aids, English and German, are known and not taken."""
    selected, reason = decide(name)[name]
    assert not selected and "organ or a planning aid" in reason.values["text"]


@pytest.mark.parametrize(
    "name",
    [
        *("Met 1", "temporal links", "frontal re", "R parietal 1", "Target", "ROI_1", "Struct7"),
        *("Metastase Hirnstamm", "brain met 2", "Lesion cerebellum", "2_GTV", "GTV?", "", "***"),
    ],
)
def test_a_name_that_could_be_a_lesion_is_refused_by_name(name: str) -> None:
    """Nothing is dropped in silence: unknown names stop the subject, and the message names them."""
    problems = select_rois([RoiName(1, name, "", 5)], CARD.annotations).problems
    assert len(problems) == 1
    assert problems[0].code == "roi_of_unknown_meaning" and repr(name) in problems[0].values["roi"]


def test_a_margin_without_its_lesion_is_noted() -> None:
    """A PTV whose GTV is missing is reported, with the subject still used."""
    rois = [RoiName(n, name, "", 5) for n, name in enumerate(["GTV 1", "PTV 1", "PTV_2 front li"])]
    result = select_rois(rois, CARD.annotations)
    assert result.problems == ()
    rejected = [decision.rejected for decision in result.decisions]
    missing = [bool(one) and "roi_lesion_volume_missing" in codes_of(one) for one in rejected]
    assert missing == [False, False, True]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("SPACE T1", "SPACE"),
        ("t1_spc_sag", "SPACE"),
        ("CUBE", "SPACE"),
        ("MPRAGE", "MPRAGE"),
        ("t1_mpr_tra_iso", "MPRAGE"),
        ("BRAVO +C", "MPRAGE"),
        ("Plan 1", None),
    ],
)
def test_the_technique_drawn_on(label: str, expected: str | None) -> None:
    """The structure set's label names the technique, or nothing does."""
    found, _ = technique_drawn_on(CARD.annotations, {"StructureSetLabel": label}, None)
    assert found == expected
