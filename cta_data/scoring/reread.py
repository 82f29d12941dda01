"""Scores after findings were read again, with the interval that the sample leaves.

Where only false positives were read, a correction can only favour the model: what was counted as
found, or as missed, was never doubted. Where a blinded reader saw all false positives, all missed
lesions and a sample of the true positives, nothing favours either side: the share of true
positives that are metastases is estimated from the sample. What neither the reference nor any
model has marked remains unknown, so that sensitivity is about what either has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.agreement.figures import (
    Resampling,
    interval_of_sums,
    ratio,
    share,
    sums_by_patient,
)
from cta_data.scoring.statistics import Interval

FALSE, MISSED, DETECTED = "false", "missed", "detected"
UNBIASED = "all false positives and missed lesions and a sample of true positives were read"
BIASED = "biased in the model's favour: only false positives were read"
INCOMPLETE = "incomplete: not all false positives were read"


@dataclass(frozen=True)
class ReadFinding:
    """One finding of a model, as it was scored and as it was read again.

    Attributes
    ----------
    status
        `false`, `missed` or `detected`.
    is_metastasis
        What readers say; None where nobody read it.
    """

    patient: str
    status: str
    is_metastasis: bool | None = None


@dataclass(frozen=True)
class CorrectedScores:
    """PPV and sensitivity over all lesions of a model on a test set, as scored and corrected.

    Attributes
    ----------
    basis
        `UNBIASED`, `BIASED` or `INCOMPLETE`.
    n, n_read
        Findings, and those that were read, by status.
    ppv, sensitivity
        As scored; NaN of nothing.
    corrected_ppv, corrected_sensitivity
        With the interval over patients; None where it is incomplete.
    """

    basis: str
    n: dict[str, int]
    n_read: dict[str, int]
    ppv: float
    sensitivity: float
    corrected_ppv: Interval | None = None
    corrected_sensitivity: Interval | None = None


def corrected_scores(findings: Sequence[ReadFinding], resampling: Resampling) -> CorrectedScores:
    """Return the scores of a model on a test set with what readers said of its findings.

    A true positive that readers call no metastasis becomes a false positive, a false positive that
    they call one a true positive, and a missed lesion that they call none is no lesion any more.
    The readers' share of true positives is that of the sample (ratio estimator; whole patients are
    resampled).
    """
    counts = {
        status: sum(one.status == status for one in findings)
        for status in (FALSE, MISSED, DETECTED)
    }
    read = {
        status: sum(o.status == status and o.is_metastasis is not None for o in findings)
        for status in counts
    }
    basis = _basis(counts, read)
    scored = (
        share(counts[DETECTED], counts[DETECTED] + counts[FALSE]),
        share(counts[DETECTED], counts[DETECTED] + counts[MISSED]),
    )
    if basis == INCOMPLETE:
        return CorrectedScores(basis, counts, read, *scored)
    sums = _sums(findings, all_read=basis == UNBIASED)
    both = (interval_of_sums(sums, figure, resampling) for figure in (_ppv, _sensitivity))
    return CorrectedScores(basis, counts, read, *scored, *both)


def _basis(counts: dict[str, int], read: dict[str, int]) -> str:
    if read[FALSE] < counts[FALSE]:
        return INCOMPLETE
    sampled = read[DETECTED] > 0 or counts[DETECTED] == 0
    return UNBIASED if sampled and read[MISSED] == counts[MISSED] else BIASED


def _sums(findings: Sequence[ReadFinding], *, all_read: bool) -> NDArray[np.float64]:
    """Return counts (n patients, 6): detected, read and real of these; false, real; missed.

    Where not all kinds were read, what was not read is as it was scored.
    """
    rows = np.zeros((len(findings), 6))
    for row, one in zip(rows, findings, strict=True):
        if one.status == DETECTED:
            row[0] = 1
            row[1] = one.is_metastasis is not None if all_read else 1
            row[2] = bool(one.is_metastasis) if all_read else 1
        elif one.status == FALSE:
            row[3], row[4] = 1, bool(one.is_metastasis)
        else:
            row[5] = bool(one.is_metastasis) if all_read else 1
    return sums_by_patient(rows, [one.patient for one in findings])


def _true(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    detected, read, real, _, found, _ = np.moveaxis(sums, -1, 0)
    return np.where(detected > 0, detected * ratio(real, read), 0.0) + found


def _ppv(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    predicted = sums[..., 0] + sums[..., 3]
    return ratio(_true(sums), predicted)


def _sensitivity(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    true = _true(sums)
    return ratio(true, true + sums[..., 5])
