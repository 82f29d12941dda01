"""Scores as JSON content and as tables."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cta_data.evaluation.scoring.case import CaseScore, PairScore, SingleLesion
from cta_data.evaluation.scoring.collection import Scores
from cta_data.evaluation.scoring.summary import METRICS
from cta_data.evaluation.scoring.surfaces import SurfaceDistances
from cta_data.whole_files import written_whole

DISTANCES = ("hausdorff_mm", "hausdorff95_mm", "mean_surface_mm")
COUNTS = ("n_reference", "n_predicted", "tp", "fp", "fn")


def as_content(scores: Scores) -> dict[str, Any]:
    """Return scores as plain JSON content; what is undefined is None."""
    return {
        "convention": scores.convention.name,
        "options": scores.convention.options() | {"label": scores.label},
        "cases": [_case(one) for one in scores.cases],
        "summary": {name: _defined(asdict(one)) for name, one in scores.summary().items()},
        "failed": [{"case": case, "reason": reason} for case, reason in scores.failed],
        "without_prediction": list(scores.pairing.without_prediction),
        "without_reference": list(scores.pairing.without_reference),
    }


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


def _single(one: SingleLesion, name: str) -> dict[str, Any]:
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
    """Return one row a matched pair, a missed or a false lesion (column ``kind``)."""
    rows: list[dict[str, Any]] = []
    for case in scores.cases:
        rows += [{"case": case.case, "kind": "pair", **_pair(pair)} for pair in case.pairs]
        for kind, name, singles in (
            ("missed", "reference_lesion", case.missed),
            ("false", "predicted_lesion", case.false),
        ):
            rows += [{"case": case.case, "kind": kind, **_single(one, name)} for one in singles]
    columns = {
        "case": "str",
        "kind": "str",
        "reference_lesion": "Int64",
        "predicted_lesion": "Int64",
        "dice": "float64",
        "intersection_voxels": "Int64",
        "reference_voxels": "Int64",
        "predicted_voxels": "Int64",
        "detected": "boolean",
        "voxels": "Int64",
        "volume_mm3": "float64",
        "centroid_ras_mm": "object",
    }
    if any(case.surface for case in scores.cases):
        columns |= dict.fromkeys(DISTANCES, "float64")
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def write_frames(scores: Scores, path: Path) -> tuple[Path, Path]:
    """Write cases to ``path`` and lesions beside it; return both.

    ``scores.parquet`` is joined by ``scores.lesions.parquet``.
    """
    beside = path.with_name(f"{path.name.removesuffix('.parquet')}.lesions.parquet")
    for frame, target in ((case_frame(scores), path), (lesion_frame(scores), beside)):
        with written_whole(target) as unfinished:
            frame.to_parquet(unfinished, index=False)
    return path, beside


def _options(scores: Scores) -> dict[str, object]:
    options = scores.convention.options()
    names = ("connectivity", "dilate_voxels", "threshold", "comparison")
    label = None if scores.label is None else str(scores.label)
    return {name: options[name] for name in names} | {"label": label}
