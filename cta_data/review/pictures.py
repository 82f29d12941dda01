"""Pictures of transfers: for every subject-session one PNG and one entry of a page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cta_data.drawing.png import png_bytes
from cta_data.engine import Selection, UnitId
from cta_data.engine.acceptance import decision_about, decision_reason, is_held_back
from cta_data.engine.sessions import Upstream
from cta_data.errors import CtaError
from cta_data.files import write_bytes, write_text
from cta_data.pipeline.session_images import require_files
from cta_data.reports.origin import origin_text, stamped
from cta_data.review.acceptance import JUDGED
from cta_data.review.picture_content import SessionFiles, lesion_entries, session_picture
from cta_data.review.pictures_page import LeftOut, SessionEntry, pictures_html, worst_first
from cta_data.review.transfer_pictures import draw_session
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import MeasuredLesionRow, SessionRow, UnitRow
from cta_data.versioning.datasets import fetch
from cta_data.versioning.provenance import commit_of

FOLDER = "evaluation/pictures"
PAGE = "index.html"
MADE_FROM = tuple(
    layout.table(name)
    for name in ("images", "transforms", "variants", "transfer_checks", "lesions", "acceptances")
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
        folder = study.root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        write_text(IGNORE_ALL, folder / ".gitignore")
        fetched = fetch(
            study.root, [path for files in found.files for path in _there(study, files)]
        )
        if fetched.paths:
            note(f"fetched the content of {len(fetched.paths)} files")
        entries, failed = [], []
        for files in found.files:
            name = _entry(files).name
            try:
                entries.append(_draw(study, files, fetched.failed))
                note(f"drawn: {name}")
            except CtaError as error:
                failed.append((name, str(error)))
        left_out = LeftOut(*counted, tuple(failed))
        notice = study.configuration.study.notice
        page = pictures_html(entries, left_out, _in_words(selection), notice)
        origin = origin_text(commit_of(study.root, MADE_FROM))
        write_bytes(stamped(page.encode(), ".html", origin), folder / PAGE)
        if not selection.cohorts and not selection.subjects:
            _remove_others(folder, {f"{_entry(files).anchor}.png" for files in found.files})
    return Pictures(f"{FOLDER}/{PAGE}", tuple(worst_first(entries)), left_out)


def _find(study: Study, selection: Selection) -> _SessionsFound:
    """Return the sessions with an annotation that was carried over, or that failed to be."""
    upstream = Upstream(study)
    subjects = study.tables.by_key(SessionRow)
    found = _SessionsFound()
    for session in upstream.sessions(selection):
        transfer = upstream.unit("transfer", session)
        person = subjects.get(session)
        files = _files(upstream, session, transfer)
        if transfer and transfer.status == "notneeded":
            found.without_annotation += 1
        elif files.failures and files.hub in files.images:
            found.files.append(files)
        elif person and person.partition == "excluded":
            found.excluded += 1
        elif files.variants and files.hub in files.images:
            found.files.append(files)
        else:
            found.not_transferred += 1
    return found


def _files(upstream: Upstream, session: SessionId, transfer: UnitRow | None) -> SessionFiles:
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
    return SessionFiles(
        session,
        upstream.study.configuration.registration.hub,
        upstream.spaces(session),
        upstream.images(session, "brain"),
        transforms,
        tuple(sorted(upstream.variants(session), key=lambda v: (v.quality, v.grid))),
        {
            (row.lesion_id, row.quality, row.grid): row.flags or ()
            for row in upstream.study.tables.of_session(MeasuredLesionRow, session)
        },
        tuple(failures),
        tuple(_decisions(upstream, session)),
    )


def _decisions(upstream: Upstream, session: SessionId) -> list[str]:
    """Return what people decided about the registration and the transfer of a session."""
    told = []
    for step in JUDGED:
        decision = decision_about(upstream.study.tables, UnitId(step, session))
        row = upstream.unit(step, session)
        if decision and row and decision.unit_key == row.key:
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
    lesions = lesion_entries(files, study.root)
    picture = session_picture(files, lesions, study.root)
    entry = _entry(files)
    name = f"{entry.anchor}.png"
    write_bytes(png_bytes(draw_session(picture)), study.root / FOLDER / name)
    return replace(
        entry, picture=name, failures=files.failures, lesions=lesions, decisions=files.decisions
    )


def _entry(files: SessionFiles) -> SessionEntry:
    return SessionEntry(files.session, "")


def _in_words(selection: Selection) -> str:
    parts = [f"cohort {name}" for name in selection.cohorts]
    parts += [f"subject {label}" for label in selection.subjects]
    return ", ".join(parts)


def _remove_others(folder: Path, kept: set[str]) -> None:
    for path in sorted(folder.glob("*.png")):
        if path.name not in kept:
            path.unlink()
