"""NiiVue, where it is installed: the extra `review` brings its bundle, and no page of elsewhere.

The bundle of ipyniivue exports only its notebook widget. One line more exports the viewer, by the
names that this very file has for it: so its version is pinned and its digest checked.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import CtaError
from cta_data.formats.nifti.image import write_image
from cta_data.review.reading_room import ItemView, NotShown

SHA256 = "922951141f03da6294cc74a7c520d694a9723733ee25d997b85da8136057a96b"
"""Of `ipyniivue/static/widget.js` 2.4.4, which holds NiiVue 0.65.0."""
EXPORTS = b"\nexport{t2 as Niivue};\n"
LABELS = "labels"
"""Stands for the item's masks where a technique is asked for."""


def bundle_path() -> Path | None:
    """Return where the bundle lies; None where the extra `review` is not installed."""
    found = find_spec("ipyniivue")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / "static" / "widget.js"
    return path if path.is_file() else None


@cache
def bundle() -> bytes:
    """Return the viewer as a module for the page.

    Raises
    ------
    CtaError
        It is not installed, or another version is.
    """
    path = bundle_path()
    if path is None:
        raise CtaError("niivue_not_installed")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise CtaError("niivue_other_version", where=str(path))
    return content + EXPORTS


def volume(view: ItemView, technique: str, folder: Path) -> bytes:
    """Return a technique, or the item's masks, on the grid of the frame as NIfTI.

    On one grid, the same place is the same voxel in every view: also of oblique images, and
    through every registration.

    Raises
    ------
    NotShown
        The item is not shown on such a technique.
    """
    if technique == LABELS:
        image = _labels(view)
    elif technique in view.techniques:
        image = view.on_frame(technique)
    else:
        raise NotShown(technique)
    write_image(image, folder / "volume.nii.gz")
    return (folder / "volume.nii.gz").read_bytes()


def _labels(view: ItemView) -> sitk.Image:
    """Return the masks with the number of their outline, from 1; the first is on top."""
    frame = view.frame_image
    numbers = np.zeros(frame.GetSize()[::-1], np.uint8)
    for number, values in view.masks_on(frame):
        numbers[(values != 0) & (numbers == 0)] = number + 1
    image = sitk.GetImageFromArray(numbers)
    image.CopyInformation(frame)
    return image
