"""Annotations and predictions of a study as DICOM objects of the images that they lie on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cta_data.cohorts.readers import UNKNOWN_READER
from cta_data.engine import Selection, Workspace
from cta_data.engine.sessions import Upstream, transform_files
from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.formats.dicom.derived_objects import Origin
from cta_data.formats.dicom.image_planes import PlacedSeries
from cta_data.formats.lesion_export import (
    DICOM,
    ExportedFile,
    ExportOptions,
    LesionsOnSeries,
    lesions_on_series,
    make_object,
    write_object,
)
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.pipeline.annotation_files import AnnotationFiles
from cta_data.pipeline.annotation_reading import read_annotation
from cta_data.pipeline.transform_chain import TransformChain, read_chain
from cta_data.publish.session_series import SeriesOfStudy, require_here
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.annotations import CONSENSUS, CURRENT, REJECTED
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, PredictionRow
from cta_data.training.prediction_record import read_record

What = Literal["annotation", "prediction"]


@dataclass(frozen=True)
class StudyExport:
    """What is exported of a study, and where to.

    Attributes
    ----------
    names
        Cohorts; of predictions test sets as well. All without any.
    annotation
        Name of an annotation, such as HAQ; without it all current ones.
    model
        Name of a model; without it all.
    on
        Technique on whose images the lesions are put; without it the one that they lie on.
    pseudonymous
        Whether identity and UIDs of the hospital are left out.
    """

    what: What
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    to: Path
    options: ExportOptions
    annotation: str = ""
    model: str = ""
    on: str = ""
    pseudonymous: bool = False
    overwrite: bool = False


@dataclass
class StudyExported:
    """What was written; what was not, by the name of its file; and who stays recognisable."""

    files: list[ExportedFile] = field(default_factory=list)
    failed: dict[str, Reason] = field(default_factory=dict)
    without_source: list[str] = field(default_factory=list)
    identified: bool = False


@dataclass(frozen=True)
class _Item:
    """The lesions of one file: an annotation, or a prediction, of a session."""

    session: SessionId
    space: str
    name: str
    origin: Origin
    lesions: AnnotationRow | PredictionRow


def export_lesions(
    study: Study, request: StudyExport, note: Callable[[str], None] = lambda text: None
) -> StudyExported:
    """Write the annotations or predictions of a study as DICOM objects into a folder.

    A session that cannot be exported costs no other. Nothing is written into the study.

    Raises
    ------
    ConfigurationError
        There is no such cohort, test set, or model, or the folder is in the study.
    """
    _require_outside(study, request.to)
    upstream = Upstream(study)
    series = SeriesOfStudy(study, pseudonymous=request.pseudonymous)
    find = _annotations if request.what == "annotation" else _predictions
    done = StudyExported()
    for item in find(upstream, request):
        space = request.on or item.space
        name = f"{item.session.case}_{space}_{item.name}_{request.options.kind}{DICOM}"
        try:
            image = _image(upstream, item.session, space)
            done.identified |= series.raw(image) is not None
            if series.raw(image) is None and not request.pseudonymous:
                done.without_source.append(name)
            made = _export(upstream, item, image, space, series, request, request.to / name)
        except CtaError as error:
            done.failed[name] = error.reason
            note(f"not exported: {name}: {error}")
            continue
        done.files.append(made)
        note(f"{'written' if made.written else 'unchanged'}: {name}, {made.n_lesions} lesions")
        for text in made.notes:
            note(f"note: {name}: {text}")
    return done


def _export(
    upstream: Upstream,
    item: _Item,
    image: ImageRow,
    space: str,
    series: SeriesOfStudy,
    request: StudyExport,
    out: Path,
) -> ExportedFile:
    placed = series.place(image)
    chain = _chain(upstream, item.session)
    options = replace(request.options, origin=item.origin)
    if isinstance(item.lesions, AnnotationRow):
        lesions = _annotated(upstream, item.lesions, space, placed, chain)
    else:
        lesions = _predicted(upstream.study, item.lesions, space, placed, chain, options)
    made = make_object(lesions, placed, options)
    return write_object(made, lesions, out, overwrite=request.overwrite)


def _annotations(upstream: Upstream, request: StudyExport) -> Iterator[_Item]:
    """Yield the annotations that are exported: those that count, or the one that was named."""
    for session in upstream.sessions(Selection(request.names, request.subjects)):
        for row in upstream.annotations(session):
            named = row.annotation == request.annotation and row.status != REJECTED
            if not (named if request.annotation else row.status == CURRENT):
                continue
            reader = "" if row.reader == UNKNOWN_READER else row.reader
            about = f"annotation {row.annotation}, version {row.version}"
            about += ", consensus of several readers" if row.origin == CONSENSUS else ""
            origin = replace(
                request.options.origin,
                reader=reader,
                date=row.date or "",
                note="; ".join(filter(None, [about, request.options.origin.note])),
            )
            yield _Item(session, row.space, row.annotation, origin, row)


def _predictions(upstream: Upstream, request: StudyExport) -> Iterator[_Item]:
    study = upstream.study
    rows = study.tables.rows(PredictionRow)
    known = {row.test_set for row in rows} | set(study.cohorts)
    unknown = [name for name in request.names if name not in known]
    if unknown or (request.model and request.model not in {row.model for row in rows}):
        raise ConfigurationError(
            "prediction_not_there",
            wanted=unknown[0] if unknown else f"model {request.model}",
            predictions=tuple(sorted({f"{row.model} on {row.test_set}" for row in rows}))
            or ("none",),
        )
    versions: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda one: (one.model, one.test_set, one.case)):
        session = SessionId.from_case(row.case)
        names = {row.test_set, session.cohort}
        if request.names and not names & set(request.names):
            continue
        if request.model not in ("", row.model):
            continue
        if request.subjects and session.subject not in request.subjects:
            continue
        about = (row.model, row.test_set)
        if about not in versions:
            versions[about] = _model_version(study, *about)
        origin = replace(request.options.origin, model=row.model, model_version=versions[about])
        name = f"{row.model.replace(' ', '')}-{row.test_set}"
        yield _Item(session, row.technique, name, origin, row)


def _model_version(study: Study, model: str, test_set: str) -> str:
    """Return what tells the weights of a model from others; empty where nothing tells."""
    record = read_record(study.root / layout.prediction_folder(model, test_set))
    if record is None:
        return ""
    keys = sorted(fold.checkpoint_key for fold in record.folds.values())
    return f"weights {hashlib.sha256(' '.join(keys).encode()).hexdigest()[:12]}"


def _image(upstream: Upstream, session: SessionId, space: str) -> ImageRow:
    images = upstream.spaces(session)
    if space not in images:
        raise DataRefused("export_image_missing", where=session, space=space, images=tuple(images))
    return images[space]


def _chain(upstream: Upstream, session: SessionId) -> TransformChain:
    files = transform_files(upstream.transforms(session))
    require_here(upstream.study, list(files.values()))
    return read_chain(files, _reading(upstream.study))


def _reading(study: Study) -> Workspace:
    return Workspace(study.root, study.root)


def _annotated(
    upstream: Upstream,
    row: AnnotationRow,
    space: str,
    series: PlacedSeries,
    chain: TransformChain,
) -> LesionsOnSeries:
    """Return an annotation's lesions on a series, transferred as the step `transfer` does it."""
    edited = upstream.edited(row.session)
    if edited:
        raise DataRefused(edited)
    require_here(upstream.study, [path for path in (row.path, row.names_path) if path])
    files = AnnotationFiles.of([row], upstream.spaces(row.session))
    annotation = read_annotation(files, row.annotation, _reading(upstream.study))
    if space == row.space and annotation.on_its_own_grid:
        own = annotation.on_its_own_grid.labels
        return lesions_on_series(own, series, ExportOptions(instances="values"))
    transform = chain.between(target=space, source=row.space)
    result = transfer_lesions(annotation.drawn.lesions, transform, series.grid)
    return LesionsOnSeries.of(result)


def _predicted(
    study: Study,
    row: PredictionRow,
    space: str,
    series: PlacedSeries,
    chain: TransformChain,
    options: ExportOptions,
) -> LesionsOnSeries:
    require_here(study, [row.path])
    mask = read_image(study.root / row.path)
    other = space != row.technique
    transform = chain.between(target=space, source=row.technique) if other else None
    return lesions_on_series(mask, series, replace(options, instances="components"), transform)


def _require_outside(study: Study, to: Path) -> None:
    """Refuse a folder in the study: what is exported may name patients, and a study is shared."""
    root = study.root.resolve()
    if root == to.resolve() or root in to.resolve().parents:
        raise ConfigurationError("export_inside_study", where=to)
