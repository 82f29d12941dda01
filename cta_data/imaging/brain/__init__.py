"""Skull stripping by interchangeable back ends, each named in one table."""

from __future__ import annotations

from collections.abc import Callable

import SimpleITK as sitk

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.brain import given, hd_bet, morphology
from cta_data.imaging.brain.plausibility import measure_brain, reasons_against_brain
from cta_data.imaging.brain.result import BackEnd, BrainExtraction, Options

BACK_ENDS: dict[str, BackEnd] = {
    "morphology": morphology.extract,
    "hd-bet": hd_bet.extract,
    "provided": given.extract_supplied,
    "none": given.whole_image,
}

REQUIREMENTS: dict[str, Callable[[Options], object]] = {"hd-bet": hd_bet.require}
"""What a back end checks before the first image, where it needs more than this package."""

OPTIONS: dict[str, tuple[str, ...]] = {"hd-bet": hd_bet.OPTIONS, "provided": given.OPTIONS}
"""What a back end can be told, where it can."""

CHECKED = ("morphology", "hd-bet")
"""Back ends that find the brain themselves: what they return is checked. The others are told."""

__all__ = ["BACK_ENDS", "BrainExtraction", "extract_brain", "require_backend"]


def require_backend(backend: str, options: Options) -> None:
    """Check that a back end is there with all that it needs, before hours are spent.

    Raises
    ------
    ConfigurationError
        The back end is unknown or not installed.
    """
    _backend(backend)
    if backend in REQUIREMENTS:
        REQUIREMENTS[backend](options)


def _backend(name: str) -> BackEnd:
    if name not in BACK_ENDS:
        raise ConfigurationError(
            "brain_extraction_back_end_unknown", name=name, back_ends=tuple(BACK_ENDS)
        )
    return BACK_ENDS[name]


def extract_brain(
    image: sitk.Image, backend: str = "morphology", options: Options | None = None
) -> BrainExtraction:
    """Return the brain mask of ``image`` (uint8 0/1 on its own grid).

    Parameters
    ----------
    image
        Scalar volume, LPS mm.
    backend
        ``morphology`` (no weights), ``hd-bet`` (the extra ``brain``), ``provided`` (a mask of the
        user's own) or ``none`` (data that is already skull-stripped).
    options
        What the back end takes: ``weights_folder``, ``device`` and ``test_time_augmentation`` for
        ``hd-bet``; ``mask`` (a path or an image) for ``provided``.

    Raises
    ------
    ConfigurationError
        There is no such back end or option, or it lacks something (a package, weights, an option).
    DataRefused
        The back end cannot use this image, or what it found cannot be a brain.
    """
    extract, chosen = _backend(backend), options or {}
    _require_options(backend, chosen)
    found = extract(image, chosen)
    if backend in CHECKED:
        _require_brain(found, image)
    return found


def _require_options(backend: str, options: Options) -> None:
    known = OPTIONS.get(backend, ())
    unknown = tuple(str(name) for name in options if name not in known)
    if unknown:
        raise ConfigurationError(
            "brain_extraction_options_unknown", backend=backend, options=unknown, known=known
        )


def _require_brain(found: BrainExtraction, image: sitk.Image) -> None:
    reasons = reasons_against_brain(measure_brain(found.mask, image))
    if reasons:
        raise DataRefused("brain_mask_implausible", backend=found.backend, reasons=tuple(reasons))
