"""Corrections: an edit of an annotation becomes its next version, which counts from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.engine.driver import UNCOMMITTED, mark_uncommitted
from cta_data.engine.sessions import Upstream, changed_annotation_files
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import json_text, read_json_object, write_text
from cta_data.formats.nifti.image import read_image, write_voxels
from cta_data.imaging.geometry.grid import ras_affine, same_grid
from cta_data.imaging.lesions.corrected_labels import corrected_labels, share_changed
from cta_data.imaging.lesions.mask_lesions import MaskLesion
from cta_data.pipeline.housekeeping import keep_books
from cta_data.reports.home import write_home
from cta_data.review.acceptance import require_signed
from cta_data.study import layout
from cta_data.study.annotations import CONSENSUS, CORRECTED, CURRENT, corrected_name
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, TransferCheckRow, VariantRow
from cta_data.versioning.datasets import is_modified, require_identity
from cta_data.versioning.keys import content_key
from cta_data.versioning.provenance import commit_run

MOST_CHANGED = 0.5
"""Share of an annotation that a correction changes without being asked for twice."""
EDITED = "edited"
"""Flag of a lesion that a correction changed or added."""


@dataclass(frozen=True)
class Correction:
    """Who corrected an annotation of a session, when (YYYY-MM-DD) and why.

    `annotation` is its name; empty for the only one. `file` holds the corrected labels; None for a
    file of the study that was edited in its place. `grid` names the technique on whose grid they
    are; empty for whichever fits. `has_ids` says that their values are ids of lesions, also where
    there is but one; `large`, that more than half of the annotation may change.
    """

    session: SessionId
    author: str
    date: str
    reason: str
    annotation: str = ""
    file: Path | None = None
    grid: str = ""
    has_ids: bool = False
    large: bool = False


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
        whole numbers, no lesion, or no voxel of the annotation that it corrects, or changes more
        than half of it.
    """
    require_signed(correction.author, correction.reason)
    if commit:
        require_identity(study.root)
    with study_lock(study):
        annotations = Upstream(study).annotations(correction.session)
        made = next((one for one in annotations if _is_made(one, correction)), None)
        if made is not None and not commit:
            return made
        if made is None or not _was_interrupted(study):
            parent = _parent(annotations, correction)
            made = _write(study, correction, parent, corrected_name(parent, annotations))
            study.tables.upsert([made])
        keep_books(study)
        study.tables.flush()
        write_home(study)
        if commit:
            _commit(study, correction, made, command)
    return made


def _commit(
    study: Study, correction: Correction, made: AnnotationRow, command: Sequence[str]
) -> None:
    mark_uncommitted(study.root)
    session, parent = correction.session, " ".join(made.parents or ())
    paths = [layout.HOME, layout.MANIFESTS, study.cohort_path(session.cohort)]
    told = f"cta-data correct: {session} {parent} by {correction.author}"
    commit_run(study.root, list(command), told, paths, 0)
    (study.root / UNCOMMITTED).unlink(missing_ok=True)


def unfinished_correction(study: Study, correction: Correction) -> AnnotationRow | None:
    """Return what a correction made if it was killed before its commit; None otherwise."""
    if not _was_interrupted(study):
        return None
    annotations = Upstream(study).annotations(correction.session)
    return next((one for one in annotations if _is_made(one, correction)), None)


def _was_interrupted(study: Study) -> bool:
    """Tell whether a command wrote into the tables and was killed before its commit."""
    return is_modified(study.root / layout.MANIFESTS)


def _is_made(one: AnnotationRow, correction: Correction) -> bool:
    """Tell whether an annotation is this correction, made before."""
    about = (one.author, one.date, one.reason)
    wanted = (correction.author, correction.date, correction.reason)
    named = not correction.annotation or correction.annotation in (one.parents or ())
    return one.origin == CORRECTED and about == wanted and named


def _parent(annotations: Sequence[AnnotationRow], correction: Correction) -> AnnotationRow:
    """Return the annotation to correct.

    Raises
    ------
    ConfigurationError
        There is none of that name, it does not count any more, or it is a consensus.
    """
    current = [one for one in annotations if one.status == CURRENT and one.origin != CONSENSUS]
    named = [one for one in current if correction.annotation in ("", one.annotation)]
    if len(named) == 1:
        return named[0]
    names = tuple(one.annotation for one in current) or ("none",)
    about = {"session": str(correction.session), "annotations": names}
    known = {one.annotation: one for one in annotations}.get(correction.annotation)
    if known is not None:
        why = "a consensus is made from the readers' annotations: correct one of these"
        why = why if known.origin == CONSENSUS else f"it is {known.status}"
        raise ConfigurationError(
            "annotation_not_correctable", name=known.annotation, why=why, **about
        )
    if correction.annotation:
        raise ConfigurationError("annotation_unknown", name=correction.annotation, **about)
    raise ConfigurationError("annotation_to_correct_unclear", **about)


def used_ids(study: Study, session: SessionId, annotation: str) -> set[int]:
    """Return the ids of all lesions of an annotation and of the versions before it.

    An id is that of one lesion: one that was deleted is not found again as another.
    """
    parents = {
        row.annotation: row.parents or () for row in study.tables.of_session(AnnotationRow, session)
    }
    line, todo = set(), [annotation]
    while todo:
        name = todo.pop()
        if name not in line:
            line.add(name)
            todo += parents.get(name, ())
    checked = study.tables.of_session(TransferCheckRow, session)
    return {row.lesion_id for row in checked if row.annotation in line}


@dataclass(frozen=True)
class _Labels:
    """Lesions of an annotation on one grid, and their names by id."""

    grid: str
    path: str
    names: Mapping[int, str]


def _write(study: Study, correction: Correction, parent: AnnotationRow, name: str) -> AnnotationRow:
    """Write the labels and names of a correction; return its row."""
    session = correction.session
    place, image = _corrected(study, correction, parent)
    before = sitk.GetArrayFromImage(read_image(study.root / place.path))
    corrected = sitk.GetArrayFromImage(image)
    labels = corrected
    if not correction.has_ids:
        used = {*place.names, *used_ids(study, session, parent.annotation)}
        labels = corrected_labels(corrected, before, used)
    if not labels.any():
        raise DataRefused("correction_empty", where=str(session))
    if not (labels.astype(bool) & before.astype(bool)).any():
        raise DataRefused("correction_elsewhere", where=str(session), annotation=parent.annotation)
    share = share_changed(before, labels)
    if share > MOST_CHANGED and not correction.large:
        raise DataRefused(
            "correction_too_large", where=str(session), share=share, most=MOST_CHANGED
        )
    path = layout.drawn_labels(session, place.grid, name)
    names_path = layout.drawn_names(session, place.grid, name)
    write_voxels(labels, ras_affine(image), study.root / path)
    lesions = _lesions(labels, before, place.names)
    write_text(json_text({"Lesions": [asdict(one) for one in lesions]}), study.root / names_path)
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
        space=place.grid,
        form="labels",
        n_lesions=len(lesions),
        path=path,
        names_path=names_path,
        annex_key=content_key(study.root / path),
    )


def _lesions(
    labels: NDArray[np.integer], before: NDArray[np.integer], names: Mapping[int, str]
) -> list[MaskLesion]:
    """Return the lesions of a correction; those that differ from the parent's have the flag."""
    differs = labels != before
    edited = set(np.unique(np.concatenate([labels[differs], before[differs]])).tolist())
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    return [
        MaskLesion(
            *(number, number, names.get(number, f"lesion {number}"), 1, n),
            (EDITED,) if number in edited else (),
        )
        for number, n in zip(ids.tolist(), counts.tolist(), strict=True)
    ]


def _corrected(
    study: Study, correction: Correction, parent: AnnotationRow
) -> tuple[_Labels, sitk.Image]:
    """Return the labels that a correction is of, and the corrected volume on their grid."""
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
        return _of_variant(study, edited[0]), read_image(study.root / changed[0])
    image = read_image(correction.file)
    places = [_of_variant(study, row) for row in variants]
    if parent.names_path:
        places.append(_of_source(study, parent))
    places = [one for one in places if correction.grid in ("", one.grid)]
    on_grid = [one for one in places if same_grid(image, read_image(study.root / one.path))]
    if not on_grid:
        grids = tuple(dict.fromkeys(one.grid for one in places)) or ("none",)
        raise DataRefused("correction_off_grid", where=correction.file.name, grids=grids)
    return _most_alike(study, on_grid, image, parent), image


def _most_alike(
    study: Study, places: Sequence[_Labels], image: sitk.Image, parent: AnnotationRow
) -> _Labels:
    """Return the labels that a corrected volume shares most voxels with.

    Images of one scanner may have one header though the patient moved between them: the lesions
    tell which of them was edited. Where they are the same on all, the source technique's counts.
    """
    corrected = sitk.GetArrayFromImage(image) > 0

    def shared(one: _Labels) -> tuple[int, bool]:
        own = sitk.GetArrayFromImage(read_image(study.root / one.path)) > 0
        return int(np.count_nonzero(own & corrected)), one.grid in (parent.space, parent.drawn_on)

    return max(places, key=shared)


def _of_variant(study: Study, row: VariantRow) -> _Labels:
    lesions = read_json_object(study.root / row.account_path)["lesions"]
    names = {lesion["id"]: lesion["source_name"] for lesion in lesions}
    return _Labels(row.grid, row.labels_path, names)


def _of_source(study: Study, row: AnnotationRow) -> _Labels:
    lesions = read_json_object(study.root / str(row.names_path))["Lesions"]
    return _Labels(row.space, row.path, {lesion["id"]: lesion["name"] for lesion in lesions})
