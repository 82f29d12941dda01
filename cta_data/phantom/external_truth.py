"""What a release of an external cohort is made of, and the truth of its cases beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.files import json_text
from cta_data.phantom.external_patient import Person


@dataclass(frozen=True)
class WrittenCase:
    """One case of an external cohort on disk.

    Attributes
    ----------
    source_id, session
        As the release has them; session is empty where the release knows none.
    n_lesions
        Lesions of the evaluated image, annotated or not.
    annotated
        False where the release has no annotation of this case.
    image, label
        The evaluated image and its annotation: a file, or the folder of a stack or series. No
        label where there is none, or where every lesion has a file of its own.
    label_map
        Instance labels of the truth on the geometry of the image.
    truth
        The JSON file of the truth.
    """

    source_id: str
    session: str
    n_lesions: int
    annotated: bool
    person: Person
    image: Path
    label: Path | None
    label_map: Path
    truth: Path
    traps: tuple[str, ...] = ()
    rows: tuple[Mapping[str, object], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Release:
    """How a cohort is written: its forms, one patient, and what is written after all of them.

    `write_patient` takes the folder, the form, the patient's index, the number of patients, the
    seed and the voxel size (mm, None for the real one); `finish` takes the folder, the form, all
    cases and the seed, and returns traps that lie in no single case.
    """

    forms: tuple[str, ...]
    write_patient: Callable[[Path, str, int, int, int, float | None], list[WrittenCase]]
    finish: Callable[[Path, str, Sequence[WrittenCase], int], tuple[str, ...]]


def write_truth(
    truth: Path,
    name: str,
    labels: sitk.Image,
    names: Mapping[int, str],
    facts: Mapping[str, object],
) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>_labels.nii.gz`; return both, the label map first.

    `labels` are instance labels on the geometry that a reader of the case must arrive at; `names`
    are those of the lesions in the release, by number; `facts` are further keys of the JSON.
    """
    truth.mkdir(parents=True, exist_ok=True)
    label_map = truth / f"{name}_labels.nii.gz"
    sitk.WriteImage(labels, str(label_map), True)
    lesions = [_measured(labels, number, names) for number in _numbers(labels)]
    record = {**facts, "n_lesions": len(lesions), "lesions": lesions, "label_map": label_map.name}
    path = truth / f"{name}.json"
    path.write_text(json_text(record, indent=1, sorted_keys=False, escaped=True), encoding="utf-8")
    return label_map, path


def _numbers(labels: sitk.Image) -> list[int]:
    return [int(n) for n in np.unique(sitk.GetArrayViewFromImage(labels)) if n]


def _measured(labels: sitk.Image, number: int, names: Mapping[int, str]) -> dict[str, object]:
    """Volume in mm³ and centroid in RAS mm of one label."""
    where = np.argwhere(sitk.GetArrayViewFromImage(labels) == number)[:, ::-1]
    lps = labels.TransformContinuousIndexToPhysicalPoint(where.mean(axis=0).tolist())
    row: dict[str, object] = {
        "number": number,
        "volume_mm3": round(len(where) * float(np.prod(labels.GetSpacing())), 4),
        "centroid_ras_mm": [round(v + 0.0, 4) for v in (-lps[0], -lps[1], lps[2])],
    }
    return row | ({"name": names[number]} if number in names else {})
