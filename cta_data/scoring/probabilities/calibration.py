"""Whether probabilities are right: how often what was given 0.8 is lesion.

The reliability diagram sorts probabilities into bins of equal width and shows, for each, the mean
probability against the share that is lesion (Murphy and Winkler 1977, J R Stat Soc C 26:41). The
expected calibration error is the mean of the difference, weighted by how many a bin holds (Naeini
et al. 2015, AAAI 29:2901). Of voxels it is small in any case, since nearly all of a head is
background with a probability near 0: `foreground` leaves those out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from cta_data.scoring.mask_files import MaskVoxels
from cta_data.scoring.probabilities.maps import ProbabilityMap

BINS = 15
"""Of equal width, as in Guo et al. 2017 (Proc Mach Learn Res 70:1321)."""
FINE = 1500
"""Bins of logits that a temperature is fitted from, between the two ends of `LOGITS`."""
LOGITS = 15.0
FARTHEST = 20.0
"""Temperature that none is above, nor its inverse below."""
CalibratedOf = Literal["candidates", "voxels", "foreground"]


@dataclass(frozen=True, eq=False)
class VoxelBins:
    """Voxels of a map by their probability; bins add up over cases.

    Attributes
    ----------
    number, total, lesion
        By bin of probability, (`BINS`,): voxels, sum of their probabilities, voxels of lesions.
    logits
        (3, `FINE`): voxels that are no lesion, voxels that are, and the sum of the logits of both,
        by the logit of their probability; of those whose probability is at least `LEAST`.
    foreground
        As ``number``, ``total`` and ``lesion``, (3, `BINS`), of those voxels alone.
    """

    number: NDArray[np.float64]
    total: NDArray[np.float64]
    lesion: NDArray[np.float64]
    logits: NDArray[np.float64]
    foreground: NDArray[np.float64]

    @classmethod
    def nothing(cls) -> VoxelBins:
        """Return bins of no voxel."""
        empty = np.zeros(BINS)
        return cls(empty, empty, empty, np.zeros((3, FINE)), np.zeros((3, BINS)))

    def __add__(self, other: VoxelBins) -> VoxelBins:
        """Return the bins of both."""
        return VoxelBins(
            *(
                getattr(self, name) + getattr(other, name)
                for name in ("number", "total", "lesion", "logits", "foreground")
            )
        )


@dataclass(frozen=True)
class ReliabilityRow:
    """One bin of a reliability diagram; NaN where it holds nothing."""

    low: float
    high: float
    number: int
    mean_probability: float
    share_of_lesion: float


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram, its expected calibration error, and the largest of a bin."""

    of: CalibratedOf
    rows: tuple[ReliabilityRow, ...]
    expected_error: float
    largest_error: float
    number: int


def voxel_bins(reference: MaskVoxels, found: ProbabilityMap) -> VoxelBins:
    """Sort the voxels of a map into bins; both are on one grid."""
    index, values = found.voxels.index, np.asarray(found.voxels.values, np.float64)
    is_lesion = np.isin(index, reference.index, assume_unique=True)
    near = np.stack(_binned(values, is_lesion))
    # Voxels below `LEAST` are all in the first bin; which of them are lesion is known by number.
    n_unseen = float(len(reference.index) - int(is_lesion.sum()))
    rest = np.zeros((3, BINS))
    rest[:, 0] = found.n_below, found.sum_below, n_unseen
    exact = logit(values)
    place = _fine_bin(exact)
    sides = [np.bincount(place[is_lesion == side], minlength=FINE) for side in (False, True)]
    logits = np.stack([*sides, np.bincount(place, exact, FINE)]).astype(np.float64)
    number, total, lesion = near + rest
    return VoxelBins(number, total, lesion, logits, near)


def candidate_reliability(scores: ArrayLike, detected: ArrayLike) -> Reliability:
    """Return the reliability of candidates: a score is right if that share of them is a lesion."""
    binned = _binned(np.asarray(scores, np.float64), np.asarray(detected, bool))
    return _reliability("candidates", *binned)


def voxel_reliability(parts: Iterable[VoxelBins]) -> tuple[Reliability, Reliability]:
    """Return the reliability of all voxels, and of those with a probability of `LEAST` or more."""
    whole = sum(parts, VoxelBins.nothing())
    every = _reliability("voxels", whole.number, whole.total, whole.lesion)
    return every, _reliability("foreground", *whole.foreground)


def _binned(
    values: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Number, sum and number of positives by bin; bins hold their lower end, the last both."""
    place = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    number = np.bincount(place, minlength=BINS).astype(np.float64)
    total = np.bincount(place, values, BINS).astype(np.float64)
    lesion = np.bincount(place, positive, BINS).astype(np.float64)
    return number, total, lesion


def _reliability(
    of: CalibratedOf,
    number: NDArray[np.float64],
    total: NDArray[np.float64],
    lesion: NDArray[np.float64],
) -> Reliability:
    filled = number > 0
    size = np.where(filled, number, np.nan)
    mean, share = total / size, lesion / size
    gap = np.abs(mean - share)[filled]
    n_all = number.sum()
    expected = float((gap * number[filled]).sum() / n_all) if n_all else float("nan")
    rows = tuple(
        ReliabilityRow(b / BINS, (b + 1) / BINS, int(number[b]), float(mean[b]), float(share[b]))
        for b in range(BINS)
    )
    largest = float(gap.max()) if len(gap) else float("nan")
    return Reliability(of, rows, expected, largest, int(n_all))


def _fine_bin(logits: NDArray[np.float64]) -> NDArray[np.int64]:
    place = (logits + LOGITS) * (FINE / (2 * LOGITS))
    return np.clip(place.astype(np.int64), 0, FINE - 1)


@dataclass(frozen=True)
class Temperature:
    """A temperature, and what it changes for voxels with a probability of `LEAST` or more.

    A probability p becomes 1 / (1 + exp(−logit(p) / temperature)): above 1, probabilities move
    towards one half.
    """

    temperature: float
    error_before: float
    error_after: float


def fit_temperature(parts: Iterable[VoxelBins]) -> Temperature | None:
    """Return the temperature of the greatest likelihood; None where it is not determined.

    Guo et al. 2017. It is fitted to voxels with a probability of `LEAST` or more, by bins of their
    logits that are 0.02 wide; background beyond changes neither likelihood nor temperature much.
    """
    whole = sum(parts, VoxelBins.nothing())
    if not whole.logits[:2].sum(axis=1).all():
        return None
    counts = whole.logits[:2]
    centres = whole.logits[2] / np.maximum(counts.sum(axis=0), 1)

    def loss(log_temperature: float) -> float:
        scaled = centres / np.exp(log_temperature)
        terms = np.stack([np.logaddexp(0, scaled), np.logaddexp(0, -scaled)])
        return float((counts * terms).sum())

    limits = (np.log(1 / FARTHEST), np.log(FARTHEST))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    temperature = float(np.exp(found.x))
    before = _reliability("foreground", *whole.foreground).expected_error
    after = _error_of(counts, np.asarray(centres / temperature, np.float64))
    return Temperature(temperature, before, after)


def _error_of(counts: NDArray[np.float64], logits: NDArray[np.float64]) -> float:
    """Return the expected calibration error of (2, n) counts with these logits."""
    values = 1 / (1 + np.exp(-logits))
    place = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    both = counts.sum(axis=0)
    number, total, lesion = (
        np.bincount(place, one, BINS).astype(np.float64) for one in (both, both * values, counts[1])
    )
    return _reliability("foreground", number, total, lesion).expected_error


def with_temperature(probability: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return a map of probabilities scaled by a temperature; 0 stays 0, and 1 stays 1."""
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.log(probability) - np.log1p(-probability)
        return np.asarray(1 / (1 + np.exp(-odds / temperature)), np.float32)


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log p / (1 − p), between plus and minus `LOGITS`."""
    with np.errstate(divide="ignore"):
        found = np.log(probability) - np.log1p(-probability)
    return np.clip(found, -LOGITS, LOGITS)
