"""Scores as JSON content and as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypedDict

import pandas as pd
from pydantic import JsonValue

from cta_data.files import written_whole
from cta_data.scoring.case import CaseScore, LesionInstance, PairScore
from cta_data.scoring.challenge import SIZE_COUNTS
from cta_data.scoring.collection import Scores
from cta_data.scoring.mask_files import Label
from cta_data.scoring.summary import METRICS
from cta_data.scoring.surfaces import DISTANCES, NOTHING, SurfaceDistances

LesionStatus = Literal["detected", "missed", "false"]
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
RULES = ("connectivity", "dilate_voxels", "threshold", "comparison", "label")
"""Columns of the convention's rules, the same in every row."""
CHALLENGE_COLUMNS = {
    f"{size}_{name}": "Int64" if name in ("tp", "fp", "fn") else "float64"
    for size in ("large", "small")
    for name in SIZE_COUNTS
}
COUNTS = ("n_reference", "n_predicted", "tp", "fp", "fn")


class FailedCase(TypedDict):
    """A case that could not be scored, and why."""

    case: str
    reason: str


class ScoresContent(TypedDict):
    """Scores as JSON: what is undefined is null; see docs/reference/command-line.md."""

    convention: str
    options: dict[str, JsonValue]
    cases: list[dict[str, JsonValue]]
    summary: dict[str, dict[str, JsonValue]]
    failed: list[FailedCase]
    without_prediction: list[str]
    without_reference: list[str]
    absent_labels: list[int]


@dataclass(frozen=True)
class ScoredLesion:
    """A row of `lesion_frame`; None where there is no such side, no pair or no distance."""

    case: str
    status: LesionStatus
    centroid_ras_mm: tuple[float, float, float]
    lesion_ids: tuple[int, ...] | None = None
    reference_lesion: int | None = None
    reference_voxels: int | None = None
    reference_volume_mm3: float | None = None
    predicted_lesion: int | None = None
    predicted_voxels: int | None = None
    predicted_volume_mm3: float | None = None
    dice: float | None = None
    intersection_voxels: int | None = None
    surface: SurfaceDistances | None = None

    @classmethod
    def of(
        cls,
        case: str,
        reference: LesionInstance | None,
        predicted: LesionInstance | None,
        pair: PairScore | None,
    ) -> ScoredLesion:
        """Return the row of a lesion of the reference, or of a false one without one."""
        shown = reference or predicted
        assert shown is not None
        found: LesionStatus = "detected" if pair and pair.detected else "missed"
        return cls(
            case=case,
            status=found if reference else "false",
            centroid_ras_mm=shown.centroid_ras_mm,
            lesion_ids=(reference.lesion_ids or None) if reference else None,
            reference_lesion=reference.lesion if reference else None,
            reference_voxels=reference.voxels if reference else None,
            reference_volume_mm3=reference.volume_mm3 if reference else None,
            predicted_lesion=predicted.lesion if predicted else None,
            predicted_voxels=predicted.voxels if predicted else None,
            predicted_volume_mm3=predicted.volume_mm3 if predicted else None,
            dice=pair.dice if pair else None,
            intersection_voxels=pair.intersection_voxels if pair else None,
            surface=pair.surface if pair else None,
        )


def as_content(scores: Scores) -> ScoresContent:
    """Return scores as JSON content."""
    return {
        "convention": scores.convention.name,
        "options": {**scores.convention.options(), "label": _label_content(scores.label)},
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


def _label_content(label: Label) -> JsonValue:
    """Return one label as a number, several as a list."""
    if not isinstance(label, tuple):
        return label
    return label[0] if len(label) == 1 else list(label)


def _case(score: CaseScore) -> dict[str, JsonValue]:
    numbers = {name: getattr(score, name) for name in ("case", *COUNTS, *METRICS)}
    return {
        **_defined(numbers),
        **_surface(score.surface),
        **(_defined(score.challenge.columns()) if score.challenge else {}),
        "pairs": [_pair(pair) for pair in score.pairs],
        "missed": [_single(one, "reference_lesion") for one in score.missed],
        "false": [_single(one, "predicted_lesion") for one in score.false],
    }


def _pair(pair: PairScore) -> JsonValue:
    content = asdict(replace(pair, surface=None))
    del content["surface"]
    return {**content, **_surface(pair.surface)}


def _single(one: LesionInstance, name: str) -> JsonValue:
    return {
        name: one.lesion,
        "voxels": one.voxels,
        "volume_mm3": one.volume_mm3,
        "centroid_ras_mm": list(one.centroid_ras_mm),
    }


def _surface(distances: SurfaceDistances | None) -> dict[str, JsonValue]:
    """Return the distances where they were measured, and nothing where they were not."""
    return {} if distances is None else _defined(asdict(distances))


def _defined(content: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in content.items()
    }


def case_frame(scores: Scores) -> pd.DataFrame:
    """Return one row a case: its counts, its metrics, and the convention."""
    names = ("case", *COUNTS, *METRICS)
    frame = pd.DataFrame({name: [getattr(c, name) for c in scores.cases] for name in names})
    rules = scores.convention.options()
    kept = {name: rules[name] for name in RULES[:-1]} | {"label": label_text(scores.label)}
    frame = frame.assign(**_distance_columns([case.surface for case in scores.cases]))
    challenge = [case.challenge.columns() for case in scores.cases if case.challenge]
    if challenge:
        frame = frame.join(pd.DataFrame(challenge).astype(CHALLENGE_COLUMNS))
    for name, value in {"convention": scores.convention.name, **kept}.items():
        frame[name] = [value] * len(frame)
    return frame


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
    rows = [row for case in scores.cases for row in scored_lesions(case)]
    lists = {name: [_as_list(getattr(row, name)) for row in rows] for name in LISTS}
    values = {
        name: lists[name] if name in lists else [getattr(row, name) for row in rows]
        for name in LESION_COLUMNS
    }
    frame = pd.DataFrame(values).astype(LESION_COLUMNS)
    if any(case.surface for case in scores.cases):
        distances = _distance_columns([row.surface or NOTHING for row in rows])
        frame = frame.assign(**distances).astype(dict.fromkeys(DISTANCES, "float64"))
    return frame


def scored_lesions(case: CaseScore) -> Iterator[ScoredLesion]:
    """Yield each lesion of the reference and each false one of a case; see `lesion_frame`."""
    by_reference = {pair.reference_lesion: pair for pair in case.pairs}
    by_predicted = {pair.predicted_lesion: pair for pair in case.pairs}
    predicted = {one.lesion: one for one in case.predicted}
    for one in case.reference:
        pair = by_reference.get(one.lesion)
        other = predicted[pair.predicted_lesion] if pair else None
        yield ScoredLesion.of(case.case, one, other, pair)
    for one in case.false:
        yield ScoredLesion.of(case.case, None, one, by_predicted.get(one.lesion))


def _distance_columns(surfaces: Sequence[SurfaceDistances | None]) -> dict[str, list[float]]:
    """Return a column for each distance, where any were measured."""
    if not any(surfaces):
        return {}
    return {name: [getattr(one or NOTHING, name) for one in surfaces] for name in DISTANCES}


def _as_list(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else list(values)


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
