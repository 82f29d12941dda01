"""What the paper compares: its models, its test sets by name and in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PAIR = ("A", "B")
"""The models that the paper compares on every test set."""
INTERNAL = ("MPRAGE", "SPACE")
EXTERNAL = ("SUSM", "YNHH", "UMMC", "UKHD")
ALL_SETS = (*INTERNAL, *EXTERNAL)
PRINTED_NAMES = {"INTERNAL-NAQ": "MPRAGE", "INTERNAL-HAQ": "SPACE"}
"""The paper names its internal test sets by the technique that they were annotated on."""


def printed_name(test_set: str) -> str:
    """Return the paper's name of a test set: `internal-NAQ` is MPRAGE, `susm` is SUSM."""
    return PRINTED_NAMES.get(test_set.upper(), test_set.upper())


def in_paper_order(test_sets: Iterable[str], order: Sequence[str] = ALL_SETS) -> list[str]:
    """Return test sets, each once, as the paper has them; those it has not come last, by name."""
    ranks = {name: number for number, name in enumerate(order)}
    return sorted(set(test_sets), key=lambda one: (ranks.get(printed_name(one), len(ranks)), one))
