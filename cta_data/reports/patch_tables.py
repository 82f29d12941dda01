"""F1 of networks for patches: one row a run, by architecture and input, and inputs compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from cta_data.reports.table import MISSING, Row, Table, TableColumn, number_text
from cta_data.scoring.statistics.rank_tests import holm, pair_scores, wilcoxon_signed_rank

SCORES = ("f1", "sensitivity", "precision")
LEARNT_BELOW = 0.9
"""Part of a guess's loss that a network's last loss is below, if it learnt.

A guess knows how many patches are of each kind, and nothing of a patch.
"""
_LEARNT_TEXT = f"{100 * LEARNT_BELOW:.0f} %"


def run_frame(runs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row for each run; scores are NaN where they are undefined.

    `last_loss` is the mean cross-entropy of the last epoch, `guess_loss` that of a guess.
    """
    names = ("architecture", "input", "seed", *SCORES)
    rows = [
        {**{name: run[name] for name in names}, **run["counts"], **_learning(run)} for run in runs
    ]
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(SCORES, float))


def _learning(run: Mapping[str, Any]) -> dict[str, Any]:
    shares = np.array([run["n_training"]["with"], run["n_training"]["without"]], float)
    shares /= shares.sum()
    last, guess = float(run["losses"][-1]), float(-(shares * np.log(shares)).sum())
    return {"last_loss": last, "guess_loss": guess, "learnt": last < LEARNT_BELOW * guess}


def comparison_frame(runs: pd.DataFrame, inputs: Sequence[str]) -> pd.DataFrame:
    """Return a row for each pair of inputs: F1 of the second minus F1 of the first.

    Runs are paired by architecture and seed. The test is Wilcoxon's signed-rank test, adjusted
    over all pairs of inputs by Holm's method.
    """
    wide = runs.pivot(index=["architecture", "seed"], columns="input", values="f1")
    rows = []
    for first, second in combinations(inputs, 2):
        pairs = pair_scores(wide[first].to_numpy(), wide[second].to_numpy())
        test = wilcoxon_signed_rank(pairs.differences, resolution=pairs.resolution)
        median = float(np.median(pairs.differences)) if len(pairs.a) else np.nan
        rows.append(
            {
                "first": first,
                "second": second,
                "n_pairs": len(pairs.a),
                "n_equal": test.n_zero,
                "median_difference": median,
                "rank_biserial": test.rank_biserial,
                "p_value": test.p_value,
                "method": test.method,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.assign(p_holm=holm(frame["p_value"].tolist())) if rows else frame


def f1_table(runs: pd.DataFrame, architectures: Sequence[str], inputs: Sequence[str]) -> Table:
    """Return F1 by architecture (and of all) and input: mean, and range over seeds."""
    rows = [
        Row((name, *(_f1_text(own[own["input"] == one]["f1"]) for one in inputs)))
        for name in architectures
        for own in [runs[runs["architecture"] == name]]
    ]
    rows.append(Row(("all", *(_f1_text(runs[runs["input"] == one]["f1"]) for one in inputs))))
    columns = (TableColumn("Architecture", "name"), *(TableColumn(one) for one in inputs))
    caption = "F1 of test patches, in per cent: mean over seeds, lowest and highest in brackets."
    title = "F1 by architecture and input"
    return Table(columns, tuple(rows), title=title, caption=caption, notes=unlearnt_notes(runs))


def unlearnt_notes(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return what is to be told of networks that did not learn: their F1 says nothing of an input.

    Empty where all did.
    """
    own = runs[~runs["learnt"]]
    if not len(own):
        return ()
    named = (f"{one.architecture} with {one.input}, seed {one.seed}" for one in own.itertuples())
    return (
        f"{len(own)} of {len(runs)} networks did not learn ({'; '.join(named)}): their loss ended "
        f"above {_LEARNT_TEXT} of that of a guess. Their F1 tells how they were trained, not what "
        "can be seen on their input: give all networks more epochs (--epochs).",
    )


def learning_table(runs: pd.DataFrame) -> Table:
    """Return the loss that each network ended with, beside that of a guess."""
    columns = (
        TableColumn("Architecture", "name"),
        TableColumn("Input", "name"),
        TableColumn("Seed"),
        TableColumn("Last loss"),
        TableColumn("Of a guess"),
        TableColumn("Learnt", "text"),
    )
    rows = tuple(
        Row(
            (
                one["architecture"],
                one["input"],
                str(one["seed"]),
                number_text(one["last_loss"], 3),
                number_text(one["guess_loss"], 3),
                "yes" if one["learnt"] else "no",
            )
        )
        for one in runs.to_dict("records")
    )
    caption = (
        "Mean cross-entropy of the training patches in the last epoch. A guess knows how many "
        f"patches are of each kind; a network learnt if it ended below {_LEARNT_TEXT} of that."
    )
    return Table(columns, rows, title="How the networks learnt", caption=caption)


def _f1_text(values: pd.Series) -> str:
    known = 100 * values.dropna()
    if not len(known):
        return MISSING
    return f"{known.mean():.1f} ({known.min():.1f}–{known.max():.1f})"


def comparison_table(compared: pd.DataFrame) -> Table:
    """Return the comparison of inputs in print."""
    columns = (
        TableColumn("Inputs", "name"),
        TableColumn("Pairs"),
        TableColumn("Equal"),
        TableColumn("Median difference", unit="%"),
        TableColumn("Rank-biserial"),
        TableColumn("p"),
        TableColumn("p (Holm)"),
    )
    rows = tuple(
        Row(
            (
                f"{one['second']} minus {one['first']}",
                str(one["n_pairs"]),
                str(one["n_equal"]),
                number_text(100 * one["median_difference"], 1),
                number_text(one["rank_biserial"], 2),
                number_text(one["p_value"], 4),
                number_text(one["p_holm"], 4),
            )
        )
        for one in compared.to_dict("records")
    )
    caption = (
        "Differences of F1, paired by architecture and seed; Wilcoxon signed-rank test, two-sided. "
        "The test is about networks and seeds on these test patches, not about patients."
    )
    return Table(columns, rows, title="Inputs compared", caption=caption)
