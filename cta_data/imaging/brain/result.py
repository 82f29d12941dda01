"""What a skull stripping returns, whichever back end made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import SimpleITK as sitk

Options = Mapping[str, object]


@dataclass(frozen=True)
class BrainExtraction:
    """A brain mask (uint8, 1 = brain, on the image's own grid) and where it comes from."""

    mask: sitk.Image
    backend: str
    version: str
    notes: tuple[str, ...] = ()


BackEnd = Callable[[sitk.Image, Options], BrainExtraction]
