"""FLAIR and T2 of the external cohorts: a plain level for every tissue, no signal equation.

They look like such images do, fluid dark or bright, oedema bright; nothing is measured on them.
"""

from __future__ import annotations

import numpy as np

from cta_data.phantom.lesions import Lesion
from cta_data.phantom.scanner import Contrast
from cta_data.phantom.tissues import TISSUES

_FLAIR = {
    "white": 330, "grey": 430, "csf": 60, "dura": 250, "bone": 10, "marrow": 260, "fat": 520,
    "muscle": 220, "skin": 240, "vitreous": 60, "oedema": 820, "blood": 90,
}  # fmt: skip
_T2 = {
    "white": 300, "grey": 420, "csf": 1150, "dura": 200, "bone": 10, "marrow": 300, "fat": 480,
    "muscle": 180, "skin": 200, "vitreous": 1150, "oedema": 860, "blood": 60,
}  # fmt: skip


def flair(name: str, lesions: list[Lesion]) -> Contrast:
    """FLAIR: fluid dark, oedema brightest, tumour a little above grey matter."""
    return _plain(name, _FLAIR, 560.0, 260.0, lesions)


def t2(name: str, lesions: list[Lesion]) -> Contrast:
    """T2: fluid brightest, oedema and necrosis bright."""
    return _plain(name, _T2, 600.0, 950.0, lesions)


def _plain(
    name: str, levels: dict[str, int], rim: float, core: float, lesions: list[Lesion]
) -> Contrast:
    tissues = np.array([levels[tissue] for tissue in TISSUES], dtype=np.float32)
    return Contrast(name, tissues, (rim,) * len(lesions), (core,) * len(lesions))
