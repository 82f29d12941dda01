"""What a release of an external cohort is made of, and the truth of its cases beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk

from cta_data.files import json_text
from cta_data.phantom.releases.changes import ChangesPlan
from cta_data.phantom.releases.patient import ExternalPerson


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

    cohort: str
    source_id: str
    session: str
    person: ExternalPerson
    image: Path
    label: Path | None
    annotated: bool = True
    traps: tuple[str, ...] = ()
    rows: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    n_lesions: int = 0
    label_map: Path = Path()
    truth: Path = Path()


@dataclass(frozen=True)
class Order:
    """What is asked of a release, for its patient `index`; `voxel_mm` is None for the real size."""

    folder: Path
    form: str
    patients: int
    seed: int
    voxel_mm: float | None
    index: int = 0
    changes: ChangesPlan | None = None

    @property
    def raw(self) -> Path:
        """Where the release lies."""
        return self.folder / "raw"


@dataclass(frozen=True)
class Release:
    """How a cohort is written: its forms, one patient, and what is written after all of them.

    `finish` takes the folder, the form and all cases; it returns traps that lie in no single case.
    """

    forms: tuple[str, ...]
    write_patient: Callable[[Order], list[WrittenCase]]
    finish: Callable[[Path, str, Sequence[WrittenCase]], tuple[str, ...]]


def write_case(
    order: Order,
    name: str,
    labels: sitk.Image,
    case: WrittenCase,
    facts: Mapping[str, object],
    names: Mapping[int, str] = MappingProxyType({}),
) -> WrittenCase:
    """Write the truth of a case, `<name>.json` and `<name>_labels.nii.gz`; return the case with it.

    `labels` are instance labels on the geometry that a reader of the case must arrive at; `names`
    are those of the lesions in the release, by number; `facts` are further keys of the JSON.
    """
    truth = order.folder / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    label_map, path = truth / f"{name}_labels.nii.gz", truth / f"{name}.json"
    sitk.WriteImage(labels, str(label_map), True)
    lesions = [_measured(labels, number, names) for number in _numbers(labels)]
    record = {
        "cohort": case.cohort,
        "source_id": case.source_id,
        "session": case.session,
        "annotated": case.annotated,
        **facts,
        "n_lesions": len(lesions),
        "lesions": lesions,
        "label_map": label_map.name,
    }
    path.write_text(json_text(record, indent=1, sorted_keys=False, escaped=True), encoding="utf-8")
    return replace(case, n_lesions=len(lesions), label_map=label_map, truth=path)


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
