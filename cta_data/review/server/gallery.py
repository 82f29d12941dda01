"""Pictures on demand: a few sessions in memory, a few slices at a time, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from cta_data.engine.sessions import DOSE, Upstream
from cta_data.pipeline.session_images import SessionRows, require_files
from cta_data.review.items import ReviewItem
from cta_data.review.reading_room import ItemView, NotShown, SessionReading, SliceAsked
from cta_data.review.server.niivue import volume
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.versioning.datasets import fetch

SESSIONS_KEPT, ITEMS_KEPT, PICTURES_KEPT = 3, 200, 600
Made = TypeVar("Made")


class _Kept:
    """The last results of something that is slow; each is made once, by one thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for a key, or make it; who asks meanwhile waits."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: Made = self._kept[key]
                return found
            own = self._making.setdefault(key, threading.Lock())
        with own:
            with self._lock:
                if key in self._kept:
                    found = self._kept[key]
                    return found
            made = make()
            with self._lock:
                self._kept[key] = made
                self._making.pop(key, None)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return made


@dataclass(frozen=True)
class _OpenSession:
    """The images of a session, and what is shown on them: both go when others take their place."""

    reading: SessionReading
    views: _Kept = field(default_factory=lambda: _Kept(ITEMS_KEPT))


class Gallery:
    """What is shown of the items of a review."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._tables = threading.Lock()
        self._sessions = _Kept(SESSIONS_KEPT)
        self._pictures = _Kept(PICTURES_KEPT)
        self._contents = _Kept(ITEMS_KEPT)

    def item(self, item: ReviewItem) -> dict[str, Any]:
        """Return where to look at an item, and on what, as JSON content."""
        return self._contents.get(item.id, lambda: self._content(item))

    def png(self, item: ReviewItem, technique: str, asked: SliceAsked) -> bytes:
        """Return a slice as PNG.

        Raises
        ------
        NotShown
            The item is not shown on such a technique.
        CtaError
            Files cannot be fetched or read.
        """
        view = self.view(item)
        if technique not in view.techniques:
            raise NotShown(technique)
        key = (item.id, technique, asked)
        return self._pictures.get(key, lambda: view.png(technique, asked))

    def outlines(self, item: ReviewItem, asked: SliceAsked) -> list[dict[str, Any]]:
        """Return the outlines of a slice as JSON content."""
        view = self.view(item)
        key = (item.id, "", asked)
        return self._pictures.get(key, lambda: [vars(one) for one in view.outlines(asked)])

    def volume(self, item: ReviewItem, technique: str) -> bytes:
        """Return a technique, or the masks, on the grid of the frame as NIfTI.

        Raises
        ------
        NotShown
            The item is not shown on such a technique.
        CtaError
            Files cannot be fetched or read.
        """
        with TemporaryDirectory() as folder:
            return volume(self.view(item), technique, Path(folder))

    def _content(self, item: ReviewItem) -> dict[str, Any]:
        view = self.view(item)
        left, posterior, superior = (axis.tolist() for axis in view.axes)
        return {
            "techniques": view.techniques,
            "frame": view.frame,
            "axes": {"left": left, "posterior": posterior, "superior": superior},
            "steps_mm": view.steps_mm,
            "head": view.head.tolist(),
            "stops": [{"label": label, "point": p.tolist()} for label, p in view.points()],
            "left_out": view.left_out,
        }

    def view(self, item: ReviewItem) -> ItemView:
        """Return the images of an item; its session stays in memory for a while."""
        opened = self._sessions.get(item.session, lambda: self._open(item.session))
        return opened.views.get(item.id, lambda: self._make_view(opened.reading, item))

    def _make_view(self, reading: SessionReading, item: ReviewItem) -> ItemView:
        fetch_files(self._study, [mask.path for mask in item.masks])
        return reading.view(item)

    def _open(self, session: SessionId) -> _OpenSession:
        with self._tables:
            rows = session_rows(self._study, session)
        fetch_files(self._study, rows.paths())
        return _OpenSession(SessionReading(self._study.root, rows))


def session_rows(study: Study, session: SessionId) -> SessionRows:
    """Return which images and registrations a session has."""
    upstream = Upstream(study)
    spaces = {n: row for n, row in upstream.spaces(session).items() if row.modality != DOSE}
    brains = {n: row for n, row in upstream.images(session, "brain").items() if n in spaces}
    reference = study.configuration.registration.reference
    transforms = upstream.transforms(session)
    known = tuple(row for row in transforms if {row.fixed, row.moving} <= {*spaces, reference})
    return SessionRows(reference, spaces, brains, known)


def fetch_files(study: Study, paths: list[str]) -> None:
    """Fetch the content of files that is not here.

    Raises
    ------
    DataRefused
        A file is gone, or its content is not to be had.
    """
    require_files(study.root, paths, fetch(study.root, paths).failed)
