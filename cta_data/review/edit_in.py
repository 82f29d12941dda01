"""Edit, on the way in: what changed in a folder becomes the next version of the annotation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.engine.sessions import Upstream
from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.formats.nifti.image import read_image, write_voxels
from cta_data.formats.segmentation_nrrd import read_segmentation
from cta_data.imaging.geometry.grid import Grid, describe_grid_difference, ras_affine, same_grid
from cta_data.imaging.lesions.edited_labels import edited_labels
from cta_data.imaging.lesions.mask_placement import onto_voxels
from cta_data.pipeline.session_images import require_files
from cta_data.review.acceptance import require_signed
from cta_data.review.correction import (
    Correction,
    correct_annotation,
    unfinished_correction,
    used_ids,
)
from cta_data.review.edit_changes import LesionEdit, lesion_edits
from cta_data.review.edit_folder import (
    PAGE,
    RECORD,
    EditRecord,
    read_edit_record,
    voxel_digest,
)
from cta_data.review.edit_page import write_edit_page
from cta_data.review.sitting import require_reader
from cta_data.study.annotations import CURRENT
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow
from cta_data.versioning.datasets import fetch
from cta_data.versioning.keys import content_key
from cta_data.versioning.provenance import command_words


@dataclass(frozen=True)
class Signature:
    """Who edited (a code), when (YYYY-MM-DD) and why."""

    reader: str
    date: str
    reason: str


@dataclass(frozen=True)
class TakenEdit:
    """What came of one folder.

    Attributes
    ----------
    annotation
        The new version; None where nothing had been edited.
    changes
        Every lesion before and after, by id; names that the editor gave to new ones are not taken.
    page, page_failure
        Where it is shown, or why it could not be drawn.
    """

    session: SessionId
    parent: str
    grid: str
    annotation: AnnotationRow | None = None
    changes: tuple[LesionEdit, ...] = ()
    page: Path | None = None
    page_failure: str = ""


def edit_folders(folder: Path) -> list[Path]:
    """Return the folders of sessions: the folder itself, or those in it.

    Raises
    ------
    ConfigurationError
        Neither has a record.
    """
    if (folder / RECORD).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{RECORD}"))
    if not found:
        raise ConfigurationError("edit_folder_unknown", where=folder, record=RECORD)
    return found


def take_in(
    study: Study,
    folders: list[Path],
    signature: Signature,
    *,
    large: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[TakenEdit | tuple[Path, CtaError]]:
    """Take each folder's edit as the next version of its annotation, and commit it.

    Parameters
    ----------
    large
        Take changes of more than half of an annotation.
    note
        Takes a line of progress.

    Yields
    ------
    TakenEdit or (pathlib.Path, CtaError)
        What came of each folder, or why nothing did.
    """
    require_signed(signature.reader, signature.reason)
    require_reader(signature.reader)
    for folder in folders:
        try:
            yield _take_in(study, folder, signature, large, note)
        except CtaError as error:
            yield folder, error


def _take_in(
    study: Study,
    folder: Path,
    signature: Signature,
    large: bool,
    note: Callable[[str], None],
) -> TakenEdit:
    record = read_edit_record(folder)
    asked = _correction(record, signature, large=large)
    made = unfinished_correction(study, asked)
    if made is None:
        _require_current(study, record)
    paths = [record.labels_path]
    require_files(study.root, paths, fetch(study.root, paths).failed)
    image = read_image(study.root / record.labels_path)
    before = sitk.GetArrayFromImage(image)
    edited = _edited(record, folder, Grid.of(image))
    taken = TakenEdit(record.id, record.annotation, record.grid)
    if edited is None:
        return taken
    used = {*record.lesions, *used_ids(study, record.id, record.annotation)}
    after = edited_labels(edited, before, used)
    if np.array_equal(after, before):
        return taken
    changes = lesion_edits(before, after, record.lesions, Grid.of(image).voxel_volume_mm3)
    if made is not None and not _holds(study, made, after):
        why = f"{made.annotation} was made of it by a command that was killed, from another edit"
        raise DataRefused("edit_out_of_date", where=str(record.id), why=why)
    made = _correct(study, record, asked, after, image)
    note(f"{record.id}: {made.annotation} replaces {record.annotation}")
    page: Path | None = folder / PAGE
    failure = ""
    try:
        write_edit_page(study, record, made, before, after, changes, folder / PAGE)
    except (CtaError, OSError) as error:
        # The new version is in the study: what cannot be drawn must not look as if it were not.
        page, failure = None, str(error)
    about = (record.id, record.annotation, record.grid)
    return TakenEdit(*about, made, tuple(changes), page, failure)


def _require_current(study: Study, record: EditRecord) -> None:
    """Refuse an edit of labels that are not those of the study any more.

    Raises
    ------
    DataRefused
        The annotation is gone, or was corrected or transferred anew since it was given out.
    """
    upstream = Upstream(study)
    rows = [
        row
        for row in upstream.variants(record.id)
        if (row.annotation, row.grid) == (record.annotation, record.grid)
    ]
    annotations = upstream.annotations(record.id)
    if record.annotation not in {a.annotation for a in annotations if a.status == CURRENT}:
        why = f"annotation {record.annotation} is not current any more"
        raise DataRefused("edit_out_of_date", where=str(record.id), why=why)
    known = rows and rows[0].labels_path == record.labels_path
    if not known or content_key(study.root / record.labels_path) != record.labels_key:
        why = f"the labels of {record.annotation} on {record.grid} have changed"
        raise DataRefused("edit_out_of_date", where=str(record.id), why=why)


def _edited(record: EditRecord, folder: Path, grid: Grid) -> NDArray[np.generic] | None:
    """Return the labels that somebody edited; None where neither file was.

    Raises
    ------
    DataRefused
        Both were edited and differ, neither is there, or they lie on another grid.
    """
    found = []
    for name, read in ((record.labels, _nifti), (record.segmentation, read_segmentation)):
        if not (folder / name).exists():
            continue
        voxels, own, *_ = read(folder / name)
        if not same_grid(own, grid):
            # Slicer may crop a segmentation to its segments; a label image is whole.
            if name != record.segmentation:
                difference = describe_grid_difference(own, grid)
                raise DataRefused("edit_off_grid", where=folder / name, difference=difference)
            voxels = _placed(voxels, own, grid, folder / name)
        found.append(voxels)
    if not found:
        files = (record.labels, record.segmentation)
        raise DataRefused("edit_labels_missing", where=folder, files=files)
    edited = [voxels for voxels in found if voxel_digest(voxels) != record.voxels]
    if len(edited) == 2 and voxel_digest(edited[0]) != voxel_digest(edited[1]):
        files = (record.labels, record.segmentation)
        raise DataRefused("edit_of_both_files", where=folder, files=files)
    return edited[0] if edited else None


def _placed(voxels: NDArray[np.generic], own: Grid, grid: Grid, path: Path) -> NDArray[np.generic]:
    try:
        return onto_voxels(own.image(voxels), grid)
    except DataRefused as error:
        raise DataRefused("edit_off_grid", where=path, difference=str(error.reason)) from error


def _nifti(path: Path) -> tuple[NDArray[np.generic], Grid]:
    image = read_image(path)
    return sitk.GetArrayFromImage(image), Grid.of(image)


def _holds(study: Study, made: AnnotationRow, labels: NDArray[np.integer]) -> bool:
    return np.array_equal(sitk.GetArrayFromImage(read_image(study.root / made.path)), labels)


def _correction(record: EditRecord, signature: Signature, *, large: bool) -> Correction:
    return Correction(
        *(record.id, signature.reader, signature.date, signature.reason, record.annotation),
        grid=record.grid,
        has_ids=True,
        large=large,
    )


def _correct(
    study: Study,
    record: EditRecord,
    asked: Correction,
    labels: NDArray[np.integer],
    image: sitk.Image,
) -> AnnotationRow:
    """Make the next version of the annotation.

    The record of the commit is that of `cta-data correct`, which finds the version made: the folder
    is not of the study, and nothing could read it again.
    """
    session = record.id
    command = command_words(
        *("correct", session.cohort),
        subject=session.subject,
        session=session.session,
        annotation=record.annotation,
        author=asked.author,
        date=asked.date,
        reason=asked.reason,
    )
    with TemporaryDirectory() as work:
        file = Path(work) / record.labels
        write_voxels(labels, ras_affine(image), file)
        return correct_annotation(study, replace(asked, file=file), command)
