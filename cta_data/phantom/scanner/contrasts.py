"""What every tissue and lesion is worth in the images of a series.

T1-weighted series have the signal equations of `signal`. FLAIR and T2 have a plain level for every
tissue: they look like such images do, fluid dark or bright, oedema bright; nothing is measured on
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cta_data.phantom.head.lesions import Lesion
from cta_data.phantom.head.tissues import NECROSIS, TISSUES, TUMOUR, Tissue
from cta_data.phantom.scanner.signal import (
    MprageSequence,
    Phase,
    SpaceSequence,
    mprage_signal,
    space_signal,
    tissue_concentration,
)

Volume = npt.NDArray[np.float32]

PHASES: dict[str, Phase] = {"none": Phase(None), "early": Phase(2.0), "late": Phase(10.0)}
SPACE_PHASE = Phase(16.0)
WHITE_MATTER_LEVEL = 420.0
"""Stored value of unenhanced white matter, before the bias field."""
FLOW_VOID = 0.03
"""Share of the signal of flowing blood that a SPACE train leaves."""
HOUNSFIELD_OF_AIR = -1000.0
_FLAIR = {
    "white": 330, "grey": 430, "csf": 60, "dura": 250, "bone": 10, "marrow": 260, "fat": 520,
    "muscle": 220, "skin": 240, "vitreous": 60, "oedema": 820, "blood": 90,
}  # fmt: skip
_T2 = {
    "white": 300, "grey": 420, "csf": 1150, "dura": 200, "bone": 10, "marrow": 300, "fat": 480,
    "muscle": 180, "skin": 200, "vitreous": 1150, "oedema": 860, "blood": 60,
}  # fmt: skip
_PLAIN: dict[str, tuple[dict[str, int], float, float]] = {
    "FLAIR": (_FLAIR, 560.0, 260.0),
    "T2": (_T2, 600.0, 950.0),
}
"""Levels of tissues, of the rim of a tumour and of its core."""


@dataclass(frozen=True)
class Contrast:
    """The signals of one series: every tissue's in the order of `TISSUES`, tumour's by lesion."""

    name: str
    tissues: Volume
    rims: tuple[float, ...]
    cores: tuple[float, ...]


def _mr_signal(tissue: Tissue, kinetics_of: Tissue | Lesion, technique: str, phase: Phase) -> float:
    concentration = tissue_concentration(kinetics_of.kinetics, phase)
    if technique == "SPACE":
        return space_signal(tissue, concentration, SpaceSequence())
    return mprage_signal(tissue, concentration, MprageSequence())


def mr_contrast(name: str, technique: str, phase: Phase, lesions: list[Lesion]) -> Contrast:
    """Signals of an MR series, scaled so that unenhanced white matter is `WHITE_MATTER_LEVEL`."""
    white = TISSUES["white"]
    reference = (
        space_signal(white, 0.0, SpaceSequence())
        if technique == "SPACE"
        else mprage_signal(white, 0.0, MprageSequence())
    )
    scale = WHITE_MATTER_LEVEL / reference
    levels = [_mr_signal(t, t, technique, phase) * scale for t in TISSUES.values()]
    if technique == "SPACE":
        levels[list(TISSUES).index("blood")] *= FLOW_VOID
    core = _mr_signal(NECROSIS, NECROSIS, technique, phase) * scale
    rims = tuple(_mr_signal(TUMOUR, lesion, technique, phase) * scale for lesion in lesions)
    return Contrast(name, np.array(levels, dtype=np.float32), rims, (core,) * len(lesions))


def ct_contrast(lesions: list[Lesion]) -> Contrast:
    """Linear attenuation of the planning CT as HU above air, so that air is 0 like in MR."""
    levels = [t.hounsfield - HOUNSFIELD_OF_AIR for t in TISSUES.values()]
    rim, core = (t.hounsfield - HOUNSFIELD_OF_AIR for t in (TUMOUR, NECROSIS))
    n = len(lesions)
    return Contrast("CT", np.array(levels, dtype=np.float32), (rim,) * n, (core,) * n)


def contrast_of(series: str, lesions: list[Lesion], name: str = "") -> Contrast:
    """The contrast of a series, called `name` or as the series.

    `series` is `MPRAGE-<phase>`, `SPACE-<phase>`, `SPACE` (at its own time), `CT`, `FLAIR` or `T2`.
    """
    name = name or series
    if series == "CT":
        return ct_contrast(lesions)
    if series in _PLAIN:
        levels, rim, core = _PLAIN[series]
        tissues = np.array([levels[tissue] for tissue in TISSUES], dtype=np.float32)
        return Contrast(name, tissues, (rim,) * len(lesions), (core,) * len(lesions))
    technique, _, phase = series.partition("-")
    return mr_contrast(name, technique, PHASES[phase] if phase else SPACE_PHASE, lesions)
