"""A review without server and study: one page with its images, filled in elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import resources
from typing import Any

from cta_data.errors import CtaError
from cta_data.review.import_decisions import FORMAT, VERSION
from cta_data.review.items import ReviewItem
from cta_data.review.reading_room import PLANES, WHOLE_MM, ItemView, SliceAsked
from cta_data.review.server.gallery import Gallery
from cta_data.review.worklist import Asked, Worklist
from cta_data.study.study import Study
from cta_data.versioning.keys import digest

MOST_STOPS, MOST_TECHNIQUES = 3, 3
CROP_MM, PIXELS = 60.0, 160
WHOLE_PIXELS = 200
NEIGHBOURS = (-2, -1, 0, 1, 2)
"""Axial slices of a crop; of the other planes the middle one alone."""


def exported_items(
    study: Study, listed: Worklist, note: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return all items with their pictures; one that cannot be drawn has the reason instead."""
    gallery, made = Gallery(study), []
    # Session by session: the images of one at a time are read.
    order = sorted(listed.items, key=lambda item: (item.session, item.id))
    drawn: dict[str, dict[str, Any]] = {}
    for number, item in enumerate(order, start=1):
        drawn[item.id] = _exported(gallery, item)
        if number % 20 == 0:
            note(f"drawn: {number} of {len(order)}")
    made += [drawn[item.id] for item in listed.items]
    return made


def _exported(gallery: Gallery, item: ReviewItem) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": item.id,
        "kind": item.kind,
        "title": item.title,
        "facts": item.facts,
        "verdicts": item.verdicts,
        "choices": item.choices,
        # Not what it is about: a blinded reader could look it up in the page.
        "content_key": item.about.content_key,
        "stops": [],
        "failure": "",
    }
    try:
        content["stops"] = list(_stops(gallery.view(item)))
    except CtaError as error:
        content["failure"] = str(error)
    return content


def _stops(view: ItemView) -> Iterator[dict[str, Any]]:
    normals = dict(zip(PLANES, (view.axes[2], view.axes[1], view.axes[0]), strict=True))
    for label, point in list(view.points())[:MOST_STOPS]:
        slices = []
        for plane in PLANES:
            for number in NEIGHBOURS if plane == "axial" else (0,):
                at = point + number * view.steps_mm[plane] * normals[plane]
                slices.append(_slice(view, plane, at, CROP_MM, PIXELS, number))
        superior = normals["axial"]
        middle = view.head + ((point - view.head) @ superior) * superior
        whole = _slice(view, "axial", middle, WHOLE_MM, WHOLE_PIXELS, 0)
        sizes = {"pixels": PIXELS, "whole_pixels": WHOLE_PIXELS}
        yield {"label": label, "slices": slices, "whole": whole, **sizes}


def _slice(
    view: ItemView, plane: str, at: Any, width: float, pixels: int, number: int
) -> dict[str, Any]:
    x, y, z = (float(value) for value in at)
    asked = SliceAsked(plane, (x, y, z), width, pixels)
    return {
        "plane": plane,
        "number": number,
        "pictures": {
            technique: base64.b64encode(view.png(technique, asked)).decode("ascii")
            for technique in view.techniques[:MOST_TECHNIQUES]
        },
        "outlines": [asdict(one) for one in view.outlines(asked)],
    }


def export_html(study: Study, asked: Asked, items: list[dict[str, Any]], reader: str) -> str:
    """Return the page: images, script and style are in it, and nothing else may be loaded."""
    style, script = (_file(name) for name in ("export.css", "export.js"))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "study": study.identifier,
        "convention": asked.convention,
        "blinded": asked.blinded,
        "name": study.root.resolve().name,
        "reader": reader,
        "items": items,
    }
    content["page"] = digest([study.identifier, [item["id"] for item in items]])[:16]
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    # What looks like the end of the block would end it, wherever it comes from.
    data = json.dumps(content).replace("<", "\\u003c")
    page = _file("export.html")
    for name, text in (("POLICY", policy), ("STYLE", style), ("SCRIPT", script), ("DATA", data)):
        page = page.replace(f"%{name}%", text, 1)
    return page


def _file(name: str) -> str:
    folder = resources.files("cta_data.review.server").joinpath("static")
    return folder.joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    content = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(content).decode('ascii')}'"
