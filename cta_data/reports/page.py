"""Pages for people: one frame and one stylesheet, from templates; nothing comes from elsewhere.

The same content gives the same bytes. Texts of the data are escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import urlize
from markupsafe import Markup

from cta_data.reports.table import Table, slug_of


@dataclass(frozen=True)
class PageFigure:
    """A figure of a page: its file, what it is, what is seen on it, and its title if any.

    Wide ones are as wide as the page, all others of one width.
    """

    file: str
    caption: str
    alt: str
    title: str = ""
    is_wide: bool = False


@dataclass(frozen=True)
class Section:
    """A section of a page: a text, lists under their headings, figures and tables.

    Attributes
    ----------
    title
        Its heading, and its entry in the contents.
    """

    title: str
    text: str = ""
    figures: tuple[PageFigure, ...] = ()
    tables: tuple[Table, ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    files: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Title as the target of a link."""
        return slug_of(self.title)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show but its title."""
        filled = any(lines for _, lines in self.lists)
        return not (self.text or self.figures or self.tables or self.files or filled)


def page_html(
    template: str, *, title: str, notice: str = "", home: str = "", **content: object
) -> str:
    """Return a page.

    Parameters
    ----------
    template
        File in `templates` that fills the frame `page.html`.
    title
        Of the window.
    notice
        A line that the page begins with.
    home
        The study's home page, relative to this one; empty where there is none.
    content
        What the template shows, by the names that it has there.
    """
    made = _templates().get_template(template)
    return made.render(title=title, notice=notice, home=home, **content)


def prose(text: str) -> Markup:
    """Return a text with its addresses as links and what is between backticks as code."""
    linked = urlize(text)
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", linked))


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("cta_data.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["prose"] = prose
    return made
