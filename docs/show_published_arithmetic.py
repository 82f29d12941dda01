"""Show, from the paper's printed numbers, which rules made them.

python docs/show_published_arithmetic.py
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from cta_data.scoring.paper import published_scores
from cta_data.scoring.statistics import mann_whitney_u, wilcoxon_signed_rank

PATIENTS = 15
"""Patients of each of the two test sets of the trial."""
MODEL_A_PPV = (66.7, *[100.0] * 14)
MODEL_B_PPV = (66.7, 50.0, 50.0, *[100.0] * 12)
"""Precision (percent) of 15 patients, in pairs, which prints as the MPRAGE rows of Table 2 do."""
LESIONWISE = ("lesionwise_dsc", "lesionwise_ppv", "lesionwise_sensitivity")


def printed(table: str, test_set: str, model: str | None, metric: str, statistic: str) -> float:
    """Return one number as the paper prints it."""
    frame = published_scores()
    is_model = frame["model"].isna() if model is None else frame["model"] == model
    chosen = frame[
        (frame["table"] == table)
        & (frame["test_set"] == test_set)
        & is_model
        & (frame["metric"] == metric)
        & (frame["statistic"] == statistic)
    ]
    return float(chosen["value"].item())


def with_one_more(mean: float, sd: float, n: int, value: float) -> tuple[float, float]:
    """Return mean and SD (n − 1) of n values and one more, from mean and SD of the n."""
    squares = (n - 1) * sd**2 + n / (n + 1) * (value - mean) ** 2
    return (n * mean + value) / (n + 1), math.sqrt(squares / n)


def possible_with_one_more(
    before: tuple[float, float], after: tuple[float, float], value: float, numbers: Iterable[int]
) -> list[int]:
    """Return the numbers n for which one more value leads from `before` to `after`.

    Both are mean and SD as they are printed, to one decimal: anything that rounds to them counts.
    """
    half = np.linspace(-0.05, 0.05, 21)
    found = []
    for n in numbers:
        reached = [
            with_one_more(before[0] + m, before[1] + s, n, value) for m in half for s in half
        ]
        # What lies in between two tries is covered by a tolerance of their distance.
        near = [abs(m - after[0]) <= 0.055 and abs(s - after[1]) <= 0.055 for m, s in reached]
        if any(near):
            found.append(n)
    return found


def exact_values(n: int) -> dict[int, float]:
    """Return the p-value of each smaller sum of ranks of n differences without zeros and ties."""
    counts = np.ones(1)  # patterns of signs by the sum of their positive ranks, whole numbers
    for rank in range(1, n + 1):
        counts = np.convolve(counts, [1, *[0] * (rank - 1), 1])
    patterns = np.cumsum(counts)[: len(counts) // 2 + 1]
    return {w: min(1.0, float(2 * below / 2**n)) for w, below in enumerate(patterns)}


def normal_values(n: int) -> dict[int, float]:
    """Return the same by the normal approximation without a correction for continuity."""
    sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    middle = n * (n + 1) / 4
    return {w: math.erfc((middle - w) / sd / math.sqrt(2)) for w in range(n * (n + 1) // 4 + 1)}


def sums_that_print(p: float, values: dict[int, float]) -> list[int]:
    """Return the sums of ranks whose p-value is `p` in three significant digits."""
    return [w for w, value in values.items() if f"{value:.3g}" == f"{p:.3g}"]


def with_zeros(differences: Sequence[float]) -> list[float]:
    """Return differences of 15 patients: these, and zeros for the others."""
    return [*differences, *[0.0] * (PATIENTS - len(differences))]


def show_one_patient() -> None:
    """Print how Table 4 becomes Table 2 by one patient."""
    print("1. Model A on SPACE: Table 4 has 14 patients where Table 2 has 15 (percent)\n")
    print("               Table 4        one more      computed       Table 2")
    for metric, value in (("f1", 0.0), ("ppv", 100.0)):
        name = f"instance_{metric}"
        before, after = (
            (printed(t, "SPACE", "A", name, "mean"), printed(t, "SPACE", "A", name, "sd"))
            for t in ("table_4", "table_2")
        )
        mean, sd = with_one_more(*before, PATIENTS - 1, value)
        fits = possible_with_one_more(before, after, value, range(2, 31))
        told = f"fits n = {fits[0]}" if len(fits) == 1 else f"fits n = {fits[0]} to {fits[-1]}"
        print(
            f"{metric:<13}{before[0]:5.1f} ± {before[1]:<8.1f}{value:>6.0f}      "
            f"{mean:6.2f} ± {sd:<6.2f} {after[0]:5.1f} ± {after[1]:<6.1f} {told}"
        )
    both = [
        printed(t, "SPACE", "A", "instance_sensitivity", "mean") for t in ("table_4", "table_2")
    ]
    print(f"sensitivity  {both[0]:5.1f} in Table 4, {both[1]:5.1f} in Table 2: the same patients")


def show_closed_forms() -> None:
    """Print which rule gives the p-values of one, two, three and six differences."""
    print("\n2. P-values of few differences, 15 patients, all others equal in both models\n")
    print("                       printed   exact  normal  ours, with zeros  ours, without")
    for label, values, test_set, metric in (
        ("one difference", [1.0], "MPRAGE", "instance_sensitivity"),
        ("two, tied", [-1.0, -1.0], "MPRAGE", "instance_ppv"),
        ("three, one opposed", [1.0, -2.0, -3.0], "MPRAGE", "instance_f1"),
        ("six, untied", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "SPACE", "instance_sensitivity"),
    ):
        p = printed("table_2", test_set, None, metric, "p_value")
        ours, bare = wilcoxon_signed_rank(with_zeros(values)), wilcoxon_signed_rank(values)
        exact = exact_values(len(values))[int(min(ours.w_plus, ours.w_minus))]
        normal = ours.p_value
        assert ours.method == "normal"
        print(
            f"{label:<23}{p:<10.3g}{exact:<8.3g}{normal:<8.4f}"
            f"{ours.p_value:.4f} ({ours.method})   {bare.p_value:.4f} ({bare.method})"
        )


def show_pairs() -> None:
    """Print a set of patients that prints as Table 2 does, by both tests."""
    print("\n3. PPV on MPRAGE: 15 pairs that print as Table 2 does, by both tests\n")
    for model, values in (("A", MODEL_A_PPV), ("B", MODEL_B_PPV)):
        paper = [
            printed("table_2", "MPRAGE", model, "instance_ppv", s) for s in ("mean", "sd", "median")
        ]
        print(
            f"{model}: {np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}, median "
            f"{np.median(values):.1f}; printed {paper[0]} ± {paper[1]}, median {paper[2]}"
        )
    signed = wilcoxon_signed_rank(np.subtract(MODEL_B_PPV, MODEL_A_PPV))
    unpaired = mann_whitney_u(MODEL_A_PPV, MODEL_B_PPV)
    p = printed("table_2", "MPRAGE", None, "instance_ppv", "p_value")
    print(f"printed p {p:.3g}; Wilcoxon {signed.p_value:.3f}; Mann–Whitney {unpaired.p_value:.3f}")


def show_without_zeros() -> None:
    """Print that lesion-wise p-values are values of the exact distribution."""
    exact, normal = exact_values(PATIENTS), normal_values(PATIENTS)
    print(
        "\n4. Lesion-wise scores, 15 patients, no zeros and no ties: sums of ranks that print so\n"
    )
    print("                                printed   exact: W   normal: W")
    for test_set in ("SPACE", "MPRAGE"):
        for metric in LESIONWISE:
            p = printed("table_2", test_set, None, metric, "p_value")
            sums = [sums_that_print(p, values) for values in (exact, normal)]
            told = [", ".join(map(str, found)) or "none" for found in sums]
            print(f"{test_set:<8}{metric:<24}{p:<10.3g}{told[0]:<11}{told[1]}")
    texts = [f"{k / 1000:.3g}" for k in range(100, 1000)]
    share = len({f"{v:.3g}" for v in exact.values()} & set(texts)) / len(texts)
    print(
        f"\nOf the numbers .100 to .999, {100 * share:.0f} % are values of the exact distribution."
    )


def main() -> None:
    """Print all four."""
    show_one_patient()
    show_closed_forms()
    show_pairs()
    show_without_zeros()


if __name__ == "__main__":
    main()
