"""The images of one subject-session, read once, and what they show in a plane."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.drawing.outlines import Mask
from cta_data.drawing.planes import (
    Pixels,
    ViewPlane,
    anatomical_axes,
    grey_window,
    lesion_centre,
    lesion_window,
    sample,
    show,
)
from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import read_grid, read_image
from cta_data.formats.transforms import read_transform
from cta_data.imaging.geometry.grid import same_grid, same_voxels
from cta_data.imaging.geometry.resampling import resample
from cta_data.pipeline.transform_chain import TransformChain
from cta_data.study.tables import ImageRow, TransformRow

CROP_MM, CROP_PIXEL_MM, AROUND_MM = 32.0, 0.25, 10.0


@dataclass(frozen=True)
class SessionRows:
    """The rows of the tables that say which images and registrations a session has."""

    reference: str
    images: Mapping[str, ImageRow]
    brains: Mapping[str, ImageRow]
    transforms: tuple[TransformRow, ...]

    def paths(self) -> list[str]:
        """Return all files, from the top of the study."""
        masks = [row.mask_path for row in self.brains.values() if row.mask_path]
        images = [row.path for row in self.images.values()]
        return [*images, *(row.path for row in self.transforms), *masks]


class SessionImages:
    """Images by technique, with their brain masks and the transforms between them.

    Parameters
    ----------
    images, brains
        Rows of the table `images` by technique: as acquired, and with the brain extracted.
    transforms
        Rows of the table `transforms`.
    """

    def __init__(
        self,
        root: Path,
        images: Mapping[str, ImageRow],
        brains: Mapping[str, ImageRow],
        transforms: Iterable[TransformRow],
    ) -> None:
        self.images = {t: read_image(root / row.path) for t, row in images.items()}
        self.brains = {
            technique: read_image(root / row.mask_path)
            for technique, row in brains.items()
            if technique in images and row.mask_path
        }
        self._windows = {
            t: grey_window(image, self.brains.get(t), images[t].modality)
            for t, image in self.images.items()
        }
        self._modalities = {t: row.modality for t, row in images.items()}
        self._frames = {t: row.frame for t, row in images.items()}
        given = {(row.fixed, row.moving): read_transform(root / row.path) for row in transforms}
        self._registered = {technique for pair in given for technique in pair}
        self._chain = TransformChain(given)

    def transform(self, *, frame: str, technique: str) -> sitk.Transform:
        """Return the transform from points of the image `frame` to points of another one.

        Images that were delivered on one grid are never registered: to them it is the identity.

        Raises
        ------
        DataRefused
            Nothing connects the two, or a deformation between them cannot be inverted.
        """
        both = {frame, technique}
        if not both <= self._registered and both <= self.images.keys():
            frames = {self._frames[t] for t in both if self._frames[t] is not None}
            if len(frames) < 2 and same_grid(self.images[frame], self.images[technique]):
                return sitk.Transform(3, sitk.sitkIdentity)
        return self._chain.between(target=frame, source=technique)

    def on_grid(self, technique: str, *, frame: str) -> sitk.Image:
        """Return a technique on the grid of another image; its darkest value where it ends.

        Raises
        ------
        DataRefused
            Nothing connects the two.
        """
        image = self.images[technique]
        if technique == frame:
            return image
        transform = self.transform(frame=frame, technique=technique)
        darkest = float(sitk.GetArrayViewFromImage(image).min())
        return resample(image, self.images[frame], transform, default=darkest)

    def technique_of_grid(self, mask: Path, first: str) -> str:
        """Return the technique on whose grid a mask is; of several `first`, then by name.

        Models of others may have written it with its axes in another order.

        Raises
        ------
        DataRefused
            It is on the grid of no image.
        """
        grid = read_grid(mask)
        for technique in sorted(self.images, key=lambda t: (t != first, t)):
            if same_voxels(grid, self.images[technique]):
                return technique
        images = ", ".join(sorted(self.images)) or "no image"
        raise DataRefused("mask_grid_unknown", where=mask.name, images=images)

    def head(self, technique: str) -> sitk.Image:
        """Return where the head is: the brain, or what is brighter than the mean."""
        if technique in self.brains:
            return self.brains[technique]
        image = self.images[technique]
        return image > float(sitk.GetArrayViewFromImage(image).mean())

    def shown(
        self,
        technique: str,
        plane: ViewPlane,
        *,
        frame: str,
        window: tuple[float, float] | None = None,
    ) -> Pixels:
        """Return what a technique shows in a plane that lies in the space of the image `frame`.

        Parameters
        ----------
        window
            Values that are shown black and white; those of the brain without it.
        """
        transform = self.transform(frame=frame, technique=technique)
        chosen = window or self._windows[technique]
        return show(self.images[technique], plane, chosen, transform)

    def crop_window(
        self, technique: str, plane: ViewPlane, inside: Sequence[Mask], *, frame: str
    ) -> tuple[float, float]:
        """Return the window of a crop: from the brain to what is inside of any outline."""
        low, _ = window = self._windows[technique]
        transform = self.transform(frame=frame, technique=technique)
        values = sample(self.images[technique], plane, low, transform)
        any_of = np.any(inside, axis=0) if inside else np.zeros(values.shape, bool)
        return lesion_window(window, values, any_of, self._modalities[technique])

    def lesion_plane(
        self, labels: sitk.Image, lesion_id: int, *, grid: str, frame: str
    ) -> ViewPlane | None:
        """Return the axial plane of `frame` through a lesion; None where there is no such lesion.

        Parameters
        ----------
        labels
            Lesion numbers, in the space of the image `grid`.
        """
        found = lesion_centre(labels, lesion_id)
        if found is None:
            return None
        to_frame = self.transform(frame=grid, technique=frame)
        centre = np.array(to_frame.TransformPoint(found[0].tolist()))
        left, posterior, _ = anatomical_axes(self.images[frame])
        width = max(CROP_MM, 2 * (found[1] + AROUND_MM))
        # The same number of pixels for all, so that a large lesion costs no more.
        return ViewPlane(centre, left, posterior, width, CROP_PIXEL_MM * width / CROP_MM)


def require_files(root: Path, paths: Iterable[str], not_fetched: Mapping[str, str]) -> None:
    """Refuse to draw without all files, given from the top of the study.

    Parameters
    ----------
    not_fetched
        Why the content of files could not be fetched.

    Raises
    ------
    DataRefused
        A file is gone, or its content is not to be had.
    """
    for path in paths:
        if path in not_fetched or not os.path.lexists(root / path):
            raise DataRefused(
                "picture_file_missing", where=path, why=not_fetched.get(path, "it is gone")
            )
