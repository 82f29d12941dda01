"""Findings worth a picture, chosen from the scores by rules that leave no choice to a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import PAIR, in_paper_order

REFERENCE = "reference"
TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE = "true positive", "false negative", "false positive"
RULE = (
    "In each test set, among the models that read one technique, from the scores alone: the "
    "smallest lesion that one of the models A and B found and the other missed; the median true "
    "positive (of the lesions that each of the models found, by their mean Dice; of an even number "
    "the lower one); and of each model the largest false negative and the largest false positive. "
    "Of equal ones the first by case and number. A lesion that several rules choose is shown once."
)


@dataclass(frozen=True)
class ModelVerdict:
    """What a finding is to a model; Dice is of the matched pair, None where there is none."""

    model: str
    label: str
    dice: float | None = None


@dataclass(frozen=True)
class SelectedExample:
    """One lesion of the reference, or one false positive of a model.

    Attributes
    ----------
    origin
        `reference`, or the model whose false positive it is.
    lesion
        Its number in that mask, from 1, as in the scores.
    verdicts
        By model; of a false positive, its own model's only.
    technique
        That the models read, on whose grid the masks are; empty if unknown.
    rules
        Why it was chosen.
    """

    test_set: str
    case: str
    origin: str
    lesion: int
    volume_mm3: float
    verdicts: tuple[ModelVerdict, ...] = ()
    rules: tuple[str, ...] = ()
    technique: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        """What decides between findings that a rule takes for equal."""
        return self.case, self.lesion, self.origin


@dataclass
class _TestSet:
    """The findings of one test set."""

    lesions: list[SelectedExample] = field(default_factory=list)
    false: list[SelectedExample] = field(default_factory=list)


def choose_findings(
    sets: Sequence[ScoredSet], models: tuple[str, str] = PAIR
) -> tuple[SelectedExample, ...]:
    """Choose findings as `RULE` says, in the paper's order of test sets and in that of the rules.

    A rule that finds nothing chooses nothing.

    Parameters
    ----------
    models
        The two that are compared.
    """
    chosen: list[SelectedExample] = []
    for test_set in in_paper_order(one.test_set for one in sets):
        own = sorted((s for s in sets if s.test_set == test_set), key=lambda one: one.model)
        for technique in dict.fromkeys(one.technique for one in own):
            chosen += _choose([s for s in own if s.technique == technique], models)
    return tuple(chosen)


def _choose(mine: Sequence[ScoredSet], models: tuple[str, str]) -> Iterable[SelectedExample]:
    """Return the findings of models whose masks are on one grid, so that lesions are the same."""
    found = _TestSet(_reference_lesions(mine), [f for s in mine for f in _false_ones(s)])
    merged: dict[tuple[str, int, str], SelectedExample] = {}
    for rule, finding in _by_rule(found, [one.model for one in mine], models):
        known = merged.get(finding.key, finding)
        merged[finding.key] = replace(
            finding, rules=(*known.rules, rule), technique=mine[0].technique
        )
    return merged.values()


def findings_frame(findings: Sequence[SelectedExample]) -> pd.DataFrame:
    """Return one row a chosen finding and model.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, technique (where it is known), rule (several are joined by `; `), case,
        origin, lesion, volume_cm3, model, label, dice (NaN where no lesion of the model's was
        matched).
    """
    columns = ("test_set", "technique", "rule", "case", "origin", "lesion", "volume_cm3")
    rows = [
        (
            *(one.test_set, one.technique, "; ".join(one.rules), one.case, one.origin),
            *(one.lesion, one.volume_mm3 / 1000, verdict.model, verdict.label, verdict.dice),
        )
        for one in findings
        for verdict in one.verdicts
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "model", "label", "dice"])
    if frame.empty:
        return frame
    known = frame if frame["technique"].any() else frame.drop(columns="technique")
    return known.astype({"dice": "float64"})


def _by_rule(
    found: _TestSet, all_models: Sequence[str], models: tuple[str, str]
) -> Iterator[tuple[str, SelectedExample]]:
    first, second = models
    for finder, other in ((second, first), (first, second)):
        alone = [
            one
            for one in found.lesions
            if (_label(one, finder), _label(one, other)) == (TRUE_POSITIVE, FALSE_NEGATIVE)
        ]
        if alone:
            rule = f"smallest lesion found by model {finder} and missed by model {other}"
            yield rule, min(alone, key=lambda one: (one.volume_mm3, one.key))
    by_all = [
        one
        for one in found.lesions
        if [v.label for v in one.verdicts] == [TRUE_POSITIVE] * len(all_models)
    ]
    if by_all:
        ordered = sorted(by_all, key=lambda one: (_mean_dice(one), one.key))
        yield "median true positive", ordered[(len(ordered) - 1) // 2]
    for model in all_models:
        missed = [one for one in found.lesions if _label(one, model) == FALSE_NEGATIVE]
        if missed:
            yield f"largest false negative of model {model}", min(missed, key=_largest_first)
        false = [one for one in found.false if one.origin == model]
        if false:
            yield f"largest false positive of model {model}", min(false, key=_largest_first)


def _largest_first(finding: SelectedExample) -> tuple[float, tuple[str, int, str]]:
    return -finding.volume_mm3, finding.key


def _label(finding: SelectedExample, model: str) -> str:
    return next((v.label for v in finding.verdicts if v.model == model), "")


def _mean_dice(finding: SelectedExample) -> float:
    dice = [verdict.dice or 0.0 for verdict in finding.verdicts]
    # Rounded, so that the order of a sum cannot decide between equal ones.
    return round(sum(dice) / len(dice), 9)


def _reference_lesions(sets: Sequence[ScoredSet]) -> list[SelectedExample]:
    """Return every reference lesion with what it is to each model that was scored on its case."""
    volumes: dict[tuple[str, int], float] = {}
    verdicts: dict[tuple[str, int], list[ModelVerdict]] = {}
    for one in sets:
        for case in one.scores.cases:
            pairs = {pair.reference_lesion: pair for pair in case.pairs}
            for lesion in case.reference:
                number = lesion.lesion
                pair = pairs.get(number)
                found = pair is not None and pair.detected
                label = TRUE_POSITIVE if found else FALSE_NEGATIVE
                told = ModelVerdict(one.model, label, pair.dice if pair else None)
                volumes[case.case, number] = lesion.volume_mm3
                verdicts.setdefault((case.case, number), []).append(told)
    return [
        SelectedExample(
            sets[0].test_set, case, REFERENCE, number, volume, tuple(verdicts[case, number])
        )
        for (case, number), volume in sorted(volumes.items())
    ]


def _false_ones(one: ScoredSet) -> Iterator[SelectedExample]:
    for case in one.scores.cases:
        pairs = {pair.predicted_lesion: pair for pair in case.pairs}
        for single in case.false:
            pair = pairs.get(single.lesion)
            told = ModelVerdict(one.model, FALSE_POSITIVE, pair.dice if pair else None)
            yield SelectedExample(
                one.test_set, case.case, one.model, single.lesion, single.volume_mm3, (told,)
            )
