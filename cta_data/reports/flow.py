"""Patient flow: where every subject-session of a study went, counted so that nothing is lost."""

from __future__ import annotations

import pandas as pd

from cta_data.study.annotations import joined

SESSION = ["cohort", "subject", "session"]
ADDED, EXCLUDED, TRAINING = "added", "excluded", "training"
INTERNAL_TEST, EXTERNAL_TEST, UNASSIGNED = "internal test", "external test", "not assigned yet"
STAGES = (TRAINING, INTERNAL_TEST, EXTERNAL_TEST, UNASSIGNED, EXCLUDED)
"""Where a subject-session ends, in the order of the diagram; each is in one of them."""
COLUMNS = ["cohort", "stage", "quality", "reason", "sessions", "patients", "lesions"]
UNTOLD = "no reason was recorded"
_STAGE_OF = {
    "train": TRAINING,
    "test": INTERNAL_TEST,
    "external": EXTERNAL_TEST,
    "excluded": EXCLUDED,
}


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
        where the first one is), lesions (of all annotations, each counted once however many grids
        it is on; lesions of sessions that were never measured are unknown and not counted).
    """
    rows = subjects.sort_values(SESSION).reset_index(drop=True)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    stage = rows["partition"].map(_STAGE_OF).fillna(UNASSIGNED)
    told = rows[["exclusion_step", "exclusion_code"]].fillna("")
    reasons = pd.Series(map(reason_class, told.iloc[:, 0], told.iloc[:, 1]), rows.index)
    used = stage.isin([TRAINING, INTERNAL_TEST])
    placed = rows[SESSION].assign(
        stage=stage.astype(object),
        quality=rows["qualities"].map(joined).astype(object).where(used, ""),
        reason=reasons.astype(object).where(stage == EXCLUDED, ""),
        rank=stage.map({name: number for number, name in enumerate(STAGES)}),
        sessions=1,
    )
    placed["lesions"] = _lesions_of(placed, lesions)
    placed["patients"] = _is_where_the_patient_counts(placed).astype("int64")
    return _counted(placed)


def reason_class(step: str, code: str) -> str:
    """Return what sessions of one reason have in common, in words: the step, and what was found.

    `register` and `on_hold` are `register: on hold`.
    """
    found = code.replace("_", " ") or UNTOLD
    return f"{step}: {found}" if step else found


def _lesions_of(placed: pd.DataFrame, lesions: pd.DataFrame) -> pd.Series:
    once = lesions.drop_duplicates([*SESSION, "annotation", "lesion_id"])
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
