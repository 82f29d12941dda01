"""A page of an edit: every lesion before and after, and pictures of those that changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.drawing.crops import Outline
from cta_data.drawing.planes import ViewPlane, show_lesion
from cta_data.drawing.png import png_bytes
from cta_data.drawing.views import views_figure
from cta_data.engine.sessions import Upstream
from cta_data.files import write_text
from cta_data.pipeline.session_images import SessionImages
from cta_data.pipeline.session_views import lesion_views
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.table import Row, Table, TableColumn
from cta_data.review.edit_changes import LesionEdit
from cta_data.review.edit_folder import EditRecord
from cta_data.review.page_pictures import VIEWS_TEXT
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow
from cta_data.versioning.datasets import fetch

BEFORE, AFTER = "before", "after"
MOST_DRAWN = 20
"""Lesions that are drawn, those that changed most first."""


def write_edit_page(
    study: Study,
    record: EditRecord,
    made: AnnotationRow,
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    changes: Sequence[LesionEdit],
    path: Path,
) -> None:
    """Write the page as one file, for the folder of the editor: it holds its pictures.

    Parameters
    ----------
    before, after
        Lesion ids (z, y, x) on the grid of the record.
    """
    drawn = sorted((c for c in changes if c.differing_voxels), key=lambda c: -c.differing_voxels)
    figures = tuple(_figures(study, record, before, after, drawn[:MOST_DRAWN]))
    where = "" if record.grid == record.drawn_on else f", delineated on {record.drawn_on}"
    intro = (
        f"{record.id}: {record.annotation}, edited on the grid of {record.grid}{where}, "
        f"is now {made.annotation}, by {made.author} on {made.date}: {made.reason}"
    )
    sections = [
        Section("Lesions", tables=(change_table(changes),)),
        Section("Before and after", VIEWS_TEXT if figures else "", figures=figures),
    ]
    html = page_html(
        "introduced.html",
        title="What an edit changed",
        notice=study.configuration.study.notice,
        intro=intro,
        sections=[one for one in sections if not one.is_empty],
    )
    write_text(html, path)


def change_table(changes: Sequence[LesionEdit]) -> Table:
    """Return every lesion before and after, those that changed first."""
    columns = (
        TableColumn("Lesion", "name"),
        TableColumn("Name", "text"),
        TableColumn("Is", "text"),
        *(TableColumn(side, unit="mm³", group="Volume") for side in (BEFORE, AFTER)),
        TableColumn("Voxels that differ"),
    )
    ordered = sorted(changes, key=lambda one: (not one.differing_voxels, one.id))
    rows = tuple(
        Row(
            (
                *(str(one.id), one.name, one.change),
                *(f"{one.volume_before_mm3:.1f}", f"{one.volume_after_mm3:.1f}"),
                str(one.differing_voxels),
            ),
            is_warning=one.change in ("deleted", "not on this grid"),
        )
        for one in ordered
    )
    return Table(columns, rows, is_sortable=True)


def _figures(
    study: Study,
    record: EditRecord,
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    changes: Sequence[LesionEdit],
) -> Iterator[PageFigure]:
    upstream = Upstream(study)
    rows = upstream.images(record.id)
    transforms = upstream.transforms(record.id)
    fetch(study.root, [row.path for row in (*rows.values(), *transforms)])
    images = SessionImages(study.root, rows, {}, transforms)
    if record.grid not in images.images:
        return
    grid = images.images[record.grid]
    sides = {BEFORE: _on(before, grid), AFTER: _on(after, grid)}
    for one in changes:
        side = sides[AFTER if one.voxels_after else BEFORE]
        plane = images.lesion_plane(side, one.id, grid=record.grid, frame=record.grid)
        if plane is None:
            continue
        views = lesion_views(
            images,
            plane,
            frame=record.grid,
            techniques=list(images.images),
            outlines=lambda cut, number=one.id: _outlines(sides, number, cut),  # type: ignore[misc]
        )
        picture = png_bytes(views_figure(views, (BEFORE, AFTER)))
        caption = f"Lesion {one.id} ({one.name}), {one.change}."
        source = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
        yield PageFigure(source, caption, caption)


def _outlines(sides: dict[str, sitk.Image], number: int, cut: ViewPlane) -> tuple[Outline, ...]:
    return tuple(Outline(name, show_lesion(image, number, cut)) for name, image in sides.items())


def _on(labels: NDArray[np.integer], grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(grid)
    return image
