"""Which series of a session is which image, by the rules of the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cta_data.cohorts.card import PhaseSection, SeriesRule
from cta_data.cohorts.conditions import holds


@dataclass(frozen=True)
class SeriesHeader:
    """One series: an identifier of the caller's and the header of its first instance."""

    identifier: str
    header: Mapping[str, str]


@dataclass(frozen=True)
class Role:
    """What a series becomes, and why; `technique` is None when it becomes nothing."""

    identifier: str
    technique: str | None
    phase: str
    reason: str
    suffix: str = "T1w"


@dataclass(frozen=True)
class Roles:
    """Roles of all series of a session, and what keeps the session from being used."""

    roles: tuple[Role, ...]
    problems: tuple[str, ...]

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
    taken: list[list[SeriesHeader]] = [[] for _ in rules]
    roles: list[Role] = []
    for one in sorted(series, key=lambda s: (acquisition_time(s.header), s.identifier)):
        number = next((n for n, r in enumerate(rules) if _matches(r, one.header)), None)
        if number is None:
            roles.append(Role(one.identifier, None, "", "no rule of the card matches its header"))
        else:
            taken[number].append(one)
    problems: list[str] = []
    unclear: set[str] = set()
    for rule, mine in zip(rules, taken, strict=True):
        found, wrong = _phases(rule, mine)
        roles += [replace(role, suffix=rule.suffix) for role in found]
        problems += wrong
        unclear |= {rule.technique} if wrong else set()
    problems += _taken_twice(roles)
    problems += _missing([rule for rule in rules if rule.technique not in unclear], roles)
    return Roles(tuple(roles), tuple(problems))


def _taken_twice(roles: list[Role]) -> list[str]:
    """Several rules may lead to one technique, but not to the same phase of it."""
    counts = Counter((role.technique, role.phase) for role in roles if role.technique)
    return [
        f"{n} series of {technique} ({phase}) by different rules of the card"
        for (technique, phase), n in counts.items()
        if n > 1
    ]


def _missing(rules: list[SeriesRule], roles: list[Role]) -> list[str]:
    """Name what is required and not there; rules of one technique and phase are alternatives."""
    found = {(role.technique, role.phase) for role in roles}
    wanted = dict.fromkeys((r.technique, _fixed_phase(r)) for r in rules if r.required)
    several = Counter(technique for technique, _ in wanted)
    return [
        f"no series of {technique}{f' ({phase})' if several[technique] > 1 else ''} was found"
        for technique, phase in wanted
        if not any(t == technique and phase in (None, p) for t, p in found)
    ]


def _fixed_phase(rule: SeriesRule) -> str | None:
    return None if rule.phases else rule.phase or "none"


def acquisition_time(header: Mapping[str, str]) -> str:
    """Return a text that sorts series by when they were acquired, as far as the header tells."""
    joined = header.get("AcquisitionDateTime", "")
    if joined:
        return joined
    dates = ("AcquisitionDate", "SeriesDate", "ContentDate", "StudyDate")
    times = ("AcquisitionTime", "SeriesTime", "ContentTime", "StudyTime")
    date = next((header[d] for d in dates if header.get(d)), "")
    return date + next((header[t] for t in times if header.get(t)), "")


def _matches(rule: SeriesRule, header: Mapping[str, str]) -> bool:
    excluded = any(holds({name: wanted}, header) for name, wanted in rule.unless.items())
    return holds(rule.where, header) and not excluded


def _phases(rule: SeriesRule, series: list[SeriesHeader]) -> tuple[list[Role], list[str]]:
    """Name the phase of each series of one technique; `series` is in order of time."""
    if rule.phases is None:
        return _one_of(rule, rule.phase or "none", series, "matches the card's rule")
    before, after = _split_by_contrast(rule.phases, series)
    contradiction = _contradiction(rule, before, after)
    if contradiction:
        return [], [contradiction]
    roles, problems = _one_of(rule, "none", before, "acquired before contrast")
    names = rule.phases.post if len(after) > 1 else (rule.phases.single_post,)
    if len(after) > len(names) and rule.several == "refuse":
        return roles, [
            *problems,
            f"{len(after)} series of {rule.technique} after contrast, but the card names "
            f"{len(names)} phases ({', '.join(names)})",
        ]
    surplus = after[len(names) - 1 : -1] if rule.several == "last" else after[len(names) :]
    chosen = [one for one in after if one not in surplus]
    for name, one in zip(names, chosen, strict=False):
        reason = f"{name} after contrast, by acquisition time"
        roles.append(Role(one.identifier, rule.technique, name, reason))
    roles += [Role(one.identifier, None, "", "one series too many") for one in surplus]
    return roles, problems


def _split_by_contrast(
    phases: PhaseSection, series: list[SeriesHeader]
) -> tuple[list[SeriesHeader], list[SeriesHeader]]:
    """Split into before and after contrast; by order alone where no header tells."""
    after = [
        one
        for one in series
        if any(holds(c, one.header) for c in phases.contrast)
        and not any(holds(c, one.header) for c in phases.no_contrast)
    ]
    plain = [one for one in series if any(holds(c, one.header) for c in phases.no_contrast)]
    if not after and len(series) == 1 + len(phases.post) and plain in ([], series[:1]):
        times = {acquisition_time(one.header) for one in series}
        if len(times) == len(series) and "" not in times:
            return series[:1], series[1:]
    return [one for one in series if one not in after], after


def _contradiction(
    rule: SeriesRule, before: list[SeriesHeader], after: list[SeriesHeader]
) -> str | None:
    """Tell what makes the phases uncertain: times that are missing, equal or out of order."""
    assert rule.phases is not None
    times = [acquisition_time(one.header) for one in after]
    if len(after) > 1 and (len(set(times)) < len(after) or "" in times):
        return (
            f"the acquisition times do not tell the order of {len(after)} series of "
            f"{rule.technique} after contrast"
        )
    if 1 < len(after) < len(rule.phases.post):
        return (
            f"{len(after)} series of {rule.technique} after contrast, but the card names "
            f"{len(rule.phases.post)} phases ({', '.join(rule.phases.post)})"
        )
    latest = max((acquisition_time(one.header) for one in before), default="")
    if latest and times and times[0] and latest > times[0]:
        return (
            f"a series of {rule.technique} without contrast in its header was acquired after one "
            "with contrast"
        )
    return None


def _one_of(
    rule: SeriesRule, phase: str, series: list[SeriesHeader], reason: str
) -> tuple[list[Role], list[str]]:
    if len(series) <= 1:
        return [Role(one.identifier, rule.technique, phase, reason) for one in series], []
    if rule.several == "refuse":
        return [], [
            f"{len(series)} series of {rule.technique} ({phase}) and the card does not say which "
            "to take (series.several)"
        ]
    chosen = series[0] if rule.several == "first" else series[-1]
    times = [acquisition_time(one.header) for one in series]
    if "" in times or times.count(acquisition_time(chosen.header)) > 1:
        return [], [
            f"the acquisition times do not tell the {rule.several} of {len(series)} series of "
            f"{rule.technique} ({phase})"
        ]
    return [
        Role(one.identifier, rule.technique, phase, f"the {rule.several} of {len(series)}")
        if one is chosen
        else Role(one.identifier, None, "", "one series too many")
        for one in series
    ], []
