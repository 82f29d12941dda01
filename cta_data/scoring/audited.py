"""A second look at false positives: what readers make of them, and scores with their verdicts.

Only false positives are looked at, and never what a model missed. So scores with verdicts are
biased in the model's favour, and every output has to say so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

# The list of a review needs the verdicts alone.
if TYPE_CHECKING:
    import pandas as pd

METASTASIS = "metastasis"
VERDICTS = (METASTASIS, "vessel", "aneurysm", "other")
DISAGREED = "readers disagree"
"""Stands for the verdict where readers do not say the same; it counts as none of theirs."""
BIAS = "biased in the model's favour: only false positives were looked at again"
KEY = ["test_set", "model", "case", "predicted_lesion"]
ABOUT = ["technique", "cohort", "subject", "session"]
START = {"model": "C", "test_set": "internal-NAQ"}
"""Where the paper looked: model C reads SPACE, and readers of MPRAGE had missed what it found."""


def false_lesions(lesions: pd.DataFrame, audits: pd.DataFrame) -> pd.DataFrame:
    """Return every false lesion with its verdict, those without one first.

    Parameters
    ----------
    lesions
        One row per lesion of the reference and one a false positive, as `cta-data evaluate` keeps
        them.
    audits
        Valid verdicts, one row per reader: key columns, verdict, reader, decided_on, note.

    Returns
    -------
    pandas.DataFrame
        `verdict` is what all its readers say, or `DISAGREED`; `reader` and `note` name all of them,
        `decided_on` is the last day, and `verdicts` holds what each one said.
    """
    sizes = {"predicted_voxels": "voxels", "predicted_volume_mm3": "volume_mm3"}
    told = lesions[lesions["status"] == "false"]
    told = told.reindex(columns=[*KEY, *ABOUT, *sizes, "centroid_ras_mm"])
    told = told.rename(columns=sizes)
    told = told.astype({"predicted_lesion": "int64"})
    joined = told.merge(_together(audits), how="left", on=KEY)
    joined["open"] = joined["verdict"].isna()
    order = joined.sort_values(["open", *KEY], ascending=[False, *[True] * len(KEY)])
    return order.drop(columns="open").reset_index(drop=True)


def _together(audits: pd.DataFrame) -> pd.DataFrame:
    """Return one row a false lesion, of what its readers say."""
    import pandas as pd

    said = ["reader", "verdict", "decided_on", "note"]
    rows = []
    for key, part in audits.reindex(columns=[*KEY, *said]).groupby(KEY, sort=True):
        readings = part.sort_values("reader")[said].to_dict("records")
        verdicts = sorted({str(one["verdict"]) for one in readings})
        notes = [str(one["note"]) for one in readings if pd.notna(one["note"]) and one["note"]]
        rows.append(
            dict(zip(KEY, key, strict=True))
            | {
                "verdict": verdicts[0] if len(verdicts) == 1 else DISAGREED,
                "reader": ", ".join(str(one["reader"]) for one in readings),
                "decided_on": max(str(one["decided_on"]) for one in readings),
                "note": "; ".join(notes) or None,
                "verdicts": [
                    {name: None if pd.isna(value) else value for name, value in one.items()}
                    for one in readings
                ],
            }
        )
    columns = [*KEY, "verdict", "reader", "decided_on", "note", "verdicts"]
    return pd.DataFrame(rows, columns=columns).astype({"predicted_lesion": "int64"})


def with_verdicts(cases: pd.DataFrame, false_positives: pd.DataFrame) -> pd.DataFrame:
    """Return detection of every case with and without the false lesions judged metastases.

    Each such lesion becomes a lesion of the reference that was found: one true positive more, one
    false positive less, one lesion more in the reference. Nothing else changes.

    Parameters
    ----------
    cases
        One row per case: columns test_set, model, case, n_reference, tp, fp, fn, sensitivity, ppv
        and f1.
    false_positives
        As `false_lesions` returns them: a verdict on what is none now does not count.

    Returns
    -------
    pandas.DataFrame
        Those columns, the same with `_audited`, `metastases`, and `bias`, which says what to think
        of it. A ratio of nothing to nothing is NaN.
    """
    found = false_positives[false_positives["verdict"] == METASTASIS]
    counts = found.groupby(KEY[:3]).size().rename("metastases").reset_index()
    table = cases.merge(counts, how="left", on=KEY[:3])
    more = table["metastases"].fillna(0).astype("int64")
    kept = [*KEY[:3], "n_reference", "tp", "fp", "fn", "sensitivity", "ppv", "f1"]
    result = table[kept].assign(
        metastases=more,
        n_reference_audited=table["n_reference"] + more,
        tp_audited=table["tp"] + more,
        fp_audited=table["fp"] - more,
    )
    tp, fp, fn = result["tp_audited"], result["fp_audited"], result["fn"]
    return result.assign(
        sensitivity_audited=_ratio(tp, tp + fn),
        ppv_audited=_ratio(tp, tp + fp),
        f1_audited=_ratio(2 * tp, 2 * tp + fp + fn),
        bias=BIAS,
    )


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return (part / whole.where(whole > 0)).astype("float64").where(whole > 0, math.nan)
