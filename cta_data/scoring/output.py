"""Scores as JSON content and as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cta_data.files import written_whole
from cta_data.scoring.case import CaseScore, LesionInstance, PairScore
from cta_data.scoring.collection import Scores
from cta_data.scoring.mask_files import Label
from cta_data.scoring.summary import METRICS
from cta_data.scoring.surfaces import SurfaceDistances

DISTANCES = ("hausdorff_mm", "hausdorff95_mm", "mean_surface_mm")
LESION_COLUMNS = {
    "case": "str",
    "status": "str",
    "reference_lesion": "Int64",
    "lesion_ids": "object",
    "predicted_lesion": "Int64",
    "dice": "float64",
    "intersection_voxels": "Int64",
    "reference_voxels": "Int64",
    "predicted_voxels": "Int64",
    "reference_volume_mm3": "float64",
    "predicted_volume_mm3": "float64",
    "centroid_ras_mm": "object",
}
LISTS = ("lesion_ids", "centroid_ras_mm")
COUNTS = ("n_reference", "n_predicted", "tp", "fp", "fn")


def as_content(scores: Scores) -> dict[str, Any]:
    """Return scores as plain JSON content; what is undefined is None."""
    return {
        "convention": scores.convention.name,
        "options": scores.convention.options() | {"label": _label_content(scores.label)},
        "cases": [_case(one) for one in scores.cases],
        "summary": {name: _defined(asdict(one)) for name, one in scores.summary().items()},
        "failed": [{"case": case, "reason": reason} for case, reason in scores.failed],
        "without_prediction": list(scores.pairing.without_prediction),
        "without_reference": list(scores.pairing.without_reference),
        "absent_labels": list(scores.absent_labels),
    }


def label_text(label: Label) -> str | None:
    """Return the label as it is given on the command line."""
    return ",".join(map(str, label)) if isinstance(label, tuple) else label


def _label_content(label: Label) -> object:
    """Return one label as a number, several as a list."""
    if not isinstance(label, tuple):
        return label
    return label[0] if len(label) == 1 else list(label)


def _case(score: CaseScore) -> dict[str, Any]:
    numbers = {name: getattr(score, name) for name in ("case", *COUNTS, *METRICS)}
    return _defined(numbers | _surface(score.surface)) | {
        "pairs": [_pair(pair) for pair in score.pairs],
        "missed": [_single(one, "reference_lesion") for one in score.missed],
        "false": [_single(one, "predicted_lesion") for one in score.false],
    }


def _pair(pair: PairScore) -> dict[str, Any]:
    content = asdict(replace(pair, surface=None))
    del content["surface"]
    return content | _surface(pair.surface)


def _surface(distances: SurfaceDistances | None) -> dict[str, Any]:
    """Return the distances where they were measured, and nothing where they were not."""
    return {} if distances is None else _defined(asdict(distances))


def _single(one: LesionInstance, name: str) -> dict[str, Any]:
    return {
        name: one.lesion,
        "voxels": one.voxels,
        "volume_mm3": one.volume_mm3,
        "centroid_ras_mm": list(one.centroid_ras_mm),
    }


def _defined(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in content.items()
    }


def case_frame(scores: Scores) -> pd.DataFrame:
    """Return one row a case: its counts, its metrics, and the convention."""
    rows = [
        {n: getattr(c, n) for n in ("case", *COUNTS, *METRICS)} | _surface(c.surface)
        for c in scores.cases
    ]
    known = any(case.surface for case in scores.cases)
    names = ["case", *COUNTS, *METRICS, *(DISTANCES if known else ())]
    frame = pd.DataFrame(rows, columns=names)
    rules = {"convention": scores.convention.name, **_options(scores)}
    columns: dict[str, Any] = {name: [value] * len(frame) for name, value in rules.items()}
    return frame.assign(**columns)


def lesion_frame(scores: Scores) -> pd.DataFrame:
    """Return one row a lesion of the reference and one a false positive, each once.

    Returns
    -------
    pandas.DataFrame
        Column `status` is `detected` or `missed` of a lesion of the reference, `false` of one of
        the prediction. A pair at or under the threshold is a missed and a false lesion, and both
        rows hold its Dice. Sizes of a side that there is not are missing; the centroid is of the
        reference, or of the false positive. `lesion_ids` are the study's lesions, where known.
    """
    rows = [row for case in scores.cases for row in _lesion_rows(case)]
    columns = dict(LESION_COLUMNS)
    if any(case.surface for case in scores.cases):
        columns |= dict.fromkeys(DISTANCES, "float64")
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _lesion_rows(case: CaseScore) -> Iterator[dict[str, Any]]:
    by_reference = {pair.reference_lesion: pair for pair in case.pairs}
    by_predicted = {pair.predicted_lesion: pair for pair in case.pairs}
    predicted = {one.lesion: one for one in case.predicted}
    for one in case.reference:
        pair = by_reference.get(one.lesion)
        yield {
            "case": case.case,
            "status": "detected" if pair and pair.detected else "missed",
            "lesion_ids": list(one.lesion_ids) or None,
            "centroid_ras_mm": list(one.centroid_ras_mm),
            **_sized(one, "reference"),
            **_sized(predicted[pair.predicted_lesion] if pair else None, "predicted"),
            **_overlap(pair),
        }
    for one in case.false:
        pair = by_predicted.get(one.lesion)
        yield {
            "case": case.case,
            "status": "false",
            "centroid_ras_mm": list(one.centroid_ras_mm),
            **_sized(one, "predicted"),
            **_overlap(pair),
        }


def _sized(one: LesionInstance | None, side: str) -> dict[str, Any]:
    if one is None:
        return {}
    return {
        f"{side}_lesion": one.lesion,
        f"{side}_voxels": one.voxels,
        f"{side}_volume_mm3": one.volume_mm3,
    }


def _overlap(pair: PairScore | None) -> dict[str, Any]:
    if pair is None:
        return {}
    shared = {"dice": pair.dice, "intersection_voxels": pair.intersection_voxels}
    return shared | _surface(pair.surface)


def beside_of(path: Path) -> tuple[str, str, str]:
    """Return the names of what joins the scores of cases: lesions, and both as CSV."""
    stem = path.name.removesuffix(".parquet")
    return f"{stem}.lesions.parquet", f"{stem}.csv", f"{stem}.lesions.csv"


def write_frames(cases: pd.DataFrame, lesions: pd.DataFrame, path: Path) -> tuple[Path, ...]:
    """Write scores of cases to ``path`` and lesions beside it, as Parquet and as CSV.

    ``scores.parquet`` is joined by ``scores.lesions.parquet``, ``scores.csv`` and
    ``scores.lesions.csv``. In a CSV, the numbers of a list are apart by blanks.
    """
    of_lesions, plain_cases, plain_lesions = map(path.with_name, beside_of(path))
    written = []
    for frame, target, plain in (
        (cases, path, plain_cases),
        (lesions, of_lesions, plain_lesions),
    ):
        with written_whole(target) as unfinished:
            frame.to_parquet(unfinished, index=False)
        with written_whole(plain) as unfinished:
            _plain(frame).to_csv(unfinished, index=False, lineterminator="\n")
        written += [target, plain]
    return tuple(written)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    lists = [name for name in LISTS if name in frame]
    return frame.assign(**{name: frame[name].map(_joined, na_action="ignore") for name in lists})


def _joined(values: Iterable[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values)


def _options(scores: Scores) -> dict[str, object]:
    options = scores.convention.options()
    names = ("connectivity", "dilate_voxels", "threshold", "comparison")
    return {name: options[name] for name in names} | {"label": label_text(scores.label)}
