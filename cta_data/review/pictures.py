"""Pictures of transfers: for every subject-session one PNG and one entry of a page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cta_data.engine import Selection, UnitId
from cta_data.engine.acceptance import decision_about, decision_reason, is_held_back
from cta_data.engine.sessions import Upstream
from cta_data.errors import CtaError
from cta_data.files import write_bytes, write_text
from cta_data.pipeline.session_images import require_files
from cta_data.reports.origin import origin_text, stamped
from cta_data.review.acceptance import JUDGED
from cta_data.review.page_pictures import remove_others, write_picture
from cta_data.review.picture_content import SessionFiles, SessionPlanes, lesion_entries
from cta_data.review.pictures_page import (
    ACCEPTED,
    FAILED,
    ON_HOLD,
    PASSED,
    REJECTED,
    UNANNOTATED,
    LeftOut,
    LesionEntry,
    SessionEntry,
    pictures_html,
    worst_first,
)
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import MeasuredLesionRow, SessionRow, TransferCheckRow, UnitRow
from cta_data.versioning.datasets import fetch
from cta_data.versioning.provenance import commit_of

MADE_FROM = tuple(
    layout.table(name)
    for name in ("images", "transforms", "variants", "transfer_checks", "lesions", "decisions")
)
"""The commit that last changed any of these stands on the page."""
IGNORE_ALL = "# Made by `cta-data pictures`; pictures of patients are not committed.\n*\n"


@dataclass(frozen=True)
class Pictures:
    """What was drawn.

    Attributes
    ----------
    page
        The page, from the top of the study; empty where the study holds nothing to show or tell.
    entries
        Subject-sessions of the page, worst first.
    left_out
        How many others there are.
    """

    page: str
    entries: tuple[SessionEntry, ...]
    left_out: LeftOut


@dataclass
class _SessionsFound:
    """Sessions that are to be drawn, and counts of those that are not."""

    files: list[SessionFiles] = field(default_factory=list)
    without_annotation: int = 0
    excluded: int = 0
    not_transferred: int = 0


def make_pictures(
    study: Study, selection: Selection, note: Callable[[str], None] = lambda text: None
) -> Pictures:
    """Draw every session and write the page.

    What is up to date is written again with the same bytes, so that a page is never older than
    its tables. A session whose files cannot be had or read is told on the page and costs no other.
    Nothing is committed: the folder tells git to ignore it. Without a selection, pictures of
    sessions that are no longer in the study are removed.

    Parameters
    ----------
    note
        Takes a line of progress.

    Raises
    ------
    CtaError
        Another command works on the study.
    ConfigurationError
        A cohort is not in the study.
    """
    with study_lock(study):
        found = _find(study, selection)
        counted = (found.without_annotation, found.excluded, found.not_transferred)
        if not found.files and not any(counted):
            return Pictures("", (), LeftOut())
        folder = study.root / layout.PICTURES
        folder.mkdir(parents=True, exist_ok=True)
        write_text(IGNORE_ALL, folder / ".gitignore")
        fetched = fetch(
            study.root, [path for files in found.files for path in _there(study, files)]
        )
        if fetched.paths:
            note(f"fetched the content of {len(fetched.paths)} files")
        entries, failed = [], []
        for files in found.files:
            name = str(files.session)
            try:
                entries.append(_draw(study, files, fetched.failed))
                note(f"drawn: {name}")
            except CtaError as error:
                failed.append((name, str(error)))
        left_out = LeftOut(*counted, tuple(failed))
        notice = study.configuration.study.notice
        page = pictures_html(entries, left_out, _in_words(selection), notice)
        origin = origin_text(commit_of(study.root, MADE_FROM))
        write_bytes(stamped(page.encode(), ".html", origin), study.root / layout.PICTURES_PAGE)
        if not selection.cohorts and not selection.subjects:
            remove_others(folder, (name for one in entries for name in one.files))
    return Pictures(layout.PICTURES_PAGE, tuple(worst_first(entries)), left_out)


def _find(study: Study, selection: Selection) -> _SessionsFound:
    """Return the sessions with a registration, or with a transfer that was made or failed."""
    upstream = Upstream(study)
    subjects = study.tables.by_key(SessionRow)
    found = _SessionsFound()
    for session in upstream.sessions(selection):
        transfer = upstream.unit("transfer", session)
        person = subjects.get(session)
        files = _files(upstream, session, transfer)
        is_excluded = person is not None and person.partition == "excluded"
        # Who has no annotation is excluded for that, and the registration can be looked at.
        without = transfer is not None and transfer.status == "notneeded"
        if files.failures and files.reference in files.images:
            found.files.append(files)
        elif is_excluded and not without:
            found.excluded += 1
        elif (files.variants or files.moving) and files.reference in files.images:
            found.files.append(files)
        elif without:
            found.without_annotation += 1
        else:
            found.not_transferred += 1
    return found


def _files(upstream: Upstream, session: SessionId, transfer: UnitRow | None) -> SessionFiles:
    tables = upstream.study.tables
    transforms = tuple(sorted(upstream.transforms(session), key=lambda row: row.moving))
    registration = upstream.unit("register", session)
    accepted = registration is not None and registration.status == "ok"
    failures = [
        f"{row.moving} to {row.fixed} is not accepted: {row.rejection_reason}"
        for row in transforms
        if not row.accepted and not accepted
    ]
    # What an earlier step stopped is told of that step.
    if transfer and transfer.status in ("error", "impossible") and not transfer.stopped_by:
        reason = transfer.reason or ""
        failures.append(reason if is_held_back(transfer) else f"transfer failed: {reason}")
    variants = tuple(sorted(upstream.variants(session), key=lambda v: (v.annotation, v.grid)))
    return SessionFiles(
        session,
        upstream.study.configuration.registration.reference,
        upstream.spaces(session),
        upstream.images(session, "brain"),
        transforms,
        variants,
        {
            (row.lesion_id, row.annotation, row.grid): row.flags or ()
            for row in tables.of_session(MeasuredLesionRow, session)
        },
        {
            (row.lesion_id, row.annotation, row.grid): row.reasons
            for row in tables.of_session(TransferCheckRow, session)
        },
        _state(upstream, session, is_failed=bool(failures), has_variants=bool(variants)),
        tuple(failures),
        tuple(_decisions(upstream, session)),
    )


def _state(upstream: Upstream, session: SessionId, *, is_failed: bool, has_variants: bool) -> str:
    """Return the one state of a session: what a person said goes before what checks say."""
    decided = []
    held = False
    for step in JUDGED:
        row = upstream.unit(step, session)
        decision = decision_about(
            upstream.study.tables, UnitId(step, session), row.key if row else None
        )
        if decision:
            decided.append(decision.verdict)
        elif row and is_held_back(row):
            held = True
    if held:
        return ON_HOLD
    if decided:
        return REJECTED if REJECTED in decided else ACCEPTED
    if is_failed:
        return FAILED
    return PASSED if has_variants else UNANNOTATED


def _decisions(upstream: Upstream, session: SessionId) -> list[str]:
    """Return what people decided about the registration and the transfer of a session."""
    told = []
    for step in JUDGED:
        row = upstream.unit(step, session)
        decision = decision_about(
            upstream.study.tables, UnitId(step, session), row.key if row else None
        )
        if decision:
            found = f", where {decision.finding}" if decision.finding else ""
            told.append(f"{step} {decision_reason(decision)}{found}")
    return told


def _there(study: Study, files: SessionFiles) -> list[str]:
    return [path for path in files.paths() if os.path.lexists(study.root / path)]


def _draw(study: Study, files: SessionFiles, not_fetched: dict[str, str]) -> SessionEntry:
    """Draw one session and write its picture.

    Raises
    ------
    DataRefused
        A file of it is gone, or its content is not to be had.
    """
    require_files(study.root, files.paths(), not_fetched)
    entry = SessionEntry(
        files.session,
        files.state,
        failures=files.failures,
        lesions=lesion_entries(files, study.root),
        decisions=files.decisions,
    )
    planes, folder = SessionPlanes(files, study.root), study.root / layout.PICTURES
    registration, pictures = None, []
    if boards := planes.boards():
        moving = ", ".join(files.moving)
        alt = f"Checkerboards of {files.reference} and {moving} of {entry.name}, in three planes"
        registration = write_picture(boards, folder, f"{entry.anchor}_registration.png", alt)
    for lesion in sorted({one.lesion for one in entry.lesions if one.drawn}):
        figure = planes.lesion(lesion)
        if figure is not None:
            alt = _in_picture(entry.name, entry.of_lesion(lesion))
            name = f"{entry.anchor}_{'_lesion-'.join(map(str, lesion))}.png"
            pictures.append((lesion, write_picture(figure, folder, name, alt)))
    return replace(entry, registration=registration, pictures=tuple(pictures))


def _in_picture(name: str, lesion: list[LesionEntry]) -> str:
    """Return what is seen of a lesion in words."""
    volumes = (f"{one.volume_cm3:.3f} cm³ as {one.annotation} on {one.grid}" for one in lesion)
    return f"Lesion {lesion[0].lesion_id} of {name} on every technique: {'; '.join(volumes)}"


def _in_words(selection: Selection) -> str:
    parts = [f"cohort {name}" for name in selection.cohorts]
    parts += [f"subject {label}" for label in selection.subjects]
    return ", ".join(parts)
