"""Pictures of patients as pages have them: files beside the page, which git ignores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from cta_data.drawing.png import png_bytes
from cta_data.drawing.views import DPI
from cta_data.files import write_changed

VIEWS_TEXT = (
    "Each lesion is seen in axial planes on every technique: first the whole slice, with the box "
    "of the crops; then of each technique the slice through the lesion with and without outlines, "
    "and below them the slices under and over it. The patient’s right is on the left, the bar is "
    "10 mm. Outlines follow the faces of voxels and are not smoothed. Black and white reach from "
    "the brain to the lesion."
)


@dataclass(frozen=True)
class PagePicture:
    """A picture: its file from the page, its size in pixels, and what is seen on it."""

    file: str
    width: int
    height: int
    alt: str


def write_picture(figure: Figure, folder: Path, name: str, alt: str) -> PagePicture:
    """Write a figure as PNG into the page's folder, or one in it."""
    write_changed(png_bytes(figure), folder / name)
    width, height = (round(float(inches) * DPI) for inches in figure.get_size_inches())
    return PagePicture(name, width, height, alt)


def remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Remove the pictures of a folder that its page no longer has."""
    names = set(kept)
    for path in sorted(folder.glob("*.png")):
        if path.name not in names:
            path.unlink()
