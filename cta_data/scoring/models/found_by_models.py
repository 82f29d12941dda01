"""Which of the study's lesions each model found, paired by lesion id across grids.

A and B are scored on the grid of MPRAGE, C and D on that of SPACE. The instances of two grids have
numbers of their own; the id of a lesion is the same on both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import in_paper_order

KEY = ["test_set", "case", "lesion_id"]
NOBODY = "none"
UNSCORED = "not scored for all"


def lesions_by_models(sets: Sequence[ScoredSet]) -> pd.DataFrame:
    """Return one row a lesion of a test set whose lesion ids are known.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, case, lesion_id, and of each model `found_<model>` (missing where the
        case was not scored, or the lesion has no voxel on the model's grid) and
        `volume_cm3_<model>`, of the instances on the grid of the model that hold the lesion. A
        lesion of several parts is found where one of them is.
    """
    parts = [_lesions(one) for one in sets]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=KEY)
    rows = pd.concat(filled, ignore_index=True)
    wide = rows.pivot(index=KEY, columns="model", values=["found", "volume_cm3"])
    types = {"found": "boolean", "volume_cm3": "float64"}
    columns = {
        f"{value}_{model}": wide[value, model].astype(types[value])
        for value in types
        for model in sorted(set(rows["model"]))
    }
    ordered = pd.DataFrame(columns).reset_index()
    ranks = {name: n for n, name in enumerate(in_paper_order(ordered["test_set"]))}
    return ordered.sort_values(KEY, key=lambda c: c.map(ranks) if c.name == KEY[0] else c)


def found_by_models(lesions: pd.DataFrame) -> pd.DataFrame:
    """Count lesions by the models that found them.

    Parameters
    ----------
    lesions
        As `lesions_by_models` returns them.

    Returns
    -------
    pandas.DataFrame
        One row per test set and group of models (`A, B, C`, `B, C`, …, `none`): models that ran
        on the test set, found_by, lesions. Lesions that were not scored for all of its models are
        counted as such.
    """
    rows: list[tuple[str, str, str, int]] = []
    names = [str(name) for name in lesions if str(name).startswith("found_")]
    for test_set, part in lesions.groupby("test_set", sort=False):
        run = [name for name in names if part[name].notna().any()]
        models = [name.removeprefix("found_") for name in run]
        counts = Counter(_group(found, models) for found in part[run].itertuples(index=False))
        groups = sorted(counts, key=lambda name: (name in (NOBODY, UNSCORED), name))
        rows += [(str(test_set), ", ".join(models), name, counts[name]) for name in groups]
    return pd.DataFrame(rows, columns=["test_set", "models", "found_by", "lesions"])


def _group(found: Iterable[object], models: list[str]) -> str:
    values = list(found)
    if any(value is pd.NA for value in values):
        return UNSCORED
    return ", ".join(m for m, f in zip(models, values, strict=True) if f) or NOBODY


def _lesions(one: ScoredSet) -> pd.DataFrame:
    found: dict[tuple[str, int], bool] = {}
    volume_cm3: dict[tuple[str, int], float] = {}
    for case in one.scores.cases:
        missed = {lesion.lesion for lesion in case.missed}
        for lesion in case.reference:
            for lesion_id in lesion.lesion_ids:
                key = case.case, lesion_id
                found[key] = found.get(key, False) or lesion.lesion not in missed
                volume_cm3[key] = volume_cm3.get(key, 0.0) + lesion.volume_mm3 / 1000
    rows = [(one.test_set, *key, one.model, found[key], volume_cm3[key]) for key in found]
    return pd.DataFrame(rows, columns=[*KEY, "model", "found", "volume_cm3"])
