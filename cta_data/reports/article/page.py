"""The page of an evaluation: all but single patients and lesions; its pictures lie beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from cta_data.reports.table_1.rendering import STYLE, notice_html

UNSHOWN = frozenset(["found_patients", "found_lesions", "lesions_by_models"])
"""Tables of single patients and lesions."""


def evaluation_page(
    convention: str,
    *,
    notice: str,
    told: Mapping[str, Sequence[str]],
    sections: Sequence[str],
    figures: Mapping[str, str],
    last: str,
    counts: Mapping[str, pd.DataFrame],
) -> str:
    """Return the page.

    Parameters
    ----------
    notice
        A line that the page begins with.
    told
        By heading, lines that have to be read before any number.
    sections
        HTML of tables.
    figures
        File name and caption.
    last
        HTML after the figures.
    counts
        Tables by name; those of single patients and lesions are not shown.
    """
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Evaluation</title>\n<style>\n{STYLE}img {{ max-width: 100%; }}\n</style>\n"
        f"</head>\n<body>\n{notice_html(notice)}"
        f"<h1>Evaluation by the convention “{escape(convention)}”</h1>\n"
    ]
    for title, lines in told.items():
        if lines:
            items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
            parts.append(f"<h2>{title}: {len(lines)}</h2>\n<ul>\n{items}</ul>\n")
    parts += sections
    for name, caption in figures.items():
        parts.append(
            f'<figure><img src="{name}" alt="{escape(name)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>\n"
        )
    parts.append(last)
    for name, frame in counts.items():
        if name not in UNSHOWN:
            shown = frame.to_html(index=False, border=0, na_rep="—", float_format="{:.3f}".format)
            parts.append(f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2>\n{shown}\n")
    return "".join([*parts, "</body>\n</html>\n"])
