"""The page of false positives: all of them, with what a reader needs to judge."""

from __future__ import annotations

import re
from html import unescape

from helpers.read_page import check_page

from cta_data.review.audit_page import FalseEntry, audit_html, judging_command
from cta_data.review.page_pictures import PagePicture

PICTURE = PagePicture("article/a.png", 1118, 450, "A false positive on every technique")


def entry(lesion: int, **more: object) -> FalseEntry:
    return FalseEntry("SUSM", "B", "c 1", lesion, 61.5, (21.5, -3.0, 3.04), **more)  # type: ignore[arg-type]


def test_every_false_positive_is_on_the_page_with_all_that_is_known_of_it() -> None:
    """A section and a row each, in their order; volume, place, verdict, or why there is none."""
    entries = [
        entry(2, picture=PICTURE),
        entry(3, failure="no session has this name"),
        entry(
            1, picture=PICTURE, verdict="vessel, by A. Reader on 2026-03-01", remarks=("It is.",)
        ),
    ]
    page = audit_html(entries, "article", "model B")
    read = check_page(page)
    assert [one["id"] for one in read.all("section")] == [one.anchor for one in entries]
    assert re.findall(r'<th scope="row"><a href="#([^"]+)"', page) == [
        one.anchor for one in entries
    ]
    assert [one["data-state"] for one in read.all("section")] == ["open", "open", "judged"]
    text = unescape(re.sub(r"<[^>]+>", "", page))
    assert text.count("Volume 0.061 cm³; centroid at RAS 21.5, -3.0, 3.0 mm") == 3
    counts = re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", page)
    assert counts == [("False positives", "3"), ("Open", "2"), ("Without picture", "1")]
    assert "Not drawn: no session has this name" in text and "It is." in text
    assert text.count("vessel, by A. Reader on 2026-03-01") == 2 and "Only model B." in text
    for one in entries:
        assert judging_command(one, "article") in text


def test_pictures_lie_beside_the_page_and_are_loaded_when_seen() -> None:
    """Thousands of false positives cost the page no image before it is scrolled to."""
    page = audit_html([entry(2, picture=PICTURE)], "article")
    [image] = check_page(page).all("img")
    assert (image["src"], image["loading"]) == (PICTURE.file, "lazy")
    assert (image["width"], image["height"]) == ("1118", "450")
    assert not re.search(r"https?:|<link|url\(|<script src", page)


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
    assert page.count("<script") == 1 and unescape(page).count(evil) == 5
