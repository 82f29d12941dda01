"""What figures and pages say of themselves."""

from __future__ import annotations

import io
from importlib import metadata
from xml.etree import ElementTree

from matplotlib.figure import Figure
from PIL import Image

from cta_data.reports.figures import figure_bytes
from cta_data.reports.origin import origin_text, stamped

ORIGIN = origin_text("abc123")


def test_the_origin_names_version_and_commit() -> None:
    """Without a commit, as of masks of elsewhere, the version stands alone."""
    version = metadata.version("cta_data")
    assert version in ORIGIN and ORIGIN.endswith("commit abc123")
    assert origin_text() == f"Made by cta_data {version}"


def test_images_stay_images_and_say_where_they_are_from() -> None:
    """The pixels of a PNG and the drawing of an SVG are as before; the same bytes every time."""
    for kind, content in figure_bytes(Figure(figsize=(1, 1))).items():
        made = stamped(content, f".{kind}", ORIGIN)
        assert made == stamped(content, f".{kind}", ORIGIN) != content
        if kind == "png":
            with Image.open(io.BytesIO(made)) as image, Image.open(io.BytesIO(content)) as before:
                assert image.info["Software"] == ORIGIN
                assert image.tobytes() == before.tobytes()
        else:
            tree = ElementTree.fromstring(made)
            assert tree[0].text == ORIGIN and len(tree) == len(ElementTree.fromstring(content)) + 1


def test_a_page_ends_with_it_and_a_table_for_programs_has_none() -> None:
    """The footer stands last on the page; CSV is left as it is."""
    page = stamped(b"<body>\n<p>x</p>\n</body>\n</html>\n", ".html", ORIGIN).decode()
    assert ORIGIN in page and page.endswith("</footer>\n</body>\n</html>\n")
    assert stamped(b"a,b\n", ".csv", ORIGIN) == b"a,b\n"
    assert stamped(b"x", ".tex", ORIGIN) == f"% {ORIGIN}\nx".encode()
