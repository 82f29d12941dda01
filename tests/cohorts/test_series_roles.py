"""Series to roles: by header and acquisition time, in any order, and never by a guess."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.cohorts import SeriesHeader, assign_roles
from cta_data.cohorts.acquisition_times import acquisition_time
from cta_data.cohorts.card import PhaseSection, SeriesRule
from cta_data.cohorts.series_roles import Roles

PHASES = PhaseSection(
    contrast=({"Agent": "."},),
    no_contrast=({"Description": "nativ"},),
)
MPRAGE = SeriesRule(technique="MPRAGE", where={"Sequence": "mpr"}, phases=PHASES)
SPACE = SeriesRule(
    technique="SPACE", where={"Sequence": "spc"}, unless={"Type": "LOC"}, phase="late"
)
RULES = (SPACE, MPRAGE)


def series(name: str, sequence: str = "mpr", time: str = "", **more: str) -> SeriesHeader:
    header = {"Sequence": sequence, "AcquisitionDate": "20200102", "AcquisitionTime": time, **more}
    return SeriesHeader(name, {key: value for key, value in header.items() if value})


SESSION = (
    series("pre", time="100000"),
    series("early", time="101000", Agent="Gadovist"),
    series("late", time="102000", Agent="Gadovist"),
    series("space", "spc", time="101500", Agent="Gadovist"),
    series("localizer", "spc", time="095900", Type="LOC"),
)


def named(roles: Roles) -> dict[str, tuple[str, str]]:
    return {role.identifier: (role.technique or "", role.phase) for role in roles.roles}


@given(st.permutations(SESSION))
def test_the_order_of_the_series_does_not_matter(order: list[SeriesHeader]) -> None:
    """Phases follow acquisition time: none, early, late; the localizer becomes nothing."""
    roles = assign_roles(order, RULES)
    assert roles.problems == ()
    assert named(roles) == {
        "pre": ("MPRAGE", "none"),
        "early": ("MPRAGE", "early"),
        "late": ("MPRAGE", "late"),
        "space": ("SPACE", "late"),
        "localizer": ("", ""),
    }
    assert {role.identifier for role in roles.images} == {"pre", "early", "late", "space"}


HEADERS = st.builds(
    series,
    st.uuids().map(str),
    st.sampled_from(["mpr", "spc", "other"]),
    st.sampled_from(["", "100000", "101000", "102000", "103000"]),
    Agent=st.sampled_from(["", "Gadovist"]),
    Description=st.sampled_from(["", "nativ"]),
    Type=st.sampled_from(["", "LOC"]),
)


@settings(max_examples=300)
@given(st.data(), st.lists(HEADERS, max_size=6), st.sampled_from(["refuse", "first", "last"]))
def test_every_series_has_one_role_or_there_is_a_problem(
    data: st.DataObject, session: list[SeriesHeader], several: str
) -> None:
    """No series has two roles; none is without one unless the session has a problem.

    No technique and phase is given twice, and none of this depends on the order of the input.
    """
    rules = tuple(rule.model_copy(update={"several": several}) for rule in RULES)
    roles = assign_roles(session, rules)
    identifiers = [role.identifier for role in roles.roles]
    assert len(set(identifiers)) == len(identifiers)
    assert set(identifiers) <= {one.identifier for one in session}
    if not roles.problems:
        assert len(identifiers) == len(session)
    images = [(role.technique, role.phase) for role in roles.images]
    assert len(set(images)) == len(images)
    assert assign_roles(data.draw(st.permutations(session)), rules) == roles


@settings(max_examples=200)
@given(st.lists(HEADERS, max_size=6))
def test_phases_never_contradict_time(session: list[SeriesHeader]) -> None:
    """Where a session is accepted, its MPRAGE phases lie in the order none, early, late."""
    roles = assign_roles(session, RULES)
    if roles.problems:
        return
    header = {one.identifier: one.header for one in session}
    times = {
        role.phase: acquisition_time(header[role.identifier])
        for role in roles.images
        if role.technique == "MPRAGE"
    }
    known = [times[p] for p in ("none", "early", "late") if times.get(p, "20200102") != "20200102"]
    assert known == sorted(known)
    if "early" in times:
        assert times["early"] < times["late"]


def problems_of(*session: SeriesHeader, rules: tuple[SeriesRule, ...] = (MPRAGE,)) -> str:
    return "; ".join(map(str, assign_roles(list(session), rules).problems))


def test_one_series_after_contrast_has_the_name_for_one() -> None:
    """With one series after contrast the card says which phase it is."""
    session = [series("a", time="100000"), series("b", time="101000", Agent="x")]
    roles = assign_roles(session, (MPRAGE,))
    assert named(roles) == {"a": ("MPRAGE", "none"), "b": ("MPRAGE", "late")}
    early = MPRAGE.model_copy(update={"phases": PHASES.model_copy(update={"single_post": "early"})})
    assert named(assign_roles(session, (early,)))["b"] == ("MPRAGE", "early")


def test_three_series_without_contrast_information_go_by_time() -> None:
    """Exactly as many as the card names phases: the first is before contrast."""
    session = [series("c", time="102000"), series("a", time="100000"), series("b", time="101000")]
    expected = {"a": ("MPRAGE", "none"), "b": ("MPRAGE", "early"), "c": ("MPRAGE", "late")}
    assert named(assign_roles(session, (MPRAGE,))) == expected


def test_time_is_no_guess_against_what_the_headers_say() -> None:
    """Without times, or where a later series is said to be native, order alone decides nothing."""
    assert "3 series of MPRAGE (none)" in problems_of(series("a"), series("b"), series("c"))
    said_native = [
        series("a", time="100000"),
        series("b", time="101000", Description="nativ"),
        series("c", time="102000"),
    ]
    assert "3 series of MPRAGE (none)" in problems_of(*said_native)
    first_native = [series("a", time="100000", Description="nativ"), *said_native[2:]]
    first_native.append(series("b", time="101000"))
    assert problems_of(*first_native) == ""


def test_native_wins_over_contrast() -> None:
    """A pump that was already filled leaves its agent in the header of the native series."""
    session = [
        series("a", time="100000", Agent="x", Description="nativ"),
        series("b", time="101000", Agent="x"),
    ]
    assert named(assign_roles(session, (MPRAGE,)))["a"] == ("MPRAGE", "none")


@pytest.mark.parametrize(
    ("session", "said"),
    [
        ([series(c, time=f"10{c}000", Agent="x") for c in "123"], "3 series of MPRAGE after"),
        ([series(c, time=f"10{c}000") for c in "12"], "2 series of MPRAGE (none)"),
        ([series(c, time="100000", Agent="x") for c in "12"], "do not give the order"),
        ([series(c, Agent="x") for c in "12"], "do not give the order"),
        (
            [series("a", time="100000", Agent="x"), series("b", time="101000")],
            "acquired after one with contrast",
        ),
        ([], "no series of MPRAGE was found"),
        ([series("a", "spc")], "no series of MPRAGE was found"),
    ],
)
def test_what_is_ambiguous_or_missing_is_a_problem(session: list[SeriesHeader], said: str) -> None:
    """Too many, too few, no times, or times that contradict contrast: said, and never resolved."""
    assert said in problems_of(*session)


def test_fewer_series_than_phases_leave_open_which_is_missing() -> None:
    """Two series for three phases after contrast are ambiguous."""
    phases = PHASES.model_copy(update={"post": ("early", "mid", "late")})
    rule = MPRAGE.model_copy(update={"phases": phases})
    session = [series(c, time=f"10{c}000", Agent="x") for c in "12"]
    assert "3 phases" in problems_of(*session, rules=(rule,))


def test_an_optional_technique_may_be_missing() -> None:
    """`required = false` accepts a session without the technique."""
    assert problems_of(rules=(MPRAGE.model_copy(update={"required": False}),)) == ""


@pytest.mark.parametrize(
    ("several", "taken"),
    [("first", {"1": "early", "2": "late"}), ("last", {"1": "early", "4": "late"})],
)
def test_several_first_or_last(several: str, taken: dict[str, str]) -> None:
    """The card may take the first, or the last, of too many; the others become nothing."""
    rule = MPRAGE.model_copy(update={"several": several})
    roles = assign_roles([series(c, time=f"10{c}000", Agent="x") for c in "3142"], (rule,))
    assert roles.problems == ()
    assert {role.identifier: role.phase for role in roles.images} == taken
    assert len(roles.roles) == 4
    fixed = SPACE.model_copy(update={"several": several})
    roles = assign_roles([series(c, "spc", time=f"10{c}000") for c in "213"], (fixed,))
    assert [role.identifier for role in roles.images] == ["1" if several == "first" else "3"]


def test_two_rules_may_name_phases_of_one_technique() -> None:
    """Rules of their own for native and contrast series each take their own series."""
    native = SeriesRule(technique="T1", where={"Description": "nativ"}, phase="none")
    contrast = SeriesRule(technique="T1", where={"Agent": "."}, phase="late", suffix="T2w")
    session = [series("a", Description="nativ"), series("b", Agent="x")]
    roles = assign_roles(session, (native, contrast))
    assert roles.problems == ()
    assert named(roles) == {"a": ("T1", "none"), "b": ("T1", "late")}
    assert {role.identifier: role.suffix for role in roles.images} == {"a": "T1w", "b": "T2w"}
    assert "no series of T1 (late)" in problems_of(session[0], rules=(native, contrast))


def test_two_rules_may_be_alternatives_but_not_both() -> None:
    """One technique and phase by two rules: one of them is enough, two series are a problem."""
    siemens = SeriesRule(technique="SPACE", where={"Sequence": "spc"}, phase="late")
    philips = SeriesRule(technique="SPACE", where={"Description": "VISTA"}, phase="late")
    one, other = series("a", "spc"), series("b", "other", Description="VISTA")
    assert problems_of(one, rules=(siemens, philips)) == ""
    assert problems_of(other, rules=(siemens, philips)) == ""
    assert "match different rules" in problems_of(one, other, rules=(siemens, philips))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"AcquisitionDateTime": "20200102101112.5", "AcquisitionDate": "1"}, "20200102101112.5"),
        ({"AcquisitionDate": "20200102", "AcquisitionTime": "1011"}, "202001021011"),
        ({"SeriesDate": "20200102", "AcquisitionTime": "1011"}, "202001021011"),
        ({"StudyDate": "20200102", "ContentTime": "1012", "StudyTime": "09"}, "202001021012"),
        ({}, ""),
    ],
)
def test_acquisition_time(header: dict[str, str], expected: str) -> None:
    """The time nearest to the acquisition is taken; the date counts, so midnight is no trap."""
    assert acquisition_time(header) == expected


@pytest.mark.parametrize("several", ["first", "last"])
@pytest.mark.parametrize("times", [("100000", "100000"), ("", "")])
def test_equal_times_tell_no_first_and_no_last(several: str, times: tuple[str, str]) -> None:
    """The identifier of a series decides nothing."""
    rule = SPACE.model_copy(update={"several": several})
    both = [series(name, "spc", time=time) for name, time in zip("12", times, strict=True)]
    roles = assign_roles(both, (rule,))
    assert roles.problems and not roles.images


def after_midnight(**more: str) -> list[SeriesHeader]:
    """Two series after contrast, 23:55 and 00:05, whose AcquisitionDate is not there."""
    told = {"AcquisitionDate": "", "SeriesDate": "20200101", "Agent": "Gadovist", **more}
    return [series("2min", time="235500", **told), series("10min", time="000500", **told)]


def test_a_day_that_may_have_changed_is_no_order() -> None:
    """23:55 and 00:05 without dates of their own are refused, and the date is named."""
    [problem] = assign_roles(after_midnight(), (MPRAGE,)).problems
    assert "AcquisitionDate" in str(problem)
    dated = after_midnight()
    dates = ("20200101", "20200102")
    dated = [
        SeriesHeader(one.identifier, {**one.header, "AcquisitionDate": date})
        for one, date in zip(dated, dates, strict=True)
    ]
    roles = assign_roles(dated, (MPRAGE,))
    assert named(roles) == {"2min": ("MPRAGE", "early"), "10min": ("MPRAGE", "late")}
    # By day the date of the series will do: no clock shows that another day began.
    by_day = [series(n, time=t, AcquisitionDate="", SeriesDate="20200101", Agent="Gadovist")
              for n, t in (("2min", "100000"), ("10min", "100800"))]  # fmt: skip
    assert named(assign_roles(by_day, (MPRAGE,))) == named(roles)


@pytest.mark.parametrize(
    ("zones", "order"),
    [(("+0000", "-0500"), ("2", "1")), (("", ""), ("1", "2")), (("+0000", ""), ())],
)
def test_phases_are_in_order_in_any_time_zone(
    zones: tuple[str, str], order: tuple[str, ...]
) -> None:
    """10:20 in London comes after 05:10 in New York; a zone that one alone names is no order."""
    times = ("102000", "051000") if zones[1] else ("102000", "103000")
    both = [
        series(name, time=time, Agent="Gadovist", TimezoneOffsetFromUTC=zone)
        for name, time, zone in zip("12", times, zones, strict=True)
    ]
    roles = assign_roles(both, (MPRAGE,))
    found = {role.phase: role.identifier for role in roles.images}
    assert bool(roles.problems) is not bool(order)
    assert not order or (found["early"], found["late"]) == order


@pytest.mark.parametrize("text", ["0 ml", "-", "keine", "NONE\\0"])
def test_a_text_that_denies_an_agent_is_none(text: str) -> None:
    """The first of two series is native, whatever the rule's own pattern."""
    agent = PhaseSection(contrast=({"ContrastBolusAgent": r"\S"},))
    rule = SeriesRule(technique="MPRAGE", where={"Sequence": "mpr"}, phases=agent)
    both = [
        series("1", time="100000", ContrastBolusAgent=text),
        series("2", time="101000", ContrastBolusAgent="Gadovist 7.5 ml"),
    ]
    roles = assign_roles(both, (rule,))
    assert roles.problems == ()
    assert named(roles) == {"1": ("MPRAGE", "none"), "2": ("MPRAGE", "late")}
    [late] = [role for role in roles.images if role.phase == "late"]
    assert "Gadovist 7.5 ml" in late.reason.values["agents"]


def test_what_was_taken_for_an_agent_is_named_and_no_name_is() -> None:
    """A contradiction tells the text that made it, where that is no free text."""
    agent = PhaseSection(contrast=({"ContrastBolusAgent": "."},))
    rule = SeriesRule(technique="MPRAGE", where={"Sequence": "mpr"}, phases=agent)
    for text, shown in (("Dotarem", True), ("Frida Kahlo", False)):
        both = [series("1", time="100000", ContrastBolusAgent=text), series("2", time="101000")]
        [problem] = assign_roles(both, (rule,)).problems
        assert (text in str(problem)) is shown and "ContrastBolusAgent" in str(problem)
