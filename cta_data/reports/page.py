"""Pages for people: one frame and one stylesheet, from templates; nothing comes from elsewhere.

The same content gives the same bytes. Texts of the data are escaped.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_html(template: str, *, title: str, notice: str = "", **content: object) -> str:
    """Return a page.

    Parameters
    ----------
    template
        File in `templates` that fills the frame `page.html`.
    title
        Of the window.
    notice
        A line that the page begins with.
    content
        What the template shows, by the names that it has there.
    """
    return _templates().get_template(template).render(title=title, notice=notice, **content)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("cta_data.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
