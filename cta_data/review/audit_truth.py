"""False positives of digital patients held against what their heads really hold.

Only of phantoms is the truth known. What a reader missed on the technique that the reference was
drawn on, a model may find on another: that is then no false positive, and the paper counts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.files import read_json
from cta_data.imaging.geometry.grid import same_grid
from cta_data.scoring import Convention
from cta_data.scoring.instances import instances_of_voxels
from cta_data.scoring.mask_files import MaskVoxels, mask_path, read_mask
from cta_data.study.layout import PREDICTIONS
from cta_data.study.sourcedata import ACCEPTED
from cta_data.study.study import Study

MISSED = "a real lesion that the reader missed"
DRAWN = "a part of a lesion that the reader drew"
TOUCHES = "it touches a real lesion that the reader missed, and does not detect it"
NOTHING = "no lesion"
UNKNOWN = "not known"
KEY = ["test_set", "model", "case", "technique", "cohort", "subject"]


@dataclass(frozen=True)
class TrueLesion:
    """One lesion of a phantom: its voxels (flat indices, RAS order), and whether it was drawn."""

    number: int
    voxels: frozenset[int]
    drawn: bool


def with_truth(
    study: Study, rows: pd.DataFrame, truth: Path, convention: Convention
) -> pd.DataFrame:
    """Say of every false positive what it is in truth.

    A false positive is a true lesion where their Dice is detected by the convention.

    Parameters
    ----------
    rows
        False positives, as `audited` returns them.
    truth
        Folder `truth` of a phantom trial, one folder a PatientID.

    Returns
    -------
    pandas.DataFrame
        The rows, with `truth` (`MISSED`, `TOUCHES`, `DRAWN`, `NOTHING`, or `UNKNOWN` and why) and
        `true_lesion`, its number in the truth (missing where there is none).

    Raises
    ------
    ConfigurationError
        The folder holds no truth.
    """
    if not any(truth.glob("*/lesions.json")):
        raise ConfigurationError("phantom_truth_not_found", where=truth)
    told: dict[int, tuple[str, int | None]] = {}
    for key, part in rows.fillna({name: "" for name in KEY}).groupby(KEY, sort=False):
        about = {name: str(value) for name, value in zip(KEY, key, strict=True)}
        try:
            lesions, masks = _of_case(study, about, truth, convention)
        except CtaError as error:
            told |= {row: (f"{UNKNOWN}: {error}", None) for row in part.index}
            continue
        for row, number in part["predicted_lesion"].items():
            told[int(row)] = _what_it_is(masks[int(number)], lesions, convention)  # type: ignore[call-overload]
    words = [told[row][0] for row in rows.index]
    numbers = pd.array([told[row][1] for row in rows.index], dtype="Int64")
    return rows.assign(truth=words, true_lesion=numbers)


def count_truth(rows: pd.DataFrame) -> pd.DataFrame:
    """Count false positives by what they are in truth.

    Returns
    -------
    pandas.DataFrame
        One row a model and test set: false_positives, missed_by_reader, touches_missed,
        drawn_by_reader, no_lesion, not_known. A lesion that several false positives make up counts
        once more for each.
    """
    kinds = {
        "missed_by_reader": MISSED,
        "touches_missed": TOUCHES,
        "drawn_by_reader": DRAWN,
        "no_lesion": NOTHING,
    }
    made = []
    for (test_set, model), part in rows.groupby(["test_set", "model"]):
        counts = {name: int((part["truth"] == kind).sum()) for name, kind in kinds.items()}
        unknown = len(part) - sum(counts.values())
        about = {"test_set": test_set, "model": model, "false_positives": len(part)}
        made.append(about | counts | {"not_known": unknown})
    return pd.DataFrame(made)


def truth_in_words(counts: pd.DataFrame) -> list[str]:
    """Return a line for each model and test set, from what `count_truth` counted."""
    return [
        f"model {row['model']} on {row['test_set']}: of {row['false_positives']} false positives, "
        f"real lesions that the reader missed: {row['missed_by_reader']}; "
        f"touching one: {row['touches_missed']}; "
        f"parts of lesions that the reader drew: {row['drawn_by_reader']}; "
        f"no lesion: {row['no_lesion']}"
        + (f"; not known: {row['not_known']}" if row["not_known"] else "")
        for row in counts.to_dict("records")
    ]


def _what_it_is(
    voxels: frozenset[int], lesions: list[TrueLesion], convention: Convention
) -> tuple[str, int | None]:
    """Return what a false positive is: of several true lesions, the one it shares most with."""
    shared = sorted(
        ((len(voxels & one.voxels), one) for one in lesions if voxels & one.voxels),
        key=lambda pair: (-pair[0], pair[1].number),
    )
    for count, one in shared:
        if convention.detected(count, len(one.voxels), len(voxels)):
            return (DRAWN if one.drawn else MISSED), one.number
    for _, one in shared:
        return (DRAWN if one.drawn else TOUCHES), one.number
    return NOTHING, None


def _of_case(
    study: Study, about: dict[str, str], truth: Path, convention: Convention
) -> tuple[list[TrueLesion], dict[int, frozenset[int]]]:
    """Return the true lesions of a case, and the voxels of each predicted instance."""
    folder = study.root / PREDICTIONS / about["model"] / about["test_set"]
    path = mask_path(folder, about["case"])
    if path is None or not about["cohort"]:
        raise DataRefused("phantom_case_unknown", where=about["case"])
    mask = read_mask(path)
    patient = truth / _patient_id(study, about["cohort"], about["subject"])
    labels = read_mask(patient / f"lesions_{about['technique']}.nii.gz")
    if not same_grid(mask.grid, labels.grid):
        raise DataRefused("truth_grid_differs", where=about["case"])
    rows = read_json(patient / "lesions.json")
    drawn = {int(row["id"]): bool(row["seen_by_reader"]) for row in rows}
    lesions = [TrueLesion(number, voxels, drawn[number]) for number, voxels in _by_value(labels)]
    instances = instances_of_voxels(mask.index, mask.shape, convention)
    numbers = np.repeat(instances.of_run + 1, instances.runs.lengths)
    numbered = MaskVoxels(mask.index, numbers, mask.shape, mask.affine)
    return lesions, dict(_by_value(numbered))


def _patient_id(study: Study, cohort: str, subject: str) -> str:
    inventory = study.inventory(cohort)
    rows = inventory.subjects if inventory else ()
    found = [r.source_id for r in rows if r.subject == subject and r.status == ACCEPTED]
    if len(found) != 1:
        raise DataRefused("patient_id_unknown", where=f"{cohort} sub-{subject}")
    return found[0]


def _by_value(mask: MaskVoxels) -> Iterator[tuple[int, frozenset[int]]]:
    for value in np.unique(mask.values).tolist():
        yield int(value), frozenset(mask.index[mask.values == value].tolist())
