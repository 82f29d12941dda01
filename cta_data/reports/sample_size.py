"""The sample size of a study, from given values and from what an evaluated study found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from cta_data.errors import ConfigurationError
from cta_data.scoring.statistics.sample_size import (
    Effect,
    LesionClusters,
    patients_for_half_width,
    patients_for_power,
    power,
)
from cta_data.study.study import Study
from cta_data.study.tables import LesionScoreRow

Purpose = Literal["sensitivity", "difference", "interval"]
POWER = 0.8


@dataclass(frozen=True)
class FoundLesions:
    """Outcomes of lesions in a study: 1 found, 0 missed, or the difference of two models."""

    outcomes: tuple[float, ...]
    patients: tuple[str, ...]
    discordant: float

    @property
    def mean(self) -> float:
        """Sensitivity, or the difference of two."""
        return sum(self.outcomes) / len(self.outcomes)


@dataclass(frozen=True)
class Question:
    """What is asked; None is not given.

    Attributes
    ----------
    sensitivity
        Expected.
    against, difference, half_width
        One of them: the value that the sensitivity is tested against, the expected difference of
        two models, or half of the width of the interval of the sensitivity.
    discordant
        Share of lesions that one of two models alone finds.
    correlation, mean_lesions, sd_lesions
        Of the lesions of a patient.
    power
        That is wanted of a test; `POWER` without it.
    """

    sensitivity: float | None = None
    against: float | None = None
    difference: float | None = None
    half_width: float | None = None
    discordant: float | None = None
    correlation: float | None = None
    mean_lesions: float | None = None
    sd_lesions: float | None = None
    power: float | None = None
    alpha: float = 0.05

    @property
    def purpose(self) -> Purpose:
        """What is asked for.

        Raises
        ------
        ConfigurationError
            None of the three, or more than one.
        """
        given: dict[Purpose, float | None] = {
            "sensitivity": self.against,
            "difference": self.difference,
            "interval": self.half_width,
        }
        asked = [name for name, value in given.items() if value is not None]
        if len(asked) != 1:
            raise _invalid("one of --against, --difference and --half-width is needed")
        return asked[0]


@dataclass(frozen=True)
class SampleSize:
    """How many patients are needed, and what this rests on.

    Attributes
    ----------
    lesions
        Expected of so many patients.
    power
        That these patients give; None of an interval.
    from_study
        Names of the values that were not given, and come from the study.
    """

    patients: int
    lesions: float
    power: float | None
    purpose: Purpose
    question: Question
    design_effect: float
    from_study: tuple[str, ...]

    def content(self) -> dict[str, object]:
        """Return everything by name, for JSON."""
        values = asdict(self)
        wanted = None if self.purpose == "interval" else _wanted(self.question)
        return {**values.pop("question"), "wanted_power": wanted, **values}


def found_in_study(
    study: Study, models: Sequence[str], test_set: str, convention: str
) -> FoundLesions:
    """Return what one model made of the lesions of a study, or the difference of two.

    Lesions of two models are those that both were scored on, in one test set: of one technique by
    the same number, of two by the study's lesion ids, since each grid has numbers of its own.

    Raises
    ------
    ConfigurationError
        There is no such lesion.
    """
    scored = [
        [
            row
            for row in study.tables.rows(LesionScoreRow)
            if (row.convention, row.model) == (convention, model)
            and row.status != "false"
            and test_set in ("", row.test_set)
        ]
        for model in models
    ]
    techniques: dict[str, set[str | None]] = {}
    for row in (row for own in scored for row in own):
        techniques.setdefault(row.test_set, set()).add(row.technique)
    found = [_outcomes(own, techniques) for own in scored]
    common = [key for key in found[0] if all(key in own for own in found)]
    if not common:
        raise _invalid(f"no scored lesion of model {' and '.join(models)} is in the study")
    values = [[own[key][0] for own in found] for key in common]
    outcomes = tuple(one[-1] - one[0] if len(one) == 2 else one[0] for one in values)
    discordant = sum(one[-1] != one[0] for one in values) / len(values)
    return FoundLesions(outcomes, tuple(found[0][key][1] for key in common), discordant)


def _outcomes(
    rows: Iterable[LesionScoreRow], techniques: Mapping[str, Collection[str | None]]
) -> dict[tuple[str, str, int], tuple[float, str]]:
    """Return the outcome and the patient of each lesion of a model.

    A lesion of several parts is found where one of them is.

    Parameters
    ----------
    techniques
        By test set, those that lesions were scored on.
    """
    found: dict[tuple[str, str, int], tuple[float, str]] = {}
    for row in rows:
        who = row.session.patient_name if row.session else row.case
        is_one_grid = len(techniques[row.test_set]) == 1
        for number in (row.reference_lesion,) if is_one_grid else row.lesion_ids or ():
            key = (row.test_set, row.case, number)
            before = found[key][0] if key in found else 0.0
            found[key] = max(before, float(row.status == "detected")), who
    return found


def sample_size(question: Question, found: FoundLesions | None = None) -> SampleSize:
    """Answer a question; what is not given is taken from what a study found.

    Raises
    ------
    ConfigurationError
        A value is missing or impossible.
    DataRefused
        The correlation of the study's lesions is undefined.
    """
    purpose = question.purpose
    _require_used(question, purpose)
    full = _completed(question, purpose, found) if found else question
    needed = ["correlation", "mean_lesions", "sd_lesions"]
    needed.append("discordant" if purpose == "difference" else "sensitivity")
    if missing := [OPTIONS[name] for name in needed if getattr(full, name) is None]:
        raise _invalid(f"{', '.join(missing)} or --model is needed")
    known = tuple(
        name
        for name in needed
        if getattr(question, name) is None and getattr(full, name) is not None
    )
    try:
        return _answer(full, purpose, known)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _require_used(question: Question, purpose: Purpose) -> None:
    """Refuse values that would not be used, or cannot be."""
    unused = "sensitivity" if purpose == "difference" else "discordant"
    if getattr(question, unused) is not None:
        other = "without" if purpose == "difference" else "with"
        raise _invalid(f"{OPTIONS[unused]} is used {other} --difference only")
    if purpose == "interval" and question.power is not None:
        raise _invalid("--power is of a test, and is not used with --half-width")
    if question.correlation is not None and not -1 <= question.correlation <= 1:
        raise _invalid(f"--icc is from -1 to 1, not {question.correlation:g}")


OPTIONS = {
    "correlation": "--icc",
    "mean_lesions": "--lesions",
    "sd_lesions": "--lesions-sd",
    "discordant": "--discordant",
    "sensitivity": "--sensitivity",
}


def _completed(question: Question, purpose: Purpose, found: FoundLesions) -> Question:
    """Return a question with the values of a study where none are given."""
    values: dict[str, float] = {}
    if None in (question.correlation, question.mean_lesions, question.sd_lesions):
        own = LesionClusters.of(found.outcomes, found.patients)
        values = {
            name: getattr(own, name) for name in ("correlation", "mean_lesions", "sd_lesions")
        }
    values |= (
        {"discordant": found.discordant} if purpose == "difference" else {"sensitivity": found.mean}
    )
    return replace(
        question, **{name: v for name, v in values.items() if getattr(question, name) is None}
    )


def _answer(full: Question, purpose: Purpose, from_study: tuple[str, ...]) -> SampleSize:
    clusters = LesionClusters(
        full.mean_lesions or 0.0, full.sd_lesions or 0.0, full.correlation or 0.0
    )
    if purpose == "difference":
        effect = Effect.of_difference(full.difference or 0.0, full.discordant or 0.0)
    else:
        effect = Effect.of_sensitivity(full.sensitivity or 0.0, full.against)
    if purpose == "interval":
        width = full.half_width or 0.0
        n = patients_for_half_width(width, effect, clusters, confidence=1 - full.alpha)
    else:
        n = patients_for_power(effect, clusters, wanted=_wanted(full), alpha=full.alpha)
    return SampleSize(
        patients=n,
        lesions=n * clusters.mean_lesions,
        power=None if purpose == "interval" else power(n, effect, clusters, full.alpha),
        purpose=purpose,
        question=full,
        design_effect=clusters.design_effect,
        from_study=from_study,
    )


def _wanted(question: Question) -> float:
    return POWER if question.power is None else question.power


def _invalid(why: str) -> ConfigurationError:
    return ConfigurationError("sample_size_options_invalid", why=why)
