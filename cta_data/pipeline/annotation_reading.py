"""Annotations as steps read them: contours or labels become lesions on the image below them."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from cta_data.engine import Workspace
from cta_data.files import read_json_object
from cta_data.formats.contours_json import read_contours
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.drawn_lesions import DrawnLesions, lesions_from_contours
from cta_data.imaging.lesions.label_transfer import TransferResult, as_drawn, transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_from_labels
from cta_data.pipeline.annotation_files import AnnotationFiles


@dataclass(frozen=True, eq=False)
class Annotation:
    """What was drawn, and on the grid of which image.

    `on_its_own_grid` is what a mask gives on its own grid: itself, voxel by voxel.
    """

    name: str
    space: str
    drawn: DrawnLesions
    on_its_own_grid: TransferResult | None = None

    def on_image(self, image: Grid) -> TransferResult:
        """Return its lesions on the grid of the image that it lies on."""
        if self.on_its_own_grid:
            return self.on_its_own_grid
        nowhere_else = sitk.Transform(3, sitk.sitkIdentity)
        return transfer_lesions(self.drawn.lesions, nowhere_else, image)


def read_annotation(files: AnnotationFiles, name: str, workspace: Workspace) -> Annotation:
    """Read the contours or the drawn lesions of an annotation."""
    space = files.space[name]
    if name in files.contours:
        rois = read_contours(workspace.read(files.contours[name]))
        # Images are stored in RAS order, so that axes lie nearest to x, y and z.
        spacing = files.spacing_mm[space] or ()
        return Annotation(name, space, lesions_from_contours(rois, spacing_mm=spacing))
    labels = read_image(workspace.read(files.drawn[name]))
    named = read_json_object(workspace.read(files.names[name]))
    about = {lesion["id"]: lesion for lesion in named["Lesions"]}
    names = {i: (one["region"], one["name"], one["component"]) for i, one in about.items()}
    lesions = lesions_from_labels(labels, names)
    flags = {i: tuple(one["flags"]) for i, one in about.items()}
    drawn = DrawnLesions(tuple(lesions))
    return Annotation(name, space, drawn, as_drawn(lesions, labels, flags))
