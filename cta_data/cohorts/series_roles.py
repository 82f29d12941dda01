"""Which series of a session is which image, by the rules of the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cta_data.cohorts.acquisition_times import (
    acquisition_time,
    in_one_zone,
    why_uncertain,
    zone_named,
)
from cta_data.cohorts.card import SeriesRule
from cta_data.cohorts.conditions import holds, meeting
from cta_data.cohorts.contrast_phases import (
    Role,
    SeriesHeader,
    injection,
    phase_roles,
)
from cta_data.reasons import Reason

LEFT_OUT = "series_left_out"
"""Code of series that are no image of a technique that they seem to be of."""


@dataclass(frozen=True)
class Roles:
    """Roles of all series of a session, and what keeps the session from being used."""

    roles: tuple[Role, ...]
    problems: tuple[Reason, ...]

    @property
    def images(self) -> list[Role]:
        """The series that become images."""
        return [role for role in self.roles if role.technique]


def assign_roles(series: list[SeriesHeader], rules: tuple[SeriesRule, ...]) -> Roles:
    """Give every series of one session its role.

    The first rule whose conditions hold takes a series. Phases follow from the acquisition time
    where the rule says so. What is ambiguous is a problem, never a guess; the series that it
    concerns get no role.
    """
    zone = zone_named(one.header for one in series)
    series = [replace(one, header=in_one_zone(one.header, zone)) for one in series]
    taken: list[list[SeriesHeader]] = [[] for _ in rules]
    roles: list[Role] = []
    for one in sorted(series, key=lambda s: (acquisition_time(s.header), s.identifier)):
        number = next((n for n, r in enumerate(rules) if _matches(r, one.header)), None)
        if number is None:
            roles.append(Role(one.identifier, None, "", why_not(rules, one.header)))
        else:
            taken[number].append(one)
    problems = _uncertain_times(rules, taken)
    if problems:
        return Roles(tuple(roles), tuple(problems))
    unclear: set[str] = set()
    times = {one.identifier: acquisition_time(one.header) for one in series}
    # Techniques that are timed by another come after it.
    for rule, mine in sorted(zip(rules, taken, strict=True), key=_is_timed):
        found, wrong = phase_roles(rule, mine, injection(rule, roles, times))
        roles += [replace(role, suffix=rule.suffix) for role in found]
        problems += wrong
        unclear |= {rule.technique} if wrong else set()
    problems += _taken_twice(roles)
    problems += _missing([rule for rule in rules if rule.technique not in unclear], roles)
    return Roles(tuple(roles), tuple(problems))


def _uncertain_times(
    rules: tuple[SeriesRule, ...], taken: list[list[SeriesHeader]]
) -> list[Reason]:
    """Name the techniques whose phases follow from times that do not tell an order."""
    problems: list[Reason] = []
    for rule, mine in zip(rules, taken, strict=True):
        if rule.phases is None and len(mine) < 2:
            continue
        timer = rule.phases.timed_by if rule.phases else ""
        compared = [rule.technique, *([timer] if timer else [])]
        headers = [
            one.header
            for other, series in zip(rules, taken, strict=True)
            if other.technique in compared
            for one in series
        ]
        why = why_uncertain(headers) if mine else ""
        if why:
            named = " and ".join(compared)
            problems.append(Reason("acquisition_times_uncertain", techniques=named, why=why))
    return problems


def _taken_twice(roles: list[Role]) -> list[Reason]:
    """Several rules may lead to one technique, but not to the same phase of it."""
    counts = Counter((role.technique, role.phase) for role in roles if role.technique)
    return [
        Reason("series_of_several_rules", n=n, technique=technique, phase=phase)
        for (technique, phase), n in counts.items()
        if n > 1
    ]


def _missing(rules: list[SeriesRule], roles: list[Role]) -> list[Reason]:
    """Name what is required and not there; rules of one technique and phase are alternatives."""
    found = {(role.technique, role.phase) for role in roles}
    wanted = dict.fromkeys((r.technique, _fixed_phase(r)) for r in rules if r.required)
    several = Counter(technique for technique, _ in wanted)
    problems: list[Reason] = []
    for technique, phase in wanted:
        if not any(t == technique and phase in (None, p) for t, p in found):
            named = f"{technique}{f' ({phase})' if several[technique] > 1 else ''}"
            out = [role.reason for role in roles if is_left_out(role, technique)]
            why = "; ".join(dict.fromkeys(map(str, out)))
            problems.append(Reason("technique_missing", named=named, why=why))
    for rule in rules:
        phases = {phase for technique, phase in found if technique == rule.technique}
        if rule.phases and rule.phases.post_required and phases == {"none"}:
            problems.append(Reason("post_contrast_series_missing", technique=rule.technique))
    return problems


def is_left_out(role: Role, technique: str = "") -> bool:
    """Return whether a series was left out of a technique, of any where none is named."""
    named = technique or role.reason.values.get("technique")
    return role.reason.code == LEFT_OUT and role.reason.values["technique"] == named


def why_not(rules: tuple[SeriesRule, ...], header: Mapping[str, str]) -> Reason:
    """Return why no rule takes a series; free text of its header is not repeated."""
    for rule in rules:
        if holds(rule.where, header):
            by = [
                name if isinstance(wanted, str) else f"{name} {header[name]}"
                for names, wanted in rule.unless.items()
                for name in meeting(names, wanted, header)
            ]
            by = list(dict.fromkeys(by))
            return Reason("series_left_out", technique=rule.technique, by=by)
    return Reason("series_matches_no_rule")


def takes(rules: tuple[SeriesRule, ...], header: Mapping[str, str]) -> bool:
    """Return whether any rule takes a series of this header."""
    return any(_matches(rule, header) for rule in rules)


def asked_values(rules: tuple[SeriesRule, ...], header: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a header that the rules look at."""
    phases = [rule.phases for rule in rules if rule.phases]
    conditions = [part for rule in rules for part in (rule.where, rule.unless)]
    conditions += [part for section in phases for part in (*section.contrast, *section.no_contrast)]
    names = dict.fromkeys(n for part in conditions for names in part for n in names.split("|"))
    return {name: header[name] for name in names if header.get(name)}


def _is_timed(entry: tuple[SeriesRule, list[SeriesHeader]]) -> bool:
    return bool(entry[0].phases and entry[0].phases.timed_by)


def _fixed_phase(rule: SeriesRule) -> str | None:
    return None if rule.phases else rule.phase or "none"


def _matches(rule: SeriesRule, header: Mapping[str, str]) -> bool:
    excluded = any(holds({name: wanted}, header) for name, wanted in rule.unless.items())
    return holds(rule.where, header) and not excluded
