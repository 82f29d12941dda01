"""A copy of the built study with something of every kind to review."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.formats.nifti.image import write_image
from cta_data.scoring import CONVENTIONS
from cta_data.scoring.mask_files import instance_labels, read_mask
from cta_data.study.study import Study
from cta_data.study.tables import (
    CaseScoreRow,
    LesionLinkRow,
    LesionScoreRow,
    UnitRow,
    VariantRow,
)

RULES = CONVENTIONS["article"]


def make_review_study(built: Path, root: Path) -> Study:
    """One transfer on hold; a false, a missed and detected lesions; a lesion of one reader alone.

    Nothing is evaluated: the rows of the scores are written as an evaluation would.
    """
    shutil.copytree(built, root, symlinks=True)
    study = Study(root)
    on_mprage = [row for row in study.tables.rows(VariantRow) if row.grid == "MPRAGE"]
    # Which patient has which label differs from study to study; of one lesion none would be found.
    variant = max(on_mprage, key=lambda row: (row.n_arrived or 0, row.session))
    session = variant.session
    transfer = next(
        row for row in study.tables.rows(UnitRow) if row.step == "transfer" and row.id.about
        and row.id.session != session
    )  # fmt: skip
    held = {"status": "impossible", "reason": "on hold: lesion 1", "reason_code": "on_hold"}
    study.tables.upsert([replace(transfer, **held)])
    link = LesionLinkRow(
        session=session,
        first_annotation=variant.annotation,
        second_annotation=f"{variant.annotation}R2",
        link=1,
        grid="MPRAGE",
        first_lesion=1,
        how="first_only",
        first_volume_mm3=900.0,
    )
    study.tables.upsert([link])
    write_scores(study, variant)
    study.tables.flush()
    return study


def write_scores(study: Study, variant: VariantRow) -> None:
    """Model B misses the first lesion of a case, finds the others, and a false one."""
    case = variant.session.case
    reference = study.root / f"evaluation/references/EXT/{case}.nii.gz"
    prediction = study.root / f"evaluation/predictions/B/EXT/{case}.nii.gz"
    for path in (reference, prediction):
        path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(study.root / variant.mask_path, reference)
    drawn = instance_labels(read_mask(reference), RULES)
    labels = sitk.GetArrayFromImage(drawn)
    predicted = np.where(labels == 1, 0, labels) > 0
    predicted[2:5, 2:5, 2:5] = True
    image = sitk.GetImageFromArray(predicted.astype(np.uint8))
    image.CopyInformation(drawn)
    write_image(image, prediction)
    numbers = sitk.GetArrayFromImage(instance_labels(read_mask(prediction), RULES))
    about = {"convention": "article", "model": "B", "test_set": "EXT", "case": case}

    def row(reference: int, found: int, status: str) -> LesionScoreRow:
        inside = np.argwhere((labels if reference else numbers) == (reference or found))
        point = drawn.TransformContinuousIndexToPhysicalPoint(inside.mean(axis=0)[::-1].tolist())
        return LesionScoreRow(
            **about,
            reference_lesion=reference,
            predicted_lesion=found,
            status=status,
            centroid_ras_mm=(-point[0], -point[1], point[2]),
            reference_volume_mm3=100.0 if reference else None,
            predicted_volume_mm3=100.0 if found else None,
        )

    rows = [row(0, int(numbers[3, 3, 3]), "false"), row(1, 0, "missed")]
    for lesion in range(2, int(labels.max()) + 1):
        z, y, x = np.argwhere(labels == lesion)[0]
        rows.append(row(lesion, int(numbers[z, y, x]), "detected"))
    study.tables.upsert(rows)
    counts = {"n_reference": int(labels.max()), "n_predicted": int(numbers.max())}
    scored = CaseScoreRow(**about, **counts, tp=int(labels.max()) - 1, fp=1, fn=1)
    study.tables.upsert([scored])
