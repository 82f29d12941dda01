"""Carry out a planned addition: write the tars, then the tables that list them."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.dicom.size import plain_dicom
from cta_data.intake.consistency import instances_digest
from cta_data.intake.instances import TAR, content_digest
from cta_data.intake.pack import write_series as write_tar
from cta_data.intake.pack import write_single
from cta_data.intake.persons import image_digest, sample_of_slices
from cta_data.intake.plan_model import (
    MERGE,
    NEW,
    REFUSE,
    AdditionPlan,
    SeriesPlan,
    SubjectPlan,
    needed_content,
)
from cta_data.intake.pseudonyms import SALT
from cta_data.intake.sop_classes import FILE_CLASS, kind_of
from cta_data.reasons import Reason
from cta_data.study.sourcedata import (
    ACCEPTED,
    ASIDE,
    CLINICAL,
    REFUSED,
    STAGING,
    InstanceRow,
    PersonRow,
    SeriesRow,
    SetAsideRow,
    SubjectRow,
    write_bytes,
    write_instances,
    write_persons,
    write_series,
    write_set_aside,
    write_subjects,
    write_text,
)

SUBJECTS_A_TABLE = 16


@dataclass(frozen=True)
class AdditionResult:
    """What an addition did.

    Attributes
    ----------
    written
        Files that changed, relative to ``sourcedata``; empty when there was nothing to do.
    failed
        Series that could not be written after all, with the reason: their file in the source
        is not what it was when the plan was made. Everything else was finished.
    counts
        See `AdditionPlan.counts`.
    """

    written: list[Path]
    failed: list[tuple[SeriesPlan, DataRefused]]
    counts: Counter[str]


def execute_addition(
    plan: AdditionPlan, packed: Callable[[Path], None] | None = None
) -> AdditionResult:
    """Carry out a plan; a second run of the same plan changes no byte.

    `packed` is called with every tar (relative to ``sourcedata``) that is in its place, so that
    another process can go on with it.

    Labels are written down before the first tar, so that an addition that is killed leaves no
    tar under a label that another patient could get. Tars and tables are replaced as a whole,
    and the tables list subjects soon after their tars are there: a second run goes on from there.
    Only one process may do this to one ``sourcedata`` at a time.

    Raises
    ------
    CtaError
        If content that merging needs was not fetched, or if reading or writing fails (disk full).
    """
    absent = [path for path in needed_content(plan) if not path.exists()]
    if absent:
        raise CtaError("merge_series_not_fetched", where=absent[0], n_absent=len(absent))
    staging = plan.sourcedata / STAGING
    try:
        # What a killed run left is worthless: it was never renamed into place.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        written = write_text(plan.sourcedata, Path(SALT), plan.salt + "\n")
        written += write_subjects(plan.sourcedata, _subject_rows(plan))
        written += write_set_aside(plan.sourcedata, _set_aside_rows(plan))
        written += write_persons(plan.sourcedata, _person_rows(plan))
        written += _write_cohort_files(plan)
        more, failed = _write_all_series(plan, staging, packed or (lambda tar: None))
    except OSError as error:
        raise CtaError(
            "addition_interrupted",
            where=error.filename or plan.sourcedata,
            error=error.strerror or str(error),
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return AdditionResult(sorted({*written, *more}), failed, plan.counts)


def _write_all_series(
    plan: AdditionPlan, staging: Path, packed: Callable[[Path], None]
) -> tuple[list[Path], list[tuple[SeriesPlan, DataRefused]]]:
    written: list[Path] = []
    failed: list[tuple[SeriesPlan, DataRefused]] = []
    rows_by_file = {row.file: row for row in plan.inventory.series}
    by_subject: dict[str, list[SeriesPlan]] = {}
    for series in plan.series:
        if series.action in (NEW, MERGE):
            by_subject.setdefault(series.subject, []).append(series)
    for number, (subject, planned) in enumerate(sorted(by_subject.items()), start=1):
        done: dict[str, SeriesPlan] = {}
        for series in planned:
            try:
                _write_one(plan, series, staging)
            except DataRefused as error:
                failed.append((series, error))
                continue
            except MemoryError:
                failed.append((series, DataRefused("series_too_large_to_pack", where=series.file)))
                continue
            written.append(Path(series.file))
            packed(Path(series.file))
            done[series.series] = series
        kept = [row for row in plan.inventory.instances(subject) if row.series not in done]
        added = [row for series in done.values() for row in series.rows]
        written += write_instances(plan.sourcedata, subject, [*kept, *added])
        rows_by_file.update({series.file: _series_row(series) for series in done.values()})
        # The table of a whole cohort is written now and then: each time would cost its square.
        if number % SUBJECTS_A_TABLE == 0 or number == len(by_subject):
            written += write_series(plan.sourcedata, rows_by_file.values())
    return written, failed


def _write_one(plan: AdditionPlan, series: SeriesPlan, staging: Path) -> None:
    target = plan.sourcedata / series.file
    if series.file.endswith(TAR):
        write_tar(_contents(plan, series), target, staging)
    else:
        [(_, content)] = _contents(plan, series)
        write_single(content, target, staging)


def _write_cohort_files(plan: AdditionPlan) -> list[Path]:
    written: list[Path] = []
    for one, action in plan.cohort_files:
        if action == NEW:
            name = Path(CLINICAL) / Path(one.name).name
            written += write_bytes(plan.sourcedata, name, one.path.read_bytes())
    return written


def _name_in_tar(number: int, series: SeriesPlan, row: InstanceRow) -> str:
    """DICOM instances are numbered as they come; a slice keeps the number that places it."""
    if series.sop_class.startswith(FILE_CLASS):
        return f"{row.instance_number:06d}{Path(row.sop_uid).suffix.lower()}"
    return f"{number:06d}.dcm"


def _contents(plan: AdditionPlan, series: SeriesPlan) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of a series' instances in order, from the source or the tar that is there."""
    with ExitStack() as stack:
        stored: dict[str, tarfile.TarInfo] = {}
        if series.needs_content:
            tar = stack.enter_context(tarfile.open(plan.sourcedata / series.file, "r:"))
            stored = _members(tar, plan, series)
        for number, row in enumerate(series.rows, start=1):
            origin = series.sources.get(row.sop_uid)
            if origin is not None:
                content = origin.path.read_bytes()
                where = origin.name
            elif row.sop_uid in stored:
                content = _content(tar, stored[row.sop_uid])
                where = series.file
            else:
                raise DataRefused("instance_not_found", where=series.file)
            if content_digest(content) != row.digest:
                raise DataRefused("source_file_changed", where=where)
            yield _name_in_tar(number, series, row), content


def _members(
    tar: tarfile.TarFile, plan: AdditionPlan, series: SeriesPlan
) -> dict[str, tarfile.TarInfo]:
    """Members by SOP instance UID, read from the members; of plain files by the table's order."""
    if series.sop_class.startswith(FILE_CLASS):
        rows = [r for r in plan.inventory.instances(series.subject) if r.series == series.series]
        return {row.sop_uid: member for row, member in zip(rows, tar, strict=True)}
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        dataset = dcmread(
            io.BytesIO(plain_dicom(_content(tar, member))[0]),
            stop_before_pixels=True,
            force=True,
            specific_tags=["SOPInstanceUID"],
        )
        members[str(dataset.SOPInstanceUID)] = member
    return members


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return b"" if stream is None else stream.read()


def _series_row(series: SeriesPlan) -> SeriesRow:
    return SeriesRow(
        subject=series.subject,
        session=series.session,
        series=series.series,
        file=series.file,
        kind=series.kind,
        modality=series.modality,
        sop_class=series.sop_class,
        n_instances=series.n_total,
        study_uid=series.study_uid,
        series_uid=series.series_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        study_date=series.study_date,
        acquired=series.acquired,
        digest=instances_digest((row.sop_uid, row.digest) for row in series.rows),
        header=series.header,
        pixels=image_digest(row.pixels for row in series.rows),
        slices=" ".join(sample_of_slices(row.pixels for row in series.rows)),
    )


def _subject_rows(plan: AdditionPlan) -> list[SubjectRow]:
    label_of = {number: one.subject for one in plan.subjects for number in one.source_ids}
    held = {row.subject for row in plan.inventory.subjects if row.status == ACCEPTED}
    # A number that was only refused, under a label that nobody has, is not known by that any more.
    rows = {
        _key(row): row
        for row in plan.inventory.subjects
        if row.subject in held
        or not row.source_id
        or label_of.get(row.source_id, row.subject) == row.subject
    }
    for subject in plan.subjects:
        for row in _rows_of(subject):
            rows[_key(row)] = _joined(rows.get(_key(row)), row)
    # A study that was refused without a label and has got one now is no longer refused.
    ids_of: dict[str, set[str]] = {}
    for row in rows.values():
        ids_of.setdefault(row.subject, set()).add(row.source_id)
    studies = {(row.subject, row.study_uid) for row in plan.inventory.series}
    studies |= {(one.subject, one.study_uid) for one in plan.series if one.action != REFUSE}
    placed = {(source_id, study) for subject, study in studies for source_id in ids_of[subject]}
    return [
        row for row in rows.values() if row.subject or (row.source_id, row.study_uid) not in placed
    ]


def _rows_of(subject: SubjectPlan) -> Iterable[SubjectRow]:
    studies = subject.study_uids if not subject.subject else ("",)
    for source_id in subject.source_ids:
        for study in studies:
            yield SubjectRow(
                subject.subject,
                source_id,
                subject.status,
                *_told(subject.reason),
                study,
                subject.identities.get(source_id, {}),
            )


def _told(reason: Reason | None) -> tuple[str, str]:
    """Return a reason as sourcedata keeps it: its sentence and its code."""
    return (str(reason), reason.finding.code) if reason else ("", "")


def _joined(before: SubjectRow | None, now: SubjectRow) -> SubjectRow:
    """A refusal takes nothing back from a subject that was accepted before."""
    if before is None:
        return now
    accepted = ACCEPTED in (before.status, now.status)
    return SubjectRow(
        now.subject,
        now.source_id,
        ACCEPTED if accepted else REFUSED,
        now.refused_reason,
        now.refused_code,
        now.study_uid,
        {**now.identity, **before.identity},
    )


def _key(row: SubjectRow) -> tuple[str, str, str]:
    return (row.subject, row.source_id, row.study_uid)


def _person_rows(plan: AdditionPlan) -> list[PersonRow]:
    """What is known of persons in other cohorts; where it was looked for now, what was found."""
    subjects = {one.subject for one in plan.subjects}
    cohorts = {one.name for one in plan.options.others}
    kept = [
        row
        for row in plan.inventory.persons
        if row.subject not in subjects or row.cohort not in cohorts
    ]
    return list({*kept, *plan.persons})


def _set_aside_rows(plan: AdditionPlan) -> list[SetAsideRow]:
    labels = {row.subject for row in _subject_rows(plan)}
    rows = {
        _place(row): row
        for row in plan.inventory.set_aside
        if row.subject in labels and not _is_mended(row, plan)
    }
    for one in plan.set_aside:
        kind = kind_of(one.sop_class, plan.options.extra_kinds)
        seen = SetAsideRow(
            one.subject,
            one.study_uid,
            one.series_uid,
            one.sop_class,
            kind,
            ASIDE,
            *_told(one.reason),
            one.n_instances,
        )
        before = rows.get(_place(seen))
        if before is None or before.n_instances < seen.n_instances:
            rows[_place(seen)] = seen
    for series in plan.series:
        place = (series.subject, series.study_uid, series.series_uid, series.sop_class)
        if series.action != REFUSE:
            rows.pop(place, None)
        elif series.subject:
            rows[place] = SetAsideRow(
                *place, series.kind, REFUSED, *_told(series.reason), series.n_instances
            )
    return list(rows.values())


def _is_mended(row: SetAsideRow, plan: AdditionPlan) -> bool:
    """Return whether a refused series no longer belongs to its subject.

    It is another's now, or the source has the subject without it and is to replace what was there.
    """
    if not row.refused:
        return False
    taken = {(one.series_uid, one.sop_class) for one in plan.series if one.action != REFUSE}
    accepted = {one.subject for one in plan.subjects if one.status == ACCEPTED}
    replaced = plan.options.replace and row.subject in accepted
    return replaced or (row.series_uid, row.sop_class) in taken


def _place(row: SetAsideRow) -> tuple[str, str, str, str]:
    return (row.subject, row.study_uid, row.series_uid, row.sop_class)
