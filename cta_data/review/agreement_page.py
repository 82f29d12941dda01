"""The files of an agreement: a page, tables as CSV and LaTeX, a figure of each comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cta_data.files import write_changed
from cta_data.reports.figures.style import figure_bytes
from cta_data.reports.latex import latex
from cta_data.reports.origin import origin_text, stamped
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.table import csv_text, slug_of
from cta_data.review.agreement import Comparison
from cta_data.review.agreement_figure import volume_figure
from cta_data.review.agreement_tables import (
    agreement_frame,
    agreement_table,
    difference_frame,
    difference_table,
)
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.versioning.provenance import commit_of

TITLE = "Agreement of annotations"
INTRO = (
    "Lesions of two annotations are linked on one image grid: one to one so that the sum of Dice "
    "is largest, then by the distance of centroids up to 5 mm. Further parts of a lesion that only "
    "one annotation divides are listed and count in no figure. `cta-data pictures` shows the "
    "outlines of every annotation on every technique; `cta-data review --of annotations` leads "
    "through those that differ most, for decisions."
)
MADE_FROM = tuple(map(layout.table, ("annotations", "variants")))
"""Tables whose commit a page names: links are made and committed by the same command."""


def agreement_files(study: Study, comparisons: Sequence[Comparison]) -> dict[str, bytes]:
    """Return the files by their paths from the top of the study."""
    files: dict[str, bytes] = {}
    sections = []
    for one in comparisons:
        figures = []
        drawn = volume_figure(one)
        if drawn is not None:
            made = figure_bytes(drawn)
            files |= {f"{_stem(one)}_volumes.{kind}": content for kind, content in made.items()}
            figures.append(_page_figure(one))
        tables = (agreement_table(one), difference_table(one))
        sections.append(Section(one.title, figures=tuple(figures), tables=tables))
    files[layout.AGREEMENT_PAGE] = page_html(
        "introduced.html",
        title=TITLE,
        notice=study.configuration.study.notice,
        home="../../index.html",
        intro=INTRO,
        sections=sections,
    ).encode()
    folder = layout.AGREEMENT
    files[f"{folder}/agreement.csv"] = csv_text(agreement_frame(comparisons)).encode()
    files[f"{folder}/lesions.csv"] = csv_text(difference_frame(comparisons)).encode()
    files[f"{folder}/agreement.tex"] = "\n".join(_latex(comparisons)).encode()
    origin = origin_text(commit_of(study.root, MADE_FROM))
    return {name: stamped(content, Path(name).suffix, origin) for name, content in files.items()}


def _stem(one: Comparison) -> str:
    return f"{layout.AGREEMENT}/{slug_of(f'{one.first} {one.second}')}"


def _page_figure(one: Comparison) -> PageFigure:
    caption = (
        f"Volume of paired lesions: {one.second} divided by {one.first}, over the mean volume, "
        "with bias and limits of agreement."
    )
    count = sum(link.is_pair for case in one.cases for link in case.case.links)
    alt = f"Ratio of the volumes of {count} paired lesions over their mean volume"
    return PageFigure(f"{Path(_stem(one)).name}_volumes.svg", caption, alt)


def _latex(comparisons: Iterable[Comparison]) -> Iterable[str]:
    for one in comparisons:
        yield latex(agreement_table(one), (one.title,))


def write_agreement(study: Study, comparisons: Sequence[Comparison]) -> bool:
    """Write the files; tell whether any changed. Files of earlier comparisons are removed."""
    files = agreement_files(study, comparisons)
    changed = [write_changed(content, study.root / name) for name, content in files.items()]
    old = [
        path
        for path in (study.root / layout.AGREEMENT).iterdir()
        if path.relative_to(study.root).as_posix() not in files
    ]
    for path in old:
        path.unlink()
    return any(changed) or bool(old)
