"""Corrections: an edit of an annotation becomes its next version, which counts from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.engine.sessions import Upstream, changed_annotation_files
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import json_text, read_json_object, write_text
from cta_data.formats.nifti.image import read_image, write_voxels
from cta_data.imaging.geometry.grid import ras_affine, same_grid
from cta_data.imaging.lesions.corrected_labels import corrected_labels
from cta_data.pipeline.housekeeping import keep_books
from cta_data.reports.home import write_home
from cta_data.study import layout
from cta_data.study.annotations import CONSENSUS, CORRECTED, CURRENT, corrected_name
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, VariantRow
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.keys import content_key
from cta_data.versioning.provenance import commit_run

EDITED = "edited"
"""Flag of a lesion of a correction."""


@dataclass(frozen=True)
class Correction:
    """Who corrected an annotation of a session, when (YYYY-MM-DD) and why.

    `annotation` is its name; empty for the only one. `file` holds the corrected labels; None for a
    file of the study that was edited in its place.
    """

    session: SessionId
    author: str
    date: str
    reason: str
    annotation: str = ""
    file: Path | None = None


def correct_annotation(
    study: Study, correction: Correction, command: Sequence[str], *, commit: bool = True
) -> AnnotationRow:
    """Make the next version of an annotation, and commit it.

    Parameters
    ----------
    command
        Command line that is recorded for `datalad rerun`, which finds the correction there and
        changes nothing.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    ConfigurationError
        There is no author or reason, or no such annotation.
    DataRefused
        There is no edited file or several, it lies on none of the annotation's grids, holds no
        whole numbers, or no lesion.
    """
    for name in ("author", "reason"):
        if not getattr(correction, name).strip():
            raise ConfigurationError("decision_incomplete", name=name)
    if commit:
        require_identity(study.root)
    with study_lock(study):
        annotations = Upstream(study).annotations(correction.session)
        made = next((one for one in annotations if _is_made(one, correction)), None)
        if made is not None:
            return made
        parent = _parent(annotations, correction)
        row = _write(study, correction, parent, corrected_name(parent, annotations))
        study.tables.upsert([row])
        keep_books(study)
        study.tables.flush()
        write_home(study)
        if commit:
            session = correction.session
            paths = [layout.HOME, layout.MANIFESTS, study.cohort_path(session.cohort)]
            told = f"cta-data correct: {session} {parent.annotation} by {correction.author}"
            commit_run(study.root, list(command), told, paths, 0)
    return row


def _is_made(one: AnnotationRow, correction: Correction) -> bool:
    """Tell whether an annotation is this correction, made before."""
    about = (one.author, one.date, one.reason)
    wanted = (correction.author, correction.date, correction.reason)
    named = not correction.annotation or correction.annotation in (one.parents or ())
    return one.origin == CORRECTED and about == wanted and named


def _parent(annotations: Sequence[AnnotationRow], correction: Correction) -> AnnotationRow:
    current = [one for one in annotations if one.status == CURRENT and one.origin != CONSENSUS]
    named = [one for one in current if correction.annotation in ("", one.annotation)]
    if len(named) == 1:
        return named[0]
    raise ConfigurationError(
        "annotation_to_correct_unclear",
        session=str(correction.session),
        name=correction.annotation or "any",
        annotations=tuple(one.annotation for one in current) or ("none",),
    )


def _write(study: Study, correction: Correction, parent: AnnotationRow, name: str) -> AnnotationRow:
    """Write the labels and names of a correction; return its row."""
    session = correction.session
    variant, image = _corrected(study, correction, parent)
    before = read_image(_original(study, variant))
    labels = corrected_labels(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(before))
    if not labels.any():
        raise DataRefused("correction_empty", where=str(session))
    path = layout.drawn_labels(session, variant.grid, name)
    names_path = layout.drawn_names(session, variant.grid, name)
    write_voxels(labels, ras_affine(image), study.root / path)
    known = {
        lesion["id"]: lesion["source_name"]
        for lesion in read_json_object(study.root / variant.account_path)["lesions"]
    }
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    lesions = [
        {
            "id": lesion,
            "region": lesion,
            "name": known.get(lesion, f"lesion {lesion}"),
            "component": 1,
            "n_voxels": n_voxels,
            "flags": [EDITED],
        }
        for lesion, n_voxels in zip(ids.tolist(), counts.tolist(), strict=True)
    ]
    write_text(json_text({"Lesions": lesions}), study.root / names_path)
    return replace(
        parent,
        annotation=name,
        version=parent.version + 1,
        parents=(parent.annotation,),
        origin=CORRECTED,
        status=CURRENT,
        author=correction.author,
        date=correction.date,
        reason=correction.reason,
        space=variant.grid,
        form="labels",
        n_lesions=len(lesions),
        path=path,
        names_path=names_path,
        annex_key=content_key(study.root / path),
    )


def _corrected(
    study: Study, correction: Correction, parent: AnnotationRow
) -> tuple[VariantRow, sitk.Image]:
    """Return the variant that a correction is of, and the corrected volume on its grid."""
    variants = [
        row
        for row in study.tables.of_session(VariantRow, correction.session)
        if row.annotation == parent.annotation
    ]
    if correction.file is None:
        changed = changed_annotation_files(study, [parent], variants)
        edited = [row for row in variants if {row.mask_path, row.labels_path} & set(changed)]
        if len(changed) != 1 or not edited:
            raise DataRefused(
                "edited_file_unclear",
                where=str(correction.session),
                files=tuple(changed) or ("none",),
            )
        return edited[0], read_image(study.root / changed[0])
    image = read_image(correction.file)
    for row in variants:
        if same_grid(image, read_image(_original(study, row))):
            return row, image
    raise DataRefused(
        "correction_off_grid",
        where=correction.file.name,
        grids=tuple(row.grid for row in variants) or ("none",),
    )


def _original(study: Study, variant: VariantRow) -> Path:
    """Return a file of a variant that holds its lesion ids."""
    return study.root / variant.labels_path
