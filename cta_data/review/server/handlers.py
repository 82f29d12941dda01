"""What the server answers: the page, the list, one item, slices, and decisions that it keeps."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from tornado.web import HTTPError, RequestHandler

from cta_data.drawing.outlines import colour
from cta_data.errors import CtaError
from cta_data.review.items import ReviewItem, about_key
from cta_data.review.reading_room import PLANES, NotShown, SliceAsked
from cta_data.review.server.gallery import Gallery
from cta_data.review.server.niivue import bundle
from cta_data.review.server.security import HEADERS, Access
from cta_data.review.sitting import Said, Sitting
from cta_data.review.worklist import DECIDED, state_of

STATIC = {
    "review.css": "text/css",
    "deep.js": "text/javascript",
    "review.js": "text/javascript",
    "views.js": "text/javascript",
}
_MOST_PIXELS, _MOST_MM, _FARTHEST_MM = 1024, 400.0, 2000.0
Made = TypeVar("Made")


@dataclass(frozen=True)
class Room:
    """What all handlers of one server share."""

    access: Access
    sitting: Sitting
    gallery: Gallery
    pool: Executor
    about: dict[str, Any]
    end: asyncio.Event


class Guarded(RequestHandler):
    """Refuses whoever was not given the address, and every page of elsewhere."""

    room: Room

    def initialize(self, room: Room) -> None:
        """Take what all handlers share."""
        self.room = room

    def set_default_headers(self) -> None:
        """Set the headers of every answer."""
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse before anything is looked at."""
        changes = self.request.method not in ("GET", "HEAD")
        why = self.room.access.refuses(self.request.headers, changes=changes)
        if not why and not self.is_known():
            why = "open the address that `cta-data review` printed"
        if why:
            raise HTTPError(403, reason="Forbidden", log_message=why)

    def is_known(self) -> bool:
        """Tell whether the browser has the cookie."""
        return self.room.access.is_session(self.get_cookie(self.room.access.cookie) or "")

    def write_error(self, status_code: int, **settings: Any) -> None:
        """Say what is wrong in one line."""
        error = settings.get("exc_info", (None, None, None))[1]
        told = getattr(error, "log_message", None) or self._reason
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {told}\n")

    def item(self, name: str) -> ReviewItem:
        """Return the item of an id."""
        found = self.room.sitting.listed.by_id.get(name)
        if found is None:
            raise HTTPError(404, log_message="there is no such item")
        return found

    async def drawn(self, work: Callable[[], Made]) -> Made:
        """Do something slow beside the server; files that cannot be read are told."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.room.pool, work)
        except CtaError as error:
            raise HTTPError(409, reason="Not shown", log_message=str(error)) from error
        except NotShown as error:
            raise HTTPError(404, log_message="there is no such technique") from error

    def answer(self, content: Any) -> None:
        """Answer with JSON."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(content))


class PageHandler(Guarded):
    """The page; with the token, the cookie first."""

    def is_known(self) -> bool:
        """Tell whether the address has the token, or the browser the cookie."""
        return super().is_known() or self.room.access.is_token(self.get_query_argument("token", ""))

    def get(self) -> None:
        """Answer with the page, or lead to the address without the token."""
        access = self.room.access
        if self.get_query_argument("token", ""):
            if not access.is_token(self.get_query_argument("token")):
                raise HTTPError(403, log_message="open the address that `cta-data review` printed")
            self.set_cookie(access.cookie, access.session, httponly=True, samesite="Strict")
            self.redirect("/")
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(static_file("review.html"))


class StaticHandler(Guarded):
    """The page's own files, by name."""

    def get(self, name: str) -> None:
        """Answer with one of them."""
        if name not in STATIC:
            raise HTTPError(404)
        self.set_header("Content-Type", f"{STATIC[name]}; charset=utf-8")
        self.finish(static_file(name))


class ListHandler(Guarded):
    """The list with the state of each item."""

    def get(self) -> None:
        """Answer with all items, worst first."""
        said = self.room.sitting.decisions()
        rows = []
        for item in self.room.sitting.listed.items:
            decision = said.get(item.id)
            state = state_of(item, decision)
            rows.append(
                {
                    "id": item.id,
                    "kind": item.kind,
                    "cohort": item.session.cohort,
                    "title": item.title,
                    "state": state,
                    "verdict": decision.verdict if decision and state == DECIDED else "",
                }
            )
        self.answer({"about": self.room.about, "items": rows})


class ItemHandler(Guarded):
    """One item: what is known of it, where to look, and what this reader said."""

    async def get(self, name: str) -> None:
        """Answer with everything but pictures."""
        item = self.item(name)
        decision = self.room.sitting.decision(item)
        content = {
            "id": item.id,
            "kind": item.kind,
            "title": item.title,
            "facts": item.facts,
            "verdicts": item.verdicts,
            "choices": item.choices,
            "masks": [
                {"name": mask.name, "colour": colour(number)}
                for number, mask in enumerate(item.masks)
            ],
            "state": state_of(item, decision),
            "decision": decision
            and {
                "verdict": decision.verdict,
                "note": decision.reason or "",
                "preferred": decision.preferred or "",
                "decided_on": decision.decided_on,
            },
        }
        try:
            content["view"] = await self.drawn(lambda: self.room.gallery.item(item))
        except HTTPError as error:
            # It can be decided about without images; why there are none is shown.
            content["view"], content["failure"] = None, error.log_message
        self.answer(content)


class SliceHandler(Guarded):
    """One slice of one technique as PNG."""

    async def get(self, name: str) -> None:
        """Answer with the picture."""
        item, asked = self.item(name), asked_slice(self)
        technique = self.get_query_argument("technique")
        png = await self.drawn(lambda: self.room.gallery.png(item, technique, asked))
        self.set_header("Content-Type", "image/png")
        # Kept by the open page alone, for as long as it is open.
        self.finish(png)


class OutlineHandler(Guarded):
    """The outlines in one slice."""

    async def get(self, name: str) -> None:
        """Answer with lines in pixels of the slice."""
        item, asked = self.item(name), asked_slice(self)
        self.answer(await self.drawn(lambda: self.room.gallery.outlines(item, asked)))


class NiivueHandler(Guarded):
    """The viewer in three dimensions, where it is installed."""

    async def get(self) -> None:
        """Answer with its module."""
        content = await self.drawn(bundle)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish(content)


class VolumeHandler(Guarded):
    """One technique, or the masks, as NIfTI on the grid of the frame."""

    async def get(self, name: str) -> None:
        """Answer with the file."""
        item, technique = self.item(name), self.get_query_argument("technique")
        content = await self.drawn(lambda: self.room.gallery.volume(item, technique))
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(content)


class DecideHandler(Guarded):
    """Keeps a decision: it is on the disk when the answer comes."""

    def post(self) -> None:
        """Take `id` and `verdict`; `note` and `preferred` may be there."""
        content = _posted(self)
        item = self.item(content.get("id", ""))
        said = Said(*(content.get(name, "") for name in ("verdict", "note", "preferred")))
        try:
            row = self.room.sitting.decide(item, said)
        except CtaError as error:
            raise HTTPError(400, log_message=str(error)) from error
        except OSError as error:
            raise HTTPError(500, log_message=f"not kept: {error}") from error
        self.answer({"id": item.id, "state": DECIDED, "verdict": row.verdict})


class UndoHandler(Guarded):
    """Takes back the last decision of this sitting."""

    def post(self) -> None:
        """Answer with the item that it was about, or none."""
        sitting = self.room.sitting
        taken = sitting.undo()
        if taken is None:
            self.answer({"id": ""})
            return
        key = about_key(taken)
        for item in sitting.listed.items:
            if about_key(item.about) == key:
                decision = sitting.decision(item)
                state = state_of(item, decision)
                verdict = decision.verdict if decision and state == DECIDED else ""
                self.answer({"id": item.id, "state": state, "verdict": verdict})
                return
        self.answer({"id": ""})


class EndHandler(Guarded):
    """Ends the sitting."""

    def post(self) -> None:
        """Let the command commit, and end."""
        self.answer({"ended": True})
        self.room.end.set()


def _posted(handler: RequestHandler) -> dict[str, Any]:
    try:
        content = json.loads(handler.request.body)
    except (ValueError, RecursionError) as error:
        raise HTTPError(400, log_message="the request is not JSON") from error
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise HTTPError(400, log_message="the request is no decision")
    return content


def asked_slice(handler: RequestHandler) -> SliceAsked:
    """Return which slice a request is for; whatever is no such slice is refused."""
    plane = handler.get_query_argument("plane")
    names = ("x", "y", "z", "width", "level", "window", "pixels")
    try:
        x, y, z, width, level, window, pixels = (
            float(handler.get_query_argument(name)) for name in names
        )
    except ValueError as error:
        raise HTTPError(400, log_message="a value is no number") from error
    fits = 5 <= width <= _MOST_MM and 16 <= pixels <= _MOST_PIXELS and abs(level) <= 10
    near = all(math.isfinite(v) and abs(v) <= _FARTHEST_MM for v in (x, y, z))
    if plane not in PLANES or not fits or not near or not 0 < window <= 10:
        raise HTTPError(400, log_message="there is no such slice")
    return SliceAsked(plane, (x, y, z), width, int(pixels), level, window)


def static_file(name: str) -> bytes:
    """Return one of the page's files, which come with the package."""
    return resources.files("cta_data.review.server").joinpath("static", name).read_bytes()
