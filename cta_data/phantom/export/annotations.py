"""The structure sets of a patient who has several annotations, and the truth of them.

Nothing of the pipeline reads the truth; tests and benchmarks compare against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from cta_data.files import json_text
from cta_data.phantom.annotations import DrawnAnnotation
from cta_data.phantom.export.dicom import WrittenSeries
from cta_data.phantom.export.identity import PatientIdentity
from cta_data.phantom.export.structure_set import organ_rois, target_rois, write_structure_set
from cta_data.phantom.patient import TECHNIQUES, DigitalPatient
from cta_data.phantom.readers import Drawn


@dataclass(frozen=True)
class WrittenAnnotation:
    """One annotation on disk: who drew it, how often before, and how many ROIs of targets it has.

    `number` counts the annotations of a patient from 1.
    """

    number: int
    reader: str
    quality: str
    technique: str
    version: int
    superseded: bool
    lesions_drawn: int
    structure_set: Path
    uid: str
    roi_numbers: dict[str, int]
    """ROI Number of every ROI, by its name."""


def write_annotations(
    who: PatientIdentity,
    patient: DigitalPatient,
    ct: WrittenSeries,
    annotations: Sequence[DrawnAnnotation],
    path_of: Callable[[int], Path],
) -> list[WrittenAnnotation]:
    """Write a structure set for each annotation; `path_of` is the file of each, counted from 0."""
    organs = organ_rois(patient)
    written = []
    for i, one in enumerate(annotations):
        rois = [*target_rois(patient, one.drawn), *organs]
        header = {"quality": one.quality, "reader": one.code}
        uid = write_structure_set(who, ct, rois, path_of(i), number=i, **header)
        numbers = {roi.name: number for number, roi in enumerate(rois, start=1)}
        n_drawn = sum(d.names["GTV"] in numbers for d in one.drawn)
        written.append(
            WrittenAnnotation(
                i + 1, one.code, one.quality, one.technique, one.version, one.superseded,
                n_drawn, path_of(i), uid, numbers,
            )
        )  # fmt: skip
    return written


def write_annotations_truth(
    patient: DigitalPatient,
    annotations: Sequence[DrawnAnnotation],
    written: Sequence[WrittenAnnotation],
    folder: Path,
) -> None:
    """Write annotations.json and links.json into `folder`.

    `annotations.json` says of every ROI of a GTV which lesion of `lesions.json` it is, or which
    addition, and which lesions are missing, those that were left out by plan apart. `links.json`
    says of every pair of annotations which of these both have, and which one alone, by the numbers
    of lesions and additions. Shifts, centroids and distances are mm, in LPS by technique.
    """
    rows = [_row(patient, *pair) for pair in zip(annotations, written, strict=True)]
    links = list(_links(annotations, written))
    for name, content in (("annotations", rows), ("links", links)):
        text = json_text(content, indent=1, sorted_keys=False, escaped=True)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _row(
    patient: DigitalPatient, one: DrawnAnnotation, written: WrittenAnnotation
) -> dict[str, object]:
    lesions = [lesion.number for lesion in patient.lesions]
    drawn = _on_disk(one, written)
    there = {d.lesion_number for d in drawn}
    return {
        "number": written.number,
        "reader": one.code,
        "quality": one.quality,
        "technique": one.technique,
        "version": one.version,
        "status": "superseded" if one.superseded else "current",
        "structure_set": written.uid,
        "shift_mm": round(float(np.linalg.norm(one.shift)), 4),
        "shift_lps_mm": {
            technique: _rounded(patient.poses[technique].rotation @ one.shift)
            for technique in TECHNIQUES
        },
        "rois": [_roi(patient, d, d.lesion_number in one.additions, written) for d in drawn],
        "missed": [number for number in lesions if number not in there],
        "left_out_by_plan": list(one.left_out),
    }


def _roi(
    patient: DigitalPatient, drawn: Drawn, added: bool, written: WrittenAnnotation
) -> dict[str, object]:
    centroid = drawn.outline.centroid()
    return {
        "roi_number": written.roi_numbers[drawn.names["GTV"]],
        "roi_name": drawn.names["GTV"],
        "lesion": None if added else drawn.lesion_number,
        "addition": drawn.lesion_number if added else None,
        "volume_mm3": round(drawn.outline.volume_mm3(), 3),
        "centroid_lps_mm": {
            technique: _rounded(patient.poses[technique].apply(centroid))
            for technique in TECHNIQUES
        },
    }


def _links(
    annotations: Sequence[DrawnAnnotation], written: Sequence[WrittenAnnotation]
) -> Iterator[dict[str, object]]:
    for (one, its), (other, others) in combinations(zip(annotations, written, strict=True), 2):
        first, second = _centroids(one, its), _centroids(other, others)
        yield {
            "first": its.number,
            "second": others.number,
            "both": [
                {
                    "lesion": number,
                    "distance_mm": round(float(np.linalg.norm(first[number] - second[number])), 4),
                }
                for number in first
                if number in second
            ],
            "first_alone": [number for number in first if number not in second],
            "second_alone": [number for number in second if number not in first],
        }


def _centroids(one: DrawnAnnotation, written: WrittenAnnotation) -> dict[int, np.ndarray]:
    return {drawn.lesion_number: drawn.outline.centroid() for drawn in _on_disk(one, written)}


def _on_disk(one: DrawnAnnotation, written: WrittenAnnotation) -> list[Drawn]:
    """What was drawn within the planning CT: a lesion below its range has no contours."""
    return [drawn for drawn in one.drawn if drawn.names["GTV"] in written.roi_numbers]


def _rounded(point: np.ndarray) -> list[float]:
    return [round(float(v), 4) for v in point]
