"""The false positives of an evaluation that a reader is to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import ConfigurationError
from cta_data.review.audit import audited, evaluated_cases
from cta_data.review.audit_truth import count_truth, truth_in_words, with_truth
from cta_data.scoring import Convention
from cta_data.scoring.audited import START, with_verdicts
from cta_data.study.study import Study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FalsePositives:
    """False positives with their verdicts.

    Attributes
    ----------
    convention
        By which they are false.
    chosen
        Model and test set that they are of; empty for all.
    rows
        One a false positive, open ones first.
    cases
        The scored cases, with scores by the verdicts.
    truth, counts
        What they are in truth, in words and counted; of digital patients alone.
    """

    convention: str
    chosen: dict[str, str]
    rows: pd.DataFrame
    cases: pd.DataFrame
    truth: list[str] = field(default_factory=list)
    counts: pd.DataFrame | None = None


def false_positives(
    study: Study,
    convention: Convention,
    asked: dict[str, str],
    truth: Path | None = None,
    *,
    everything: bool = False,
) -> FalsePositives:
    """Return the false positives of a model and a test set.

    Parameters
    ----------
    asked
        `model` and `test_set`, empty for any. Where neither is named, those where the paper looked
        are taken, if the study has them, and all with `everything`.
    truth
        Folder of a trial of digital patients that says what is real.

    Raises
    ------
    ConfigurationError
        The study was not evaluated by this convention, or not with that model or test set.
    """
    rows = audited(study, convention.name)
    cases = with_verdicts(evaluated_cases(study, convention.name), rows)
    chosen = asked
    if not any(asked.values()) and not everything and _is_evaluated(START, cases):
        chosen = dict(START)
    for name, value in chosen.items():
        if value:
            _require_evaluated(name, value, cases)
            rows, cases = rows[rows[name] == value], cases[cases[name] == value]
    if truth is None or rows.empty:
        return FalsePositives(convention.name, chosen, rows, cases)
    rows = with_truth(study, rows, truth, convention)
    counts = count_truth(rows)
    return FalsePositives(convention.name, chosen, rows, cases, truth_in_words(counts), counts)


def _is_evaluated(names: dict[str, str], cases: pd.DataFrame) -> bool:
    found = cases
    for name, value in names.items():
        found = found[found[name] == value]
    return not found.empty


def _require_evaluated(name: str, value: str, cases: pd.DataFrame) -> None:
    """Refuse a model or test set that was not evaluated: it has no false positive to list."""
    known = sorted(cases[name].unique())
    if value not in known:
        option = f"--{name.replace('_', '-')}"
        raise ConfigurationError(
            "audit_choice_not_evaluated", option=option, value=value, known=tuple(known)
        )
