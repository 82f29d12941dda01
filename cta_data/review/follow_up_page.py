"""The files of a follow-up: a page, a figure and a table of each subject, and a page of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cta_data.files import write_changed
from cta_data.reports.figures.style import figure_bytes
from cta_data.reports.origin import origin_text, stamped
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.table import csv_text
from cta_data.review.follow_up import FollowedSubject
from cta_data.review.follow_up_figure import volumes_figure
from cta_data.review.follow_up_tables import changes_table, csv_frame, overview_table
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.versioning.provenance import commit_of

TITLE = "Lesions over time"
INTRO = (
    "Each session is registered with the one before it, and the lesions of both annotations are "
    "linked: one to one so that the sum of Dice is largest, then parts of a lesion that split or "
    "merged, then the nearest centroids up to 5 mm. A lesion that is new or gone is one that only "
    "one of the two annotations has."
)
MADE_FROM = tuple(map(layout.table, ("annotations", "variants")))
"""Tables whose commit a page names: changes are made and committed by the same command."""
HOME = f"../../{layout.HOME}"


def follow_up_files(study: Study, subjects: Sequence[FollowedSubject]) -> dict[str, bytes]:
    """Return the files of subjects by their paths from the top of the study."""
    files: dict[str, bytes] = {}
    for one in subjects:
        files |= _subject_files(study, one)
    return _stamped(study, files)


def _subject_files(study: Study, one: FollowedSubject) -> dict[str, bytes]:
    page, table = (layout.followed_subject(one.cohort, one.subject, end) for end in ("html", "csv"))
    drawn = figure_bytes(volumes_figure(one))
    figures = {layout.followed_subject(one.cohort, one.subject, end): drawn[end] for end in drawn}
    shown = PageFigure(
        Path(layout.followed_subject(one.cohort, one.subject, "svg")).name,
        "Volume of each lesion with its 95 % interval; of lesions that merged or split, of all "
        "parts together.",
        f"Volumes of {len(one.tracks)} lesions in {len(one.visits)} sessions",
    )
    section = Section(
        "Changes", figures=(shown,), tables=(changes_table(one),), files=(Path(table).name,)
    )
    html = page_html(
        "introduced.html",
        title=f"{TITLE}: {one.title}",
        notice=study.configuration.study.notice,
        home=HOME,
        intro=INTRO,
        sections=[section],
    )
    return {page: html.encode(), table: csv_text(csv_frame([one])).encode(), **figures}


def _index(study: Study, subjects: Sequence[FollowedSubject]) -> dict[str, bytes]:
    pages = (layout.followed_subject(one.cohort, one.subject, "html") for one in subjects)
    files = tuple(Path(page).name for page in pages)
    html = page_html(
        "introduced.html",
        title=TITLE,
        notice=study.configuration.study.notice,
        home=HOME,
        intro=INTRO,
        sections=[Section("All subjects", tables=(overview_table(subjects),), files=files)],
    )
    return {layout.FOLLOW_UP_PAGE: html.encode()}


def _stamped(study: Study, files: dict[str, bytes]) -> dict[str, bytes]:
    origin = origin_text(commit_of(study.root, MADE_FROM))
    return {name: stamped(content, Path(name).suffix, origin) for name, content in files.items()}


def write_follow_up(
    study: Study, chosen: Sequence[FollowedSubject], every: Sequence[FollowedSubject]
) -> bool:
    """Write the files of the chosen subjects and the page of all; tell whether any changed.

    Files of subjects who are no longer followed are removed.
    """
    files = follow_up_files(study, chosen) | _stamped(study, _index(study, every))
    changed = [write_changed(content, study.root / name) for name, content in files.items()]
    kept = {*files, *_names(every)}
    old = [
        path
        for path in (study.root / layout.FOLLOW_UP).iterdir()
        if path.relative_to(study.root).as_posix() not in kept
    ]
    for path in old:
        path.unlink()
    return any(changed) or bool(old)


def _names(subjects: Iterable[FollowedSubject]) -> set[str]:
    ends = ("html", "csv", "svg", "png")
    return {
        layout.followed_subject(one.cohort, one.subject, end) for one in subjects for end in ends
    }
