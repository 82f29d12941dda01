"""How often the test of subgroups rejects where subgroups do not differ.

Run ``python benchmarks/subgroups.py [--studies 1000] [--permutations 499]``. Simulated studies have
15, 40 or 100 patients with 1 to 10 lesions; the sensitivity of a patient varies about 0.8 as a beta
distribution does, by the intra-cluster correlation. Levels are of patients (two or four, unequal in
size) or of lesions (three, and patients prefer one of them). What counts is the share of p-values
of at most 0.05, with its binomial standard error.
"""

from __future__ import annotations

import argparse

import numpy as np

from cta_data.scoring.statistics.subgroup_tests import subgroup_test

SENSITIVITY = 0.8


def study(
    rng: np.random.Generator, n_patients: int, correlation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return patient and outcome of every lesion."""
    sizes = np.minimum(rng.geometric(0.3, n_patients), 10)
    spread = 1 / correlation - 1
    own = rng.beta(SENSITIVITY * spread, (1 - SENSITIVITY) * spread, n_patients)
    patients = np.repeat(np.arange(n_patients), sizes)
    return patients, (rng.random(len(patients)) < own[patients]).astype(float)


def levels_of(rng: np.random.Generator, patients: np.ndarray, kind: str) -> np.ndarray:
    """Return the level of every lesion, none of which matters."""
    n = int(patients.max()) + 1
    if kind == "lesions":
        preferred = rng.integers(0, 3, n)[patients]
        return np.where(
            rng.random(len(patients)) < 0.5, preferred, rng.integers(0, 3, len(patients))
        )
    shares = [0.7, 0.3] if kind == "two" else [0.55, 0.25, 0.12, 0.08]
    return rng.choice(len(shares), n, p=shares)[patients]


def rejected(
    kind: str, n_patients: int, correlation: float, studies: int, permutations: int, seed: int = 1
) -> float:
    """Return the share of studies in which p is at most 0.05; without a test it is not."""
    rng = np.random.default_rng(seed)
    hits = 0
    for number in range(studies):
        patients, outcomes = study(rng, n_patients, correlation)
        levels = levels_of(rng, patients, kind).tolist()
        found = subgroup_test(
            outcomes,
            patients.tolist(),
            levels,
            "lesions" if kind == "lesions" else "patients",
            permutations=permutations,
            seed=number,
        )
        hits += found.p_value <= 0.05
    return hits / studies


def main() -> None:
    """Print a line for each kind of level, number of patients and correlation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=499)
    given = parser.parse_args()
    error = (0.05 * 0.95 / given.studies) ** 0.5
    print(f"share of p ≤ 0.05, standard error {error:.4f}")
    for kind in ("two", "four", "lesions"):
        for n_patients in (15, 40, 100):
            for correlation in (0.05, 0.3):
                share = rejected(kind, n_patients, correlation, given.studies, given.permutations)
                print(f"{kind:8} {n_patients:4} patients, correlation {correlation}: {share:.3f}")


if __name__ == "__main__":
    main()
