"""Tables of the experiment with patches: which networks learnt, and what is said of the others."""

from __future__ import annotations

from math import log, nan
from typing import Any

import pytest

from cta_data.reports.patch_tables import (
    comparison_frame,
    f1_table,
    learning_table,
    run_frame,
    unlearnt_notes,
)


def run_of(name: str, seed: int, f1: float, last: float, n: tuple[int, int] = (50, 50)) -> dict:
    """Return what the file of a run holds, as far as tables look at it."""
    content: dict[str, Any] = {"architecture": "net", "input": name, "seed": seed, "f1": f1}
    content |= {"sensitivity": f1, "precision": f1, "counts": {"tp": 1}, "losses": [1.0, last]}
    return content | {"n_training": {"with": n[0], "without": n[1]}}


def test_a_network_that_ends_at_the_loss_of_a_guess_is_named() -> None:
    """With its input and seed, below the table of F1; the table of losses says which is which."""
    runs = run_frame(
        [run_of("SPACE", 0, 0.9, 0.1), run_of("SPACE", 1, 0.5, 0.69), run_of("late", 0, 0.4, nan)]
    )
    assert runs["guess_loss"].tolist() == pytest.approx([log(2)] * 3)
    assert runs["learnt"].tolist() == [True, False, False]
    [note] = f1_table(runs, ("net",), ("SPACE", "late")).notes
    assert "net with SPACE, seed 1" in note and "net with late, seed 0" in note
    assert [row.cells[-1] for row in learning_table(runs).rows] == ["yes", "no", "no"]


def test_nothing_is_said_where_all_learnt() -> None:
    """The guess is that of the shares of both kinds: few positives are soon guessed well."""
    assert unlearnt_notes(run_frame([run_of("SPACE", 0, 0.9, 0.1)])) == ()
    few = run_frame([run_of("SPACE", 0, 0.0, 0.3, n=(10, 90))])
    assert few["guess_loss"][0] == pytest.approx(-0.1 * log(0.1) - 0.9 * log(0.9))
    assert unlearnt_notes(few)


def test_inputs_are_compared_in_pairs_of_the_same_seed() -> None:
    """The median of the differences within pairs, not the difference of medians."""
    runs = run_frame(
        [
            *(run_of("late", seed, f1, 0.1) for seed, f1 in enumerate((0.5, 0.6, 0.9))),
            *(run_of("SPACE", seed, f1, 0.1) for seed, f1 in enumerate((0.7, 0.9, 1.0))),
        ]
    )
    [row] = comparison_frame(runs, ("late", "SPACE")).to_dict("records")
    assert row["n_pairs"] == 3 and row["median_difference"] == pytest.approx(0.2)
    assert row["p_value"] == pytest.approx(0.25)
