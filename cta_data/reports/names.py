"""What test sets, metrics, populations and columns are called where people read them."""

from __future__ import annotations

from cta_data.scoring.paper import EXTERNAL, INTERNAL, printed_name

METRIC_NAMES = {
    "f1": "F1 (instances)",
    "ppv": "PPV (instances)",
    "sensitivity": "Sensitivity (instances)",
    "lesionwise_dice": "Lesion-wise Dice",
    "lesionwise_ppv": "Lesion-wise PPV",
    "lesionwise_sensitivity": "Lesion-wise sensitivity",
}
SURFACE_NAMES = {
    "hausdorff_mm": "Hausdorff distance (mm)",
    "hausdorff95_mm": "Hausdorff 95 (mm)",
    "mean_surface_mm": "Mean surface distance (mm)",
    "surface_dice_0_5mm": "Surface Dice at 0.5 mm",
    "surface_dice_1mm": "Surface Dice at 1 mm",
}
PARTITIONS = {"train": "training", "test": "test"}


def name_of_test_set(test_set: str) -> str:
    """Return a test set's name, with the paper's where that is another one."""
    paper = printed_name(test_set)
    if paper in EXTERNAL:
        return paper
    return f"{test_set} ({paper})" if paper in INTERNAL and paper != test_set else test_set


def population_name(population: str) -> str:
    """Return a population of Table 1 in words: `internal_space_test` is `SPACE, test`.

    A population that is its whole cohort has the cohort's name.
    """
    _, *parts = population.split("_")
    if not parts:
        return population
    technique, *partition = parts
    return ", ".join([technique.upper(), *(PARTITIONS.get(one, one) for one in partition)])


def cohort_of(population: str) -> str:
    """Return the cohort that a population of Table 1 is of."""
    return population.partition("_")[0]


def volume_class(low: float, high: float) -> str:
    """Return a class of volume (cm³) in words; the upper limit is not part of it."""
    return f"≥ {low:g}" if high == float("inf") else f"{low:g}–{high:g}"
