"""Which patient counts in which population of Table 1, and which in none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

SESSION = ["cohort", "subject", "session"]
NO_ANNOTATION = "annotation_not_delivered"
"""Code of the exclusion of a session that was converted and has nothing to score."""
TECHNIQUE_OF_QUALITY = {"NAQ": "MPRAGE", "HAQ": "SPACE"}
EVALUATED, UNANNOTATED, LEFT_OUT = "evaluated", "unannotated", "left out"


def assign_populations(
    subjects: pd.DataFrame, images: pd.DataFrame, known: Iterable[str] = ()
) -> pd.DataFrame:
    """Give every session its population and say whether it counts.

    An external cohort is one population. A cohort that is split is one a technique of annotation
    and partition, such as `internal_space_train`; before a build there is no partition, and the
    population is `internal_space`.

    Parameters
    ----------
    subjects, images
        The study's tables; a session is converted when it has an image.
    known
        Names of published populations, whose spelling is used where only the case differs.

    Returns
    -------
    pandas.DataFrame
        The rows of `subjects` in the order of cohort, subject and session, one a source technique,
        with the columns population, grid (technique whose grid the lesions were drawn on) and
        standing: `evaluated`, `unannotated` (counts as a patient, has no lesions to score) or
        `left out`.
    """
    number = subjects["session"].str.zfill(8)
    rows = subjects.assign(_order=number).sort_values(["cohort", "subject", "_order"])
    rows = rows.drop(columns="_order").reset_index(drop=True)
    rows = _one_row_a_technique(rows)
    partition = rows["partition"]
    excluded = (partition == "excluded").fillna(False).astype(bool)
    in_trial = partition.isna() | partition.isin(["train", "test"])
    split = rows["cohort"].isin(rows.loc[in_trial, "cohort"])
    rows["grid"] = rows["annotation_technique"]
    spelling = {name.lower(): name for name in known}
    names = [
        _name(*values)
        for values in zip(
            rows["cohort"], rows["grid"].fillna(""), partition.fillna(""), split, strict=True
        )
    ]
    rows["population"] = pd.array(
        [None if name is None else spelling.get(name.lower(), name) for name in names],
        dtype="string",
    )
    converted = _has_row(rows, images)
    without = (rows["exclusion_code"] == NO_ANNOTATION).fillna(False).astype(bool)
    without = excluded & without & ~split
    named = rows["population"].notna().to_numpy(dtype=bool)
    rows["standing"] = np.select(
        [converted & named & ~excluded, converted & without], [EVALUATED, UNANNOTATED], LEFT_OUT
    )
    return rows


def _one_row_a_technique(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for every source technique of a session, with the quality that it has there.

    Who was annotated on two techniques belongs to the populations of both.
    """
    pairs = [
        _pairs(techniques, qualities)
        for techniques, qualities in zip(
            rows["annotation_techniques"], rows["qualities"], strict=True
        )
    ]
    many = rows.drop(columns=["annotation_techniques", "qualities"]).assign(
        _pair=pd.Series(pairs, index=rows.index, dtype=object)
    )
    many = many.explode("_pair", ignore_index=True)
    for place, name in enumerate(("annotation_technique", "quality")):
        many[name] = pd.array([pair[place] for pair in many["_pair"]], dtype="string")
    return many.drop(columns="_pair")


def _pairs(techniques: Any, qualities: Any) -> list[tuple[str | None, str | None]]:
    names = [] if techniques is None else list(techniques)
    known = [] if qualities is None else list(qualities)
    if not names:
        names = [TECHNIQUE_OF_QUALITY.get(quality) for quality in known]
    if len(known) != len(names):
        known = [None] * len(names)
    return list(zip(names, known, strict=True)) or [(None, None)]


def _name(cohort: str, technique: str, partition: str, split: bool) -> str | None:
    if not split:
        return cohort
    if not technique or partition == "excluded":
        return None
    name = f"{cohort}_{technique.lower()}"
    return f"{name}_{partition}" if partition else name


def is_unpartitioned(population: str) -> bool:
    """Tell whether a population is a technique of a cohort that is not split yet.

    Labels of cohorts and techniques hold no underscore.
    """
    return population.count("_") == 1


def _has_row(rows: pd.DataFrame, images: pd.DataFrame) -> np.ndarray:
    present = set(images[SESSION].itertuples(index=False, name=None))
    keys = rows[SESSION].itertuples(index=False, name=None)
    return np.fromiter((key in present for key in keys), dtype=bool, count=len(rows))


def patients_of(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return one session for each patient of each population: the first that is evaluated.

    A patient without any is there with the first session that has no annotation; what is told of
    the person is taken from the session that is returned.
    """
    counted = sessions[sessions["standing"] != LEFT_OUT]
    evaluated_first = counted.sort_values(
        "standing", key=lambda column: column != EVALUATED, kind="stable"
    )
    first = evaluated_first.drop_duplicates(["population", "cohort", "subject"])
    return first.sort_values(["population", "cohort", "subject"]).reset_index(drop=True)


def patients_left_out(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the patients that count in no population, each with a reason.

    Returns
    -------
    pandas.DataFrame
        Columns cohort, subject and reason: that of the patient's first session.
    """
    counted = sessions.loc[sessions["standing"] != LEFT_OUT, ["cohort", "subject"]]
    keys = set(counted.itertuples(index=False, name=None))
    first = sessions.drop_duplicates(["cohort", "subject"])
    mine = [key not in keys for key in zip(first["cohort"], first["subject"], strict=True)]
    out = first.loc[mine, ["cohort", "subject", "exclusion_reason"]]
    out = out.rename(columns={"exclusion_reason": "reason"}).reset_index(drop=True)
    return out.fillna({"reason": "not converted, or source technique not known"})
