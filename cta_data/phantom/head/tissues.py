"""Relaxation times, proton densities and CT numbers of the tissues of a head at 3 T.

Sources:

- grey and white matter, T1, T2 and T2*: Wansapura JP et al., J Magn Reson Imaging 1999;9:531-538
  (3.0 T: T1 1331 and 832 ms, T2 110 and 80 ms);
- cerebrospinal fluid: Rooney WD et al., Magn Reson Med 2007;57:308-318 (T1 4.3 s);
- blood and muscle: Stanisz GJ et al., Magn Reson Med 2005;54:507-512 (T1 1932 and 1412 ms,
  T2 275 and 50 ms);
- fat and marrow: Gold GE et al., AJR 2004;183:343-351 (T1 371 and 365 ms, T2 133 ms for both);
- tumour, oedema: within the ranges of Badve C et al., AJNR 2017;38:67-73 (solid tumour T1 about
  1.6 s at 3 T, peritumoral white matter about 1.1 to 1.5 s);
- proton densities relative to water: Tofts P, Quantitative MRI of the Brain, Wiley 2003, chapter 4;
- CT numbers: Hounsfield ranges of textbooks (Kalender WA, Computed Tomography, 3rd edition, 2011).

Kinetic constants of normal tissue are chosen so that dura, skin and marrow enhance moderately and
brain tissue with an intact barrier hardly at all. Skin, dura and cortical bone have no agreed
values at 3 T; theirs are set by analogy (muscle, and a signal near nothing).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kinetics:
    """Constants of the extended Tofts model.

    `transfer_per_min` is Ktrans (1/min), `leakage_fraction` is ve, `plasma_fraction` is vp.
    """

    transfer_per_min: float
    leakage_fraction: float
    plasma_fraction: float


@dataclass(frozen=True)
class Tissue:
    """One tissue: proton density (water = 1), times in ms, CT number in HU.

    `magnetisation_transfer` is the share of signal that a long train of refocusing pulses leaves.
    """

    proton_density: float
    t1_ms: float
    t2_ms: float
    t2_star_ms: float
    hounsfield: float
    kinetics: Kinetics = Kinetics(0.0, 0.2, 0.0)
    magnetisation_transfer: float = 1.0


BLOOD_HAEMATOCRIT = 0.42

TISSUES: dict[str, Tissue] = {
    "white": Tissue(0.70, 832, 80, 45, 28, Kinetics(0.0002, 0.2, 0.012), 0.80),
    "grey": Tissue(0.82, 1331, 110, 52, 38, Kinetics(0.0004, 0.2, 0.025), 0.87),
    "csf": Tissue(1.00, 4300, 1800, 800, 6),
    "dura": Tissue(0.65, 1100, 45, 20, 60, Kinetics(0.05, 0.30, 0.05), 0.85),
    "bone": Tissue(0.04, 900, 5, 1.0, 1250),
    "marrow": Tissue(0.60, 420, 110, 12, 420, Kinetics(0.01, 0.1, 0.02)),
    "fat": Tissue(0.92, 371, 133, 40, -95),
    "muscle": Tissue(0.78, 1412, 50, 28, 55, Kinetics(0.02, 0.12, 0.02), 0.80),
    "skin": Tissue(0.70, 1000, 40, 15, 35, Kinetics(0.05, 0.30, 0.03), 0.85),
    "vitreous": Tissue(1.00, 4100, 1500, 600, 10),
    "oedema": Tissue(0.84, 1350, 125, 70, 18, Kinetics(0.0004, 0.2, 0.012), 0.92),
    "blood": Tissue(0.85, 1932, 275, 50, 48, Kinetics(0.0, 0.2, 1.0 - BLOOD_HAEMATOCRIT), 0.95),
}
"""Tissues of the head, in the order of the channels of `anatomy.tissue_fractions`."""

TUMOUR = Tissue(0.88, 1500, 115, 65, 42, magnetisation_transfer=0.93)
NECROSIS = Tissue(0.95, 2400, 250, 140, 18, Kinetics(0.004, 0.3, 0.0))

CONTRAST_CLASSES: dict[str, Kinetics] = {
    "high": Kinetics(0.060, 0.36, 0.05),
    "medium": Kinetics(0.034, 0.30, 0.04),
    "low": Kinetics(0.013, 0.22, 0.025),
}
"""How strongly a metastasis takes up contrast agent; drawn values scatter around these."""
