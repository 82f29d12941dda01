"""The truth of a digital patient on disk, apart from what a hospital would export.

Nothing of the pipeline reads it; tests and benchmarks compare against it.
"""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from cta_data.files import json_text
from cta_data.phantom.export.identity import PatientIdentity
from cta_data.phantom.patient import TECHNIQUES, DigitalPatient


def write_truth(
    who: PatientIdentity, patient: DigitalPatient, folder: Path, names: set[str]
) -> None:
    """Write masks, transforms, lesions.json and patient.json into `folder`.

    `lesions_<technique>.nii.gz` holds instance labels of all true lesions on the native grid,
    `brain_<technique>.nii.gz` the brain. `from-<moving>_to-<fixed>_mode-image_xfm.tfm` maps LPS
    points of the fixed technique to points of the moving one, as ITK resamples. `names` are the
    ROI names that were really written to the structure set.
    """
    folder.mkdir(parents=True)
    for technique in TECHNIQUES:
        labels, brain = patient.lesion_labels[technique], patient.brain_masks[technique]
        sitk.WriteImage(labels, str(folder / f"lesions_{technique}.nii.gz"), True)
        sitk.WriteImage(brain, str(folder / f"brain_{technique}.nii.gz"), True)
    for fixed in TECHNIQUES:
        for moving in TECHNIQUES:
            if fixed != moving:
                name = f"from-{moving}_to-{fixed}_mode-image_xfm.tfm"
                transform = patient.between(fixed, moving).to_sitk()
                sitk.WriteTransform(transform, str(folder / name))
    _write_json(folder / "lesions.json", _lesion_rows(patient, names))
    _write_json(folder / "patient.json", _patient_record(who, patient))


def _lesion_rows(patient: DigitalPatient, names: set[str]) -> list[dict[str, object]]:
    """One entry per true lesion; `drawn` is None for one that this patient's reader missed."""
    drawn_by_number = {d.lesion_number: d for d in patient.drawn}
    rows: list[dict[str, object]] = []
    for lesion in patient.lesions:
        drawn = drawn_by_number.get(lesion.number)
        outline = None
        if drawn is not None:
            outline = {
                "roi_names": {k: v for k, v in drawn.names.items() if v in names},
                "volume_mm3": round(drawn.outline.volume_mm3(), 3),
                "ptv_margin_mm": drawn.margin_mm,
            }
        rows.append(
            {
                "id": lesion.number,
                "volume_mm3": round(lesion.volume_mm3, 3),
                "contrast_class": lesion.contrast_class,
                "ring_enhancing": lesion.core_share > 0.0,
                "oedema_mm": round(lesion.oedema_mm, 2),
                "centre_lps_mm": {
                    technique: [
                        round(float(v), 4)
                        for v in patient.poses[technique].apply(lesion.shape.centre)
                    ]
                    for technique in TECHNIQUES
                },
                "seen_by_reader": drawn is not None,
                "roi_name": drawn.names["GTV"] if drawn is not None else None,
                "drawn": outline,
            }
        )
    return rows


def _patient_record(who: PatientIdentity, patient: DigitalPatient) -> dict[str, object]:
    return {
        "patient_id": who.patient_id,
        "seed": patient.seed,
        "group": patient.quality,
        "annotation_technique": patient.reader.technique,
        "lesions": len(patient.lesions),
        "lesions_drawn": len(patient.drawn),
        "series": sorted(patient.images),
        "space_has_own_frame_of_reference": patient.space_moved,
        "has_registration_object": patient.has_registration,
        "identity": {
            "name": who.name,
            "birth_date": who.birth_date,
            "sex": who.sex,
            "age_years": who.age_years,
            "mr_date": who.mr_date,
            "ct_date": who.ct_date,
        },
        "uids": {
            "mr_study": who.uid("study", "mr"),
            "ct_study": who.uid("study", "ct"),
            "structure_set": who.uid("structure set"),
            **{f"series_{key}": who.uid("series", key) for key in sorted(patient.images)},
        },
    }


def _write_json(path: Path, content: object) -> None:
    path.write_text(json_text(content, indent=1, sorted_keys=False, escaped=True), encoding="utf-8")
