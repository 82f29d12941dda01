"""What a page holds for those who read it by its structure, and what every page has to have."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

RAW_NAMES = ("cluster_low", "internal_mprage", "internal_space", "test_set", "to_cm3", "n_lost")
"""Names of columns and populations, which are for programs."""
EMPTY = frozenset(["meta", "link", "img", "br", "wbr", "input"])


class Page(HTMLParser):
    """The elements of a page by name with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, which has to be the innermost."""
        assert self._open and self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        """Take text that is shown."""
        if self._open and self._open[-1] not in ("style", "script", "title"):
            self.text += f" {data}"

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of this name."""
        return [attributes for name, attributes in self.elements if name == tag]


def check_page(html: str) -> Page:
    """Assert what holds of every page, and return it.

    One heading of the first order, one main part, a way past the navigation, no level of heading
    left out, a text for every image, a scope for every heading of a table, links that lead to what
    is there, nothing loaded from elsewhere, and no raw name, NaN or infinity.
    """
    page = Page(html)
    assert [len(page.all(tag)) for tag in ("h1", "main", "header")] == [1, 1, 1]
    assert page.all("html")[0]["lang"] == "en" and "viewport" in {
        one.get("name") for one in page.all("meta")
    }
    levels = [int(tag[1]) for tag, _ in page.elements if len(tag) == 2 and tag[1].isdigit()]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(len(image.get("alt", "")) > 20 for image in page.all("img"))
    assert all("scope" in heading for heading in page.all("th"))
    ids = [about["id"] for _, about in page.elements if "id" in about]
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    targets = [link["href"] for link in page.all("a")]
    assert {one[1:] for one in targets if one.startswith("#")} <= set(ids)
    assert not any(one.get("src", "").startswith("http") for _, one in page.elements)
    assert "nan" not in page.text.split() and "inf" not in page.text.split()
    assert not [name for name in RAW_NAMES if name in page.text]
    return page
