"""What a reader sees of an item: slices of every technique through one point, and outlines.

All slices of an item lie in the space of one image, its frame: the reference image of the
registration, or the image on whose grid the item's masks are. Points are LPS, mm, in that space.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from cta_data.drawing.outlines import colour, corners, outline_lines
from cta_data.drawing.planes import (
    Vector,
    ViewPlane,
    anatomical_axes,
    lesion_centre,
    middle,
    orthogonal_planes,
)
from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.resampling import resample
from cta_data.pipeline.session_images import SessionImages, SessionRows
from cta_data.review.items import MaskSource, ReviewItem, Stop
from cta_data.scoring import CONVENTIONS
from cta_data.scoring.mask_files import instance_labels, read_mask

PLANES = ("axial", "coronal", "sagittal")
WHOLE_MM = 220.0
_WINDOW_MM, _WINDOW_PIXELS = 40.0, 80


class NotShown(LookupError):
    """An item is not shown on such a technique."""


@dataclass(frozen=True)
class SliceAsked:
    """One slice: a plane of the frame through a point, and how it is shown.

    Attributes
    ----------
    plane
        One of `PLANES`.
    centre
        Middle of the slice, LPS, mm, in the space of the frame.
    width_mm, pixels
        Edge of the square.
    level, window
        Middle and width of what is shown from black to white, in shares of the brain's window.
    """

    plane: str
    centre: tuple[float, float, float]
    width_mm: float = WHOLE_MM
    pixels: int = 384
    level: float = 0.5
    window: float = 1.0


@dataclass(frozen=True)
class MaskOutline:
    """The outline of one mask in a slice: lines of points (x, y), in pixels of the slice."""

    name: str
    colour: str
    lines: tuple[tuple[tuple[float, float], ...], ...]


class SessionReading:
    """The images of one session in memory, and slices through them.

    Raises
    ------
    DataRefused
        A file is damaged.
    """

    def __init__(self, root: Path, rows: SessionRows) -> None:
        self.rows = rows
        self._root = root
        self._images = SessionImages(root, rows.images, rows.brains, rows.transforms)
        self._masks: dict[tuple[str, str], sitk.Image] = {}

    def view(self, item: ReviewItem) -> ItemView:
        """Return what is shown of an item of this session."""
        return ItemView(self, item)

    @property
    def images(self) -> SessionImages:
        """Images by technique."""
        return self._images

    @property
    def reference(self) -> str:
        """Technique that the others are registered to."""
        return self.rows.reference

    def mask(self, source: MaskSource) -> sitk.Image:
        """Return the numbers of all instances of a mask's file, which many items may share."""
        key = (source.path, source.convention)
        if key not in self._masks:
            path = self._root / source.path
            if source.convention:
                self._masks[key] = instance_labels(read_mask(path), CONVENTIONS[source.convention])
            else:
                self._masks[key] = read_image(path)
        return self._masks[key]

    def grid_of(self, source: MaskSource) -> str:
        """Return the technique on whose grid a mask is.

        Raises
        ------
        DataRefused
            It is on the grid of no image.
        """
        if source.grid:
            return source.grid
        return self._images.technique_of_grid(self._root / source.path, self.reference)


class ItemView:
    """One item on the images of its session."""

    def __init__(self, reading: SessionReading, item: ReviewItem) -> None:
        self._reading, self._item = reading, item
        self._images = reading.images
        grids = [reading.grid_of(mask) for mask in item.masks]
        known = [t for t in (reading.reference, *grids, *sorted(self._images.images))]
        self.frame = next(t for t in known if t in self._images.images)
        self.left_out: dict[str, str] = {}
        self._windows: dict[str, tuple[float, float]] = {}
        for technique in self._images.images:
            try:
                self._images.transform(frame=self.frame, technique=technique)
            except DataRefused as error:
                self.left_out[technique] = str(error)

    @cached_property
    def techniques(self) -> list[str]:
        """What is shown: the frame, what masks are on, other MR, earlier phases, CT."""
        shown = [t for t in self._images.images if t not in self.left_out]
        grids = {self._reading.grid_of(mask) for mask in self._item.masks}
        rows = self._reading.rows.images

        def rank(t: str) -> tuple[object, ...]:
            is_phase = rows[t].technique != t
            return t != self.frame, t not in grids, rows[t].modality == "CT", is_phase, t

        return sorted(shown, key=rank)

    @cached_property
    def head(self) -> Vector:
        """Middle of the head."""
        return middle(self._images.head(self.frame))

    @cached_property
    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Unit vectors to the patient's left, posterior and superior along the frame's slices."""
        return anatomical_axes(self._images.images[self.frame])

    @cached_property
    def steps_mm(self) -> dict[str, float]:
        """Distance of the frame's slices in each plane."""
        image = self._images.images[self.frame]
        columns = np.array(image.GetDirection()).reshape(3, 3).T
        left, posterior, superior = (
            float(image.GetSpacing()[int(np.argmax(np.abs(columns @ axis)))]) for axis in self.axes
        )
        return {"axial": superior, "coronal": posterior, "sagittal": left}

    def points(self) -> Iterator[tuple[str, Vector]]:
        """Yield the places to look at; the middle of the head where there is none."""
        found = False
        for stop in self._item.stops:
            point = self._point(stop)
            if point is not None:
                found = True
                yield stop.label, point
        if not found:
            yield "middle of the head", self.head

    def _point(self, stop: Stop) -> Vector | None:
        if stop.point_ras_mm:
            x, y, z = stop.point_ras_mm
            grid = stop.grid or self._reading.grid_of(self._item.masks[0])
            return self._to_frame(grid, np.array([-x, -y, z]))
        for mask, number in stop.lesions:
            if mask.grid not in self.techniques:
                continue
            centre = lesion_centre(self._reading.mask(mask), number)
            if centre is not None:
                return self._to_frame(mask.grid, centre[0])
        return None

    def _to_frame(self, grid: str, point: Vector) -> Vector:
        transform = self._images.transform(frame=grid, technique=self.frame)
        return np.array(transform.TransformPoint(point.tolist()))

    def _plane(self, asked: SliceAsked) -> ViewPlane:
        image = self._images.images[self.frame]
        pixel = asked.width_mm / asked.pixels
        planes = orthogonal_planes(image, np.array(asked.centre), asked.width_mm, pixel)
        return planes[asked.plane]

    def png(self, technique: str, asked: SliceAsked) -> bytes:
        """Return a slice of a technique as PNG of 256 greys."""
        low, high = self._window(technique)
        middle_of = low + asked.level * (high - low)
        half = max(asked.window, 0.01) * (high - low) / 2
        window = (middle_of - half, middle_of + half)
        plane = self._plane(asked)
        values = self._images.shown(technique, plane, frame=self.frame, window=window)
        return grey_png(values)

    def _window(self, technique: str) -> tuple[float, float]:
        """Return black and white: from the brain to what is outlined at the first place."""
        if technique not in self._windows:
            _, point = next(self.points())
            asked = SliceAsked("axial", tuple(point.tolist()), _WINDOW_MM, _WINDOW_PIXELS)
            plane = self._plane(asked)
            inside = [values != 0 for _, values in self._cuts(plane)]
            self._windows[technique] = self._images.crop_window(
                technique, plane, inside, frame=self.frame
            )
        return self._windows[technique]

    def outlines(self, asked: SliceAsked) -> list[MaskOutline]:
        """Return the outlines of the item's masks in a slice; those that are not cut left out."""
        found = []
        for number, values in self._cuts(self._plane(asked)):
            lines = [
                tuple((float(x), float(y)) for x, y in corners(line))
                for label in np.unique(values[values != 0])
                for line in outline_lines(values == label)
            ]
            if lines:
                found.append(
                    MaskOutline(self._item.masks[number].name, colour(number), tuple(lines))
                )
        return found

    @property
    def frame_image(self) -> sitk.Image:
        """The image in whose space everything is shown."""
        return self._images.images[self.frame]

    def on_frame(self, technique: str) -> sitk.Image:
        """Return a technique on the grid of the frame."""
        return self._images.on_grid(technique, frame=self.frame)

    def masks_on(self, grid: sitk.Image) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield what each mask holds on a grid in the space of the frame, with its number.

        Of a mask of which one instance is shown, the others are 0. Arrays are (z, y, x).
        """
        for number, mask in enumerate(self._item.masks):
            own = self._reading.grid_of(mask)
            if own not in self.left_out:
                transform = self._images.transform(frame=self.frame, technique=own)
                labels = self._reading.mask(mask)
                here = resample(labels, grid, transform, interpolation="nearest")
                values = sitk.GetArrayFromImage(here)
                yield number, np.where(values == mask.only, values, 0) if mask.only else values

    def _cuts(self, plane: ViewPlane) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield what each mask holds in a plane, with the number of the mask."""
        for number, values in self.masks_on(plane.grid()):
            yield number, values[0]


def grey_png(values: NDArray[np.float64]) -> bytes:
    """Return values from 0 (black) to 1 (white) as PNG, rows from the top."""
    stream = io.BytesIO()
    greys = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(greys, mode="L").save(stream, "PNG", compress_level=1)
    return stream.getvalue()
