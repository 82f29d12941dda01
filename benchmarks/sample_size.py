"""Power by simulation beside power by formula, for the patients that `samplesize` asks for.

Run ``python benchmarks/sample_size.py [--studies 20000]``. Lesions per patient are 1 + a negative
binomial number; outcomes of a patient are drawn with probabilities of a Dirichlet distribution of
the intra-cluster correlation. Each study is tested as the formula assumes: Student's t of what each
patient has more than expected, or of the difference over its standard error. What counts is the
difference of the two powers, and the share of studies without an effect that reject (nominally
0.05).
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from scipy import stats

from cta_data.scoring.statistics.sample_size import (
    Effect,
    LesionClusters,
    patients_for_power,
    power,
)


class Setting(NamedTuple):
    """A question: a sensitivity against a value, or the difference of two models."""

    name: str
    clusters: LesionClusters
    wanted: float
    sensitivity: float = 0.0
    against: float = 0.0
    difference: float = 0.0
    discordant: float = 0.0


SETTINGS = (
    Setting("sensitivity", LesionClusters(4.2, 3.5, 0.15), 0.8, sensitivity=0.8, against=0.7),
    Setting("sensitivity", LesionClusters(2.5, 2.0, 0.30), 0.9, sensitivity=0.75, against=0.6),
    Setting("difference", LesionClusters(4.2, 3.5, 0.10), 0.8, difference=0.08, discordant=0.2),
    Setting("difference", LesionClusters(6.0, 5.0, 0.05), 0.9, difference=0.05, discordant=0.12),
)


def sizes(rng: np.random.Generator, clusters: LesionClusters, shape: tuple[int, int]) -> np.ndarray:
    """Draw lesions per patient, at least one."""
    mean, variance = clusters.mean_lesions - 1, clusters.sd_lesions**2
    return 1 + rng.negative_binomial(mean**2 / (variance - mean), mean / variance, shape)


def rejected(setting: Setting, n: int, studies: int, effect: bool, seed: int = 1) -> float:
    """Return the share of simulated studies of n patients in which p is at most 0.05."""
    rng = np.random.default_rng(seed)
    m = sizes(rng, setting.clusters, (studies, n))
    spread = 1 / setting.clusters.correlation - 1
    if setting.name == "sensitivity":
        true = setting.sensitivity if effect else setting.against
        own = rng.beta(true * spread, (1 - true) * spread, m.shape)
        total, null = rng.binomial(m, own), setting.against
    else:
        shift = setting.difference if effect else 0.0
        ahead, behind = (setting.discordant + shift) / 2, (setting.discordant - shift) / 2
        parts = np.stack([np.full(m.shape, p * spread) for p in (ahead, behind)], -1)
        gamma = rng.standard_gamma(parts)
        rest = rng.standard_gamma(np.full(m.shape, (1 - setting.discordant) * spread))
        share = gamma / (gamma.sum(axis=-1) + rest)[..., None]
        first = rng.binomial(m, share[..., 0])
        second = rng.binomial(m - first, np.clip(share[..., 1] / (1 - share[..., 0]), 0, 1))
        total, null = first - second, 0.0
    if setting.name == "sensitivity":
        apart = total - null * m
        t = apart.mean(axis=1) / (apart.std(axis=1, ddof=1) / np.sqrt(n))
    else:
        estimate = total.sum(axis=1) / m.sum(axis=1)
        apart = total - estimate[:, None] * m
        t = estimate / (np.sqrt(n / (n - 1) * (apart**2).sum(axis=1)) / m.sum(axis=1))
    return float((np.abs(t) > stats.t.ppf(0.975, n - 1)).mean())


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20_000)
    studies = parser.parse_args().studies
    for one in SETTINGS:
        if one.name == "sensitivity":
            effect = Effect.of_sensitivity(one.sensitivity, one.against)
        else:
            effect = Effect.of_difference(one.difference, one.discordant)
        n = patients_for_power(effect, one.clusters, wanted=one.wanted)
        formula = power(n, effect, one.clusters)
        found, null = (rejected(one, n, studies, what) for what in (True, False))
        print(
            f"{one.name} {effect.size:+.2f}, correlation {one.clusters.correlation}: {n} patients, "
            f"power {formula:.3f}, simulated {found:.3f}; without an effect {null:.3f}"
        )


if __name__ == "__main__":
    main()
