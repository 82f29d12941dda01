"""Which reference lesions model A alone finds, model B alone, both, or none of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import PAIR, in_paper_order, printed_name, published_found_instances

KINDS = ("both", "B only", "A only", "none")


def found_lesions(first: ScoredSet, second: ScoredSet) -> pd.DataFrame:
    """Return one row a reference lesion of the cases that both models were scored on.

    The two have the same references, so that lesions have the same numbers.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, case, reference_lesion, lesion_ids (where the study's lesions are known),
        volume_cm3, found (`both`, `A only`, `B only`, `none`, where A is the first model and B the
        second).
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
        for lesion in case.reference:
            a, b = lesion.lesion in told[0], lesion.lesion in told[1]
            kind = ("both" if b else "A only") if a else ("B only" if b else "none")
            ids = " ".join(map(str, lesion.lesion_ids))
            volume_cm3 = lesion.volume_mm3 / 1000
            rows.append((first.test_set, case.case, lesion.lesion, ids, volume_cm3, kind))
    names = ["test_set", "case", "reference_lesion", "lesion_ids", "volume_cm3", "found"]
    return pd.DataFrame(rows, columns=names)


def found_by_patient(first: ScoredSet, second: ScoredSet) -> pd.DataFrame:
    """Count the lesions of each case that both models were scored on, one row a case.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, case, lesions, both, B only, A only, none. A case without a lesion in
        its reference has zeros.
    """
    lesions = found_lesions(first, second)
    names = {case.case for case in second.scores.cases}
    both = [case.case for case in first.scores.cases if case.case in names]
    counts = pd.crosstab(lesions["case"], lesions["found"])
    counts = counts.reindex(index=both, columns=list(KINDS), fill_value=0).astype("int64")
    rows = counts.rename_axis(index="case", columns=None).reset_index()
    rows.insert(0, "test_set", first.test_set)
    rows.insert(2, "lesions", rows[list(KINDS)].sum(axis=1))
    return rows


def model_pairs(
    sets: Sequence[ScoredSet], models: tuple[str, str] = PAIR
) -> Iterator[tuple[ScoredSet, ScoredSet]]:
    """Yield the two models' scores of every test set that has both, in the paper's order.

    Both have to read one technique: lesions are compared by their numbers in the reference.
    """
    for test_set in in_paper_order(one.test_set for one in sets):
        mine = {one.model: one for one in sets if one.test_set == test_set}
        if set(models) <= set(mine):
            first, second = (mine[name] for name in models)
            if first.technique == second.technique:
                yield first, second


def found_instances(
    sets: Sequence[ScoredSet],
    models: tuple[str, str] = PAIR,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Count what two models found, per test set.

    Test sets are not added up: the paper does not either.

    Parameters
    ----------
    published
        The paper's counts; without it, those that are shipped. They stand beside models A and B
        only.

    Returns
    -------
    pandas.DataFrame
        One row per test set: cases, patients (whose sessions these are), cases_left_out (with a
        reference, but not scored for both models), lesions, the number of each kind,
        `additional_per_patient` (lesions found by B alone less those found by A alone, per
        patient), patients with more lesions found by the one model alone than by the other, and the
        paper's numbers as `published_b_only`, `published_a_only` and
        `published_additional_per_patient` (NaN where it has none).
    """
    printed = published_found_instances() if published is None else published
    rows = []
    for first, second in model_pairs(sets, models):
        cases = found_by_patient(first, second)
        persons = [first.patients.get(case, (case,))[:2] for case in cases["case"]]
        patients = cases[list(KINDS)].groupby(pd.Series(persons, dtype="object")).sum()
        a, b = patients["A only"], patients["B only"]
        known = first.reference_cases | second.reference_cases
        rows.append(
            {
                "test_set": first.test_set,
                "cases": len(cases),
                "patients": len(patients),
                "cases_left_out": len(known - set(cases["case"])),
                "lesions": int(cases["lesions"].sum()),
                **{kind: int(patients[kind].sum()) for kind in KINDS},
                "additional_per_patient": float((b - a).mean()) if len(patients) else math.nan,
                "patients_b_finds_more": int((b > a).sum()),
                "patients_a_finds_more": int((a > b).sum()),
                **_published(printed, first, second),
            }
        )
    return pd.DataFrame(rows)


def _published(published: pd.DataFrame, first: ScoredSet, second: ScoredSet) -> dict[str, float]:
    """Return the paper's numbers, where models and test set are the paper's."""
    same = published["test_set"] == printed_name(first.test_set)
    own = (first.model, second.model) == PAIR and first.as_published and second.as_published
    rows = published[same & own].set_index("found_only_by")
    values = {
        "published_b_only": (PAIR[1], "lesions"),
        "published_a_only": (PAIR[0], "lesions"),
        "published_additional_per_patient": (PAIR[1], "additional_per_patient"),
    }
    return {
        name: float(rows.loc[model, column]) if model in rows.index else math.nan  # type: ignore[arg-type]
        for name, (model, column) in values.items()
    }
