"""Patient flow: where every subject-session of a study went, counted so that nothing is lost."""

from __future__ import annotations

import re

import pandas as pd

SESSION = ["cohort", "subject", "session"]
ADDED, EXCLUDED, TRAINING = "added", "excluded", "training"
INTERNAL_TEST, EXTERNAL_TEST, UNASSIGNED = "internal test", "external test", "not assigned yet"
STAGES = (TRAINING, INTERNAL_TEST, EXTERNAL_TEST, UNASSIGNED, EXCLUDED)
"""Where a subject-session ends, in the order of the diagram; each is in one of them."""
COLUMNS = ["cohort", "stage", "quality", "reason", "sessions", "patients", "lesions"]
UNTOLD = "no reason was told"
_STAGE_OF = {
    "train": TRAINING,
    "test": INTERNAL_TEST,
    "external": EXTERNAL_TEST,
    "excluded": EXCLUDED,
}
_BRACKETS = re.compile(r" \([^()]*\)")
_LATER = re.compile(r"; | \(|\. |, where ")
_OF_ONE = re.compile(r".*/.*|[A-Z0-9]+")
"""A file, or a technique, before what is wrong with it."""


def patient_flow(subjects: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """Count subject-sessions, patients and lesions by cohort and stage.

    In each cohort, the row `added` is the sum of the others, in each of the three counts.

    Parameters
    ----------
    subjects, lesions
        The study's tables.

    Returns
    -------
    pandas.DataFrame
        One row a cohort and stage: cohort, stage (`added`, or one of `STAGES`), quality (of those
        that train or test), reason (of those excluded, its class), sessions (subject-sessions),
        patients (each counted once a cohort: where one of the patient's sessions is used, else
        where the first one is), lesions (ids, each counted once however many grids it is on; those
        of sessions whose lesions were never measured are not known and not counted).
    """
    rows = subjects.sort_values(SESSION).reset_index(drop=True)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    stage = rows["partition"].map(_STAGE_OF).fillna(UNASSIGNED)
    reasons = rows["exclusion_reason"].fillna("").map(reason_class)
    used = stage.isin([TRAINING, INTERNAL_TEST])
    placed = rows[SESSION].assign(
        stage=stage.astype(object),
        quality=rows["quality"].astype(object).where(used & rows["quality"].notna(), ""),
        reason=reasons.astype(object).where(stage == EXCLUDED, ""),
        rank=stage.map({name: number for number, name in enumerate(STAGES)}),
        sessions=1,
    )
    placed["lesions"] = _lesions_of(placed, lesions)
    placed["patients"] = _is_where_the_patient_counts(placed).astype("int64")
    return _counted(placed)


def reason_class(reason: str) -> str:
    """Return a reason without what is of one session alone: measured values, files, what to do.

    `transfer: held back: lesion 1 on MPRAGE: surface distance 1.50 mm` is `transfer: held back`;
    `convert: sub-01/a.nii.gz: the file is damaged (…)` is `convert: the file is damaged`.
    """
    if not reason:
        return UNTOLD
    short = _LATER.split(_BRACKETS.sub("", reason), maxsplit=1)[0]
    step, *rest = short.split(": ")
    if not rest or not step.isalpha():
        return step
    told = [part for part in rest if not _OF_ONE.fullmatch(part)] or rest
    return f"{step}: {told[0]}"


def _lesions_of(placed: pd.DataFrame, lesions: pd.DataFrame) -> pd.Series:
    once = lesions.drop_duplicates([*SESSION, "quality", "lesion_id"])
    counts = once.groupby(SESSION).size().rename("n").reset_index()
    return placed[SESSION].merge(counts, how="left", on=SESSION)["n"].fillna(0).astype("int64")


def _is_where_the_patient_counts(placed: pd.DataFrame) -> pd.Series:
    """Tell the one session of each patient that the patient is counted with."""
    by_use = placed.sort_values("rank", kind="stable")
    return ~by_use.duplicated(["cohort", "subject"]).reindex(placed.index)


def _counted(placed: pd.DataFrame) -> pd.DataFrame:
    counts = ["sessions", "patients", "lesions"]
    parts = placed.groupby(["cohort", "rank", "stage", "quality", "reason"], as_index=False)[counts]
    added = placed.groupby("cohort", as_index=False)[counts].sum()
    added = added.assign(rank=-1, stage=ADDED, quality="", reason="")
    rows = pd.concat([added, parts.sum()], ignore_index=True)
    # Of the reasons of a cohort, the one of most sessions first.
    rows["_most"] = -rows["sessions"].where(rows["stage"] == EXCLUDED, 0)
    ordered = rows.sort_values(["cohort", "rank", "_most", "quality", "reason"])
    return ordered[COLUMNS].reset_index(drop=True)
