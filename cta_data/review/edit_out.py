"""Edit, on the way out: images and labels of an annotation, for ITK-SNAP and 3D Slicer."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import SimpleITK as sitk

from cta_data.engine.sessions import Upstream
from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.files import read_json_object, write_text
from cta_data.formats.itk_snap import label_descriptions
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.formats.segmentation_nrrd import write_segmentation
from cta_data.pipeline.session_images import SessionImages, require_files
from cta_data.review.edit_folder import (
    README,
    RECORD,
    EditRecord,
    label_files,
    segments_of,
    voxel_digest,
)
from cta_data.study.annotations import CURRENT
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, VariantRow
from cta_data.versioning.datasets import fetch
from cta_data.versioning.keys import content_key

ImageChoice = Literal["resampled", "own"]
TEXT = (
    "{session}: annotation {annotation} (delineated on {drawn_on}) on the grid of {grid}; "
    "images: {images}.\n"
    "Edit {labels} (ITK-SNAP: load {descriptions} as label descriptions) or {segmentation} "
    "(3D Slicer), one of the two, and save it in its place.\n"
    'Then run: cta-data edit in "{folder}" --reader CODE --reason "why"\n'
)
IMAGES_TEXT = {
    "resampled": "every technique on this grid, through the registration",
    "own": "every technique as acquired, not registered to each other",
}


def image_choice(text: str) -> ImageChoice:
    """Return which images are given out.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    choices: dict[str, ImageChoice] = {"resampled": "resampled", "own": "own"}
    if text in choices:
        return choices[text]
    raise ConfigurationError("edit_images_unknown", text=text)


@dataclass(frozen=True)
class EditRequest:
    """What is to be edited: an annotation of each session, on which grid, and which images.

    Attributes
    ----------
    annotation
        Its name; empty for the only one.
    grid
        Technique on whose grid the labels are given; empty for the source technique's.
    """

    annotation: str = ""
    grid: str = ""
    images: ImageChoice = "resampled"
    overwrite: bool = False


@dataclass(frozen=True)
class EditFolders:
    """The folders that were written, and why sessions have none."""

    written: tuple[Path, ...]
    failed: tuple[tuple[SessionId, str], ...]


def give_out(
    study: Study,
    sessions: list[SessionId],
    request: EditRequest,
    to: Path,
    note: Callable[[str], None] = lambda text: None,
) -> EditFolders:
    """Write a folder for each session; one that cannot be given out costs itself alone.

    Parameters
    ----------
    note
        Takes a line of progress.

    Raises
    ------
    ConfigurationError
        The folder is in the study.
    """
    if to.resolve().is_relative_to(study.root.resolve()):
        raise ConfigurationError("edit_folder_in_study", where=to)
    upstream = Upstream(study)
    written: list[Path] = []
    failed: list[tuple[SessionId, str]] = []
    for session in sessions:
        try:
            written.append(_give_out(study, upstream, session, request, to / session.case))
            note(f"written: {written[-1]}")
        except CtaError as error:
            failed.append((session, str(error)))
    return EditFolders(tuple(written), tuple(failed))


def _give_out(
    study: Study, upstream: Upstream, session: SessionId, request: EditRequest, folder: Path
) -> Path:
    replaceable = request.overwrite and (folder / RECORD).is_file()
    if folder.exists() and any(folder.iterdir()) and not replaceable:
        raise ConfigurationError("edit_folder_not_empty", where=folder)
    edited = upstream.edited(session)
    if edited:
        raise DataRefused(edited)
    annotation, variant = _chosen(upstream, session, request)
    images = upstream.images(session)
    transforms = upstream.transforms(session)
    paths = [row.path for row in (*images.values(), *transforms)]
    paths += [variant.labels_path, variant.account_path]
    fetched = fetch(study.root, paths)
    require_files(study.root, paths, fetched.failed)
    with _whole_folder(folder, replaced=replaceable) as unfinished:
        record = _write_labels(study.root, annotation, variant, unfinished)
        if request.images == "own":
            for technique, row in images.items():
                shutil.copyfile(study.root / row.path, unfinished / f"{technique}.nii.gz")
        else:
            shown = SessionImages(study.root, images, {}, transforms)
            _write_resampled(shown, images, variant.grid, unfinished)
        _write_readme(record, request.images, unfinished, folder.name)
        record.write(unfinished)
    return folder


@contextmanager
def _whole_folder(folder: Path, *, replaced: bool) -> Iterator[Path]:
    """Give a folder to write into; it takes the place of `folder` when all of it is there.

    What somebody edited is in its place until then.

    Raises
    ------
    ConfigurationError
        Another command has put something there meanwhile, and it is not to be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.{os.getpid()}.part"
    unfinished.mkdir()
    try:
        yield unfinished
        if replaced and folder.exists():
            shutil.rmtree(folder)
        try:
            unfinished.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise ConfigurationError("edit_folder_not_empty", where=folder) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _chosen(
    upstream: Upstream, session: SessionId, request: EditRequest
) -> tuple[AnnotationRow, VariantRow]:
    """Return the annotation to edit, and its variant on the grid.

    Raises
    ------
    ConfigurationError
        There is none of that name, there are several and none was named, or it is not on the grid.
    """
    current = [one for one in upstream.annotations(session) if one.status == CURRENT]
    named = [one for one in current if request.annotation in ("", one.annotation)]
    if len(named) != 1:
        names = tuple(one.annotation for one in current) or ("none",)
        raise ConfigurationError(
            "annotation_to_edit_unclear", where=str(session), annotations=names
        )
    (chosen,) = named
    variants = {
        row.grid: row for row in upstream.variants(session) if row.annotation == chosen.annotation
    }
    wanted = request.grid or (chosen.space if chosen.space in variants else chosen.drawn_on)
    if not variants:
        raise ConfigurationError(
            "annotation_to_edit_not_transferred",
            where=str(session),
            annotation=chosen.annotation,
        )
    if wanted not in variants:
        grids = tuple(variants)
        raise ConfigurationError(
            "annotation_to_edit_not_on_grid",
            where=str(session),
            annotation=chosen.annotation,
            grid=wanted,
            grids=grids,
        )
    return chosen, variants[wanted]


def _write_labels(
    root: Path, annotation: AnnotationRow, variant: VariantRow, folder: Path
) -> EditRecord:
    labels_file, segmentation = label_files(variant.annotation, variant.grid)
    labels = read_image(root / variant.labels_path)
    lesions = _names(read_json_object(root / variant.account_path)["lesions"])
    write_image(labels, folder / labels_file)
    segments = segments_of(lesions)
    write_segmentation(labels, segments, folder / segmentation)
    write_text(label_descriptions(segments), folder / _descriptions(labels_file))
    session = variant.session
    return EditRecord(
        cohort=session.cohort,
        subject=session.subject,
        session=session.session,
        annotation=annotation.annotation,
        version=annotation.version,
        drawn_on=annotation.drawn_on,
        grid=variant.grid,
        labels=labels_file,
        segmentation=segmentation,
        labels_path=variant.labels_path,
        labels_key=content_key(root / variant.labels_path) or "",
        voxels=voxel_digest(sitk.GetArrayViewFromImage(labels)),
        lesions=lesions,
    )


def _names(lesions: list[dict[str, Any]]) -> dict[int, str]:
    """Return a name of its own for each lesion by id: several may be of one region or label."""
    names = [lesion["source_name"] for lesion in lesions]
    return {
        lesion["id"]: name
        if name and names.count(name) == 1
        else f"lesion {lesion['id']} {f'({name})' if name else ''}".strip()
        for lesion, name in zip(lesions, names, strict=True)
    }


def _write_resampled(
    shown: SessionImages, images: dict[str, ImageRow], grid: str, folder: Path
) -> None:
    """Write every technique on one grid; one that is not registered to it is left out."""
    for technique in images:
        try:
            image = shown.on_grid(technique, frame=grid)
        except DataRefused as error:
            told = f"{technique} is not here: {error}\n"
            write_text(told, folder / f"{technique}_left_out.txt")
            continue
        write_image(image, folder / f"{technique}.nii.gz")


def _write_readme(record: EditRecord, images: ImageChoice, folder: Path, name: str) -> None:
    told = TEXT.format(
        session=record.id,
        annotation=record.annotation,
        drawn_on=record.drawn_on,
        grid=record.grid,
        images=IMAGES_TEXT[images],
        labels=record.labels,
        descriptions=_descriptions(record.labels),
        segmentation=record.segmentation,
        folder=name,
    )
    write_text(told, folder / README)


def _descriptions(labels: str) -> str:
    return f"{labels.removesuffix('.nii.gz')}_labels.txt"
