"""Which reference lesions model A alone finds, model B alone, both, or none of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cta_data.evaluation.experiment.sets import ScoredSet

KINDS = ("both", "B only", "A only", "none")


def found_lesions(first: ScoredSet, second: ScoredSet) -> pd.DataFrame:
    """Return one row a reference lesion of the cases that both models were scored on.

    The two have the same references, so that lesions have the same numbers.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, case, reference_lesion, volume_cm3, found (`both`, `A only`, `B only`,
        `none`, where A is the first model and B the second).
    """
    other = {case.case: case for case in second.scores.cases}
    rows = []
    for case in first.scores.cases:
        if case.case not in other:
            continue
        told = [
            {pair.reference_lesion for pair in one.pairs if pair.detected}
            for one in (case, other[case.case])
        ]
        for number, volume in enumerate(case.reference_volumes_mm3, start=1):
            a, b = number in told[0], number in told[1]
            kind = ("both" if b else "A only") if a else ("B only" if b else "none")
            rows.append((first.test_set, case.case, number, volume / 1000, kind))
    names = ["test_set", "case", "reference_lesion", "volume_cm3", "found"]
    return pd.DataFrame(rows, columns=names)


def found_instances(
    sets: Sequence[ScoredSet], models: tuple[str, str] = ("A", "B")
) -> pd.DataFrame:
    """Count what two models found, per test set and per patient.

    Returns
    -------
    pandas.DataFrame
        One row a test set: cases, lesions, the number of each kind, and patients with more lesions
        found by the one model alone than by the other.
    """
    rows = []
    for test_set in dict.fromkeys(one.test_set for one in sets):
        mine = {one.model: one for one in sets if one.test_set == test_set}
        if not set(models) <= set(mine):
            continue
        lesions = found_lesions(mine[models[0]], mine[models[1]])
        counts = lesions["found"].value_counts()
        per_case = lesions.groupby("case")["found"].value_counts().unstack(fill_value=0)
        a = per_case.get("A only", pd.Series(0, index=per_case.index))
        b = per_case.get("B only", pd.Series(0, index=per_case.index))
        rows.append(
            {
                "test_set": test_set,
                "cases": lesions["case"].nunique(),
                "lesions": len(lesions),
                **{kind: int(counts.get(kind, 0)) for kind in KINDS},
                "patients_b_finds_more": int((b > a).sum()),
                "patients_a_finds_more": int((a > b).sum()),
            }
        )
    return pd.DataFrame(rows)
