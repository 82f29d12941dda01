"""The page of false positives: all of them, in one file, with what a reader needs to judge."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import numpy as np
from PIL import Image

from cta_data.drawing.crops import Crop, Outline
from cta_data.drawing.png import png_bytes
from cta_data.reports.figures.findings import strip_figure
from cta_data.review.audit_page import FalseEntry, audit_html, judging_command


def entry(lesion: int, **more: object) -> FalseEntry:
    return FalseEntry("SUSM", "B", "c 1", lesion, 61.5, (21.5, -3.0, 3.04), **more)  # type: ignore[arg-type]


def test_every_false_positive_is_on_the_page_with_all_that_is_known_of_it() -> None:
    """A section and a row each, in their order; volume, place, verdict, or why there is none."""
    entries = [
        entry(2, picture=b"picture"),
        entry(3, failure="no session has this name"),
        entry(
            1, picture=b"other", verdict="vessel, by A. Reader on 2026-03-01", remarks=("It is.",)
        ),
    ]
    page = audit_html(entries, "article", "model B")
    assert re.findall(r'<section id="([^"]+)"', page) == [one.anchor for one in entries]
    assert re.findall(r'<td class="text"><a href="#([^"]+)"', page) == [
        one.anchor for one in entries
    ]
    text = unescape(re.sub(r"<[^>]+>", "", page))
    assert text.count("Volume 0.061 cm³; centroid at RAS 21.5, -3.0, 3.0 mm") == 3
    assert "False positives: 3; open: 2; without picture: 1." in text
    assert "Not drawn: no session has this name" in text and "It is." in text
    assert text.count("vessel, by A. Reader on 2026-03-01") == 2 and "Only model B." in text
    for one in entries:
        assert judging_command(one, "article") in text


def test_the_page_needs_no_other_file() -> None:
    """Pictures are in the page, byte by byte; no script, nothing from elsewhere."""
    page = audit_html([entry(2, picture=b"\x89PNG bytes")], "article")
    [source] = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(source) == b"\x89PNG bytes"
    assert "<script" not in page and not re.search(r"https?:|<link|url\(", page)


def test_the_command_can_be_pasted() -> None:
    """Names with blanks are quoted, and another convention than the default is named."""
    assert judging_command(entry(2), "tables") == (
        "cta-data audit 'c 1' 2 --model B --test-set SUSM --convention tables "
        "--verdict VERDICT --reader NAME"
    )


def test_text_of_the_data_is_escaped() -> None:
    """Notes of readers and reasons never become a part of the page."""
    evil = "<script>alert('1 & 2')</script>"
    page = audit_html([entry(2, verdict=evil, failure=evil, remarks=(evil,))], "article", evil)
    assert "<script" not in page and unescape(page).count(evil) == 5


def test_crops_are_shown_with_and_without_outlines() -> None:
    """The lower row has the same image, and no outline hides a small lesion there."""
    values = np.full((128, 128), 0.4)
    inside = np.zeros((128, 128), bool)
    inside[40:90, 40:90] = True
    names = ("reference", "model A")
    crops = [Crop(t, values, 0.25, (Outline("model A", inside),)) for t in ("MPRAGE", "SPACE")]
    pixels = np.asarray(
        Image.open(io.BytesIO(png_bytes(strip_figure(crops, names)))).convert("RGB")
    )
    orange = (np.abs(pixels.astype(int) - (0xE6, 0x9F, 0x00)).sum(axis=2) < 30).sum(axis=1)
    rows = len(orange)
    crop_top = round(rows * 0.1)  # below the legend
    assert orange[crop_top : rows // 2].sum() > 500
    assert orange[rows // 2 + round(rows * 0.06) :].sum() == 0
