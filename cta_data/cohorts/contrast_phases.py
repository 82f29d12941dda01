"""Which series of one technique was acquired before contrast, and which after it, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cta_data.cohorts.acquisition_times import DAY, acquisition_time
from cta_data.cohorts.card import PhaseSection, SeriesRule
from cta_data.cohorts.conditions import holds
from cta_data.cohorts.contrast_agent import agent_in_words, without_denial
from cta_data.reasons import Reason


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
    reason: Reason
    suffix: str = "T1w"


@dataclass(frozen=True)
class Injection:
    """When contrast was given, by the series of another technique.

    Attributes
    ----------
    technique
        Whose series tell.
    before, after
        Acquisition time of its last series before and of its first after contrast, or empty.
    """

    technique: str
    before: str
    after: str

    def tells(self, time: str) -> bool | None:
        """Return whether a series was acquired after contrast; None where it does not follow."""
        if _same_day(time, self.after) and time > self.after:
            return True
        if _same_day(time, self.before) and time < self.before:
            return False
        return None


def _same_day(one: str, other: str) -> bool:
    """Return whether two acquisition times are of one day, and both more than a day."""
    return one[:DAY] == other[:DAY] and min(len(one), len(other)) > DAY


def injection(
    rule: SeriesRule, roles: Iterable[Role], times: Mapping[str, str]
) -> Injection | None:
    """Return what the technique that times a rule says of the injection; None without one.

    Parameters
    ----------
    times
        Acquisition time of each series, by its identifier.
    """
    technique = rule.phases.timed_by if rule.phases else ""
    if not technique:
        return None
    mine = [role for role in roles if role.technique == technique]
    native = [times[role.identifier] for role in mine if role.phase == "none"]
    after = [times[role.identifier] for role in mine if role.phase != "none"]
    return Injection(technique, max(native, default=""), min(after, default=""))


def phase_roles(
    rule: SeriesRule, series: list[SeriesHeader], injected: Injection | None = None
) -> tuple[list[Role], list[Reason]]:
    """Name the phase of each series of one technique; return what is unclear as well.

    Parameters
    ----------
    series
        In order of acquisition time.
    injected
        When another technique says that contrast was given.
    """
    if rule.phases is None:
        return _one_of(rule, rule.phase or "none", series, Reason("series_matches_rule"))
    before, after = _split_by_contrast(rule.phases, series)
    contradiction: Reason | None = None
    if injected:
        before, after, contradiction = _by_injection(rule, before, after, injected)
    contradiction = contradiction or _contradiction(rule, before, after)
    if contradiction:
        return [], [contradiction]
    roles, problems = _one_of(rule, "none", before, Reason("phase_before_contrast"))
    names = rule.phases.post if len(after) > 1 else (rule.phases.single_post,)
    if len(after) > len(names) and rule.several == "refuse":
        return roles, [
            *problems,
            Reason(
                "phase_count_differs",
                n_series=len(after),
                technique=rule.technique,
                agents=_by_agents(after),
                phases=names,
                n_phases=len(names),
            ),
        ]
    surplus = after[len(names) - 1 : -1] if rule.several == "last" else after[len(names) :]
    chosen = [one for one in after if one not in surplus]
    for name, one in zip(names, chosen, strict=False):
        reason = Reason("phase_by_acquisition_time", phase=name, agents=_by_agents([one]))
        roles.append(Role(one.identifier, rule.technique, name, reason))
    roles += [Role(one.identifier, None, "", Reason("series_superfluous")) for one in surplus]
    return roles, problems


def _split_by_contrast(
    phases: PhaseSection, series: list[SeriesHeader]
) -> tuple[list[SeriesHeader], list[SeriesHeader]]:
    """Split into before and after contrast; by order alone where no header tells."""
    after = [
        one
        for one in series
        if any(holds(c, without_denial(one.header)) for c in phases.contrast)
        and not any(holds(c, one.header) for c in phases.no_contrast)
    ]
    plain = [one for one in series if any(holds(c, one.header) for c in phases.no_contrast)]
    if not after and len(series) == 1 + len(phases.post) and plain in ([], series[:1]):
        times = {acquisition_time(one.header) for one in series}
        if len(times) == len(series) and "" not in times:
            return series[:1], series[1:]
    return [one for one in series if one not in after], after


def _by_injection(
    rule: SeriesRule, before: list[SeriesHeader], after: list[SeriesHeader], injected: Injection
) -> tuple[list[SeriesHeader], list[SeriesHeader], Reason | None]:
    """Compare what headers say with the time of the injection, which decides where they do not."""
    assert rule.phases is not None
    own: list[SeriesHeader] = []
    late = list(after)
    problem: Reason | None = None
    techniques = {"technique": rule.technique, "timed_by": injected.technique}
    for one in before:
        marked = any(holds(c, one.header) for c in rule.phases.no_contrast)
        tells = injected.tells(acquisition_time(one.header))
        if marked and tells:
            problem = Reason("native_series_after_injection", **techniques)
        elif not marked and tells is None:
            problem = Reason("contrast_unknown", **techniques)
        (late if tells and not marked else own).append(one)
    if any(injected.tells(acquisition_time(one.header)) is False for one in after):
        problem = Reason("contrast_series_before_injection", agents=_by_agents(after), **techniques)
    late.sort(key=lambda one: (acquisition_time(one.header), one.identifier))
    return own, late, problem


def _contradiction(
    rule: SeriesRule, before: list[SeriesHeader], after: list[SeriesHeader]
) -> Reason | None:
    """Tell what makes the phases uncertain: times that are missing, equal or out of order."""
    assert rule.phases is not None
    times = [acquisition_time(one.header) for one in after]
    if len(after) > 1 and (len(set(times)) < len(after) or "" in times):
        return Reason("phase_order_unknown", n_after=len(after), technique=rule.technique)
    if 1 < len(after) < len(rule.phases.post):
        return Reason(
            "phase_count_differs",
            n_series=len(after),
            technique=rule.technique,
            agents=_by_agents(after),
            phases=rule.phases.post,
            n_phases=len(rule.phases.post),
        )
    latest = max((acquisition_time(one.header) for one in before), default="")
    if latest and times and times[0] and latest > times[0]:
        return Reason(
            "native_series_after_contrast", technique=rule.technique, agents=_by_agents(after)
        )
    return None


def _by_agents(series: Iterable[SeriesHeader]) -> str:
    """What was taken for an agent, in brackets; empty where no header names one."""
    agents = dict.fromkeys(filter(None, (agent_in_words(one.header) for one in series)))
    return f" ({', '.join(agents)})" if agents else ""


def _one_of(
    rule: SeriesRule, phase: str, series: list[SeriesHeader], reason: Reason
) -> tuple[list[Role], list[Reason]]:
    if len(series) <= 1:
        return [Role(one.identifier, rule.technique, phase, reason) for one in series], []
    if rule.several == "refuse":
        return [], [
            Reason(
                "series_of_phase_several",
                n_series=len(series),
                technique=rule.technique,
                phase=phase,
            )
        ]
    chosen = series[0] if rule.several == "first" else series[-1]
    times = [acquisition_time(one.header) for one in series]
    if "" in times or times.count(acquisition_time(chosen.header)) > 1:
        return [], [
            Reason(
                "series_to_take_unknown",
                several=rule.several,
                n_series=len(series),
                technique=rule.technique,
                phase=phase,
            )
        ]
    return [
        Role(
            one.identifier,
            rule.technique,
            phase,
            Reason("series_taken_by_order", several=rule.several, n_series=len(series)),
        )
        if one is chosen
        else Role(one.identifier, None, "", Reason("series_superfluous"))
        for one in series
    ], []
