"""Table 1 of the paper, computed from the tables of a study."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from cta_data.cohorts.clinical.vocabulary import PRIMARY_TUMOUR, PRIOR_BRAIN_RADIOTHERAPY
from cta_data.reports.table_1.populations import EVALUATED, SESSION, assign_populations, patients_of
from cta_data.reports.table_1.rows import SEXES, VOLUME
from cta_data.scoring.paper import published_table_1

Value = tuple[float, int]
"""A value (NaN where there is none) and how many values it rests on."""
COLUMNS = ["population", "row", "ours", "published", "n"]
SPREAD: dict[str, Callable[[pd.Series], float]] = {
    "median": lambda values: values.median(),
    "q1": lambda values: float(values.quantile(0.25)),
    "q3": lambda values: float(values.quantile(0.75)),
    "mean": lambda values: values.mean(),
    "sd": lambda values: values.std(ddof=1),
}


def population_table(
    subjects: pd.DataFrame,
    images: pd.DataFrame,
    lesions: pd.DataFrame,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Describe the patients and lesions of every population, beside what the paper printed.

    Parameters
    ----------
    subjects, images, lesions
        The study's tables.
    published
        Columns population, row and value; without it, Table 1 of the paper.

    Returns
    -------
    pandas.DataFrame
        One row a population and row of the table, with the columns population, row, ours,
        published and n (how many values `ours` rests on). NaN where there is no value: a count over
        values of which none was given is missing, not nought. Ages are years, volumes cm3;
        quartiles are linear, SD has ddof 1. `age_centre` is
        the median, or the mean where the paper printed mean and SD.
    """
    printed = published_table_1() if published is None else published
    order = list(dict.fromkeys(printed["population"]))
    sessions = assign_populations(subjects, images, order)
    patients = patients_of(sessions)
    evaluated = sessions[sessions["standing"] == EVALUATED]
    present = set(patients["population"])
    names = [name for name in order if name in present] + sorted(present - set(order))
    rows = []
    for name in names:
        mine = printed[printed["population"] == name].set_index("row")["value"]
        values = _patient_rows(patients[patients["population"] == name], mine)
        values |= _lesion_rows(evaluated[evaluated["population"] == name], lesions)
        for row, (ours, n) in values.items():
            theirs = float(mine.get(row, math.nan))
            rows.append((name, row, ours, theirs, n))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    kinds = {"ours": float, "published": float, "n": int}
    return frame.astype({"population": "string", "row": "string", **kinds})


def _patient_rows(patients: pd.DataFrame, printed: pd.Series) -> dict[str, Value]:
    annotated = int((patients["standing"] == EVALUATED).sum())
    rows: dict[str, Value] = {
        "patients": (len(patients), len(patients)),
        "patients_with_public_annotations": (annotated, len(patients)),
    }
    rows |= _levels(patients["sex"], "", SEXES, other="sex_other", absent="sex_not_given")
    rows |= _age_rows(patients["age_years"].astype(float), printed)
    for column, prefix, levels in (
        ("primary_tumour", "primary", PRIMARY_TUMOUR),
        ("prior_brain_radiotherapy", "prior", PRIOR_BRAIN_RADIOTHERAPY),
    ):
        other, absent = f"{prefix}_unrecognised", f"{prefix}_not_given"
        rows |= _levels(patients[column], f"{prefix}_", levels, other=other, absent=absent)
    return rows


def _levels(
    values: pd.Series, prefix: str, levels: tuple[str, ...], *, other: str, absent: str
) -> dict[str, Value]:
    """Count every level, what is none of them, and what was not given: their sum is all."""
    told = values.dropna()
    counts = {f"{prefix}{level}": int((told == level).sum()) for level in levels}
    counts[other] = len(told) - sum(counts.values())
    rows: dict[str, Value] = {
        name: (count if len(told) else math.nan, len(told)) for name, count in counts.items()
    }
    return rows | {absent: (len(values) - len(told), len(values))}


def _age_rows(ages: pd.Series, printed: pd.Series) -> dict[str, Value]:
    told = ages.dropna()
    spread = _spread(told)
    as_mean = pd.notna(printed.get("age_sd")) and pd.isna(printed.get("age_q1"))
    return {
        "age_centre": spread["mean" if as_mean else "median"],
        "age_q1": spread["q1"],
        "age_q3": spread["q3"],
        "age_sd": spread["sd"],
        "age_median": spread["median"],
        "age_mean": spread["mean"],
        "age_not_given": (len(ages) - len(told), len(ages)),
    }


def _lesion_rows(sessions: pd.DataFrame, lesions: pd.DataFrame) -> dict[str, Value]:
    """Describe the lesions of evaluated sessions, each on the grid that it was drawn on."""
    keys = sessions[[*SESSION, "grid", "quality"]]
    mine = keys.merge(lesions, on=SESSION, suffixes=("_session", ""))
    on_own_grid = (mine["grid"] == mine["grid_session"]).fillna(False).astype(bool)
    same_quality = mine["quality_session"].isna() | (mine["quality"] == mine["quality_session"])
    own = mine[on_own_grid & same_quality.fillna(False).astype(bool)]
    arrived = own[(own["n_voxels"].fillna(0) > 0).astype(bool)]
    # Where the grid of the drawing was never measured, there may be lesions that nobody counted.
    unknown = own.empty and not mine.empty
    spread = _spread(arrived["volume_cm3"].astype(float).dropna())
    return {
        "sessions": (len(sessions), len(sessions)),
        "lesions": (math.nan if unknown else len(arrived), len(own)),
        "lesions_lost": (math.nan if unknown else len(own) - len(arrived), len(own)),
        **{VOLUME.format(name): value for name, value in spread.items()},
    }


def _spread(values: pd.Series) -> dict[str, Value]:
    return {name: (compute(values), len(values)) for name, compute in SPREAD.items()}
