"""What the paper compares: its two models, its test sets by name and in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PAIR = ("A", "B")
"""The models that the paper compares."""


def canonical(test_set: str) -> str:
    """Return the paper's name of a test set: `internal-mprage` is MPRAGE, `susm` is SUSM."""
    return test_set.upper().removeprefix("INTERNAL-").removeprefix("INTERNAL_")


def in_paper_order(test_sets: Iterable[str], order: Sequence[str]) -> list[str]:
    """Return test sets, each once, as the paper has them; those it has not come last, by name."""
    ranks = {name: number for number, name in enumerate(order)}
    return sorted(set(test_sets), key=lambda one: (ranks.get(canonical(one), len(ranks)), one))
