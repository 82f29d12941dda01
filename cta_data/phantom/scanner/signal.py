"""Signal equations of MPRAGE and T1-weighted SPACE, and what gadobutrol does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cta_data.phantom.head.tissues import Kinetics, Tissue

R1_PER_MMOL_S = 5.0
"""Longitudinal relaxivity of gadobutrol in plasma at 3 T (L/mmol/s; Rohrer M et al., Invest Radiol
2005;40:715-724)."""
R2_PER_MMOL_S = 7.1
"""Transverse relaxivity of gadobutrol in plasma at 3 T (the same source)."""
DOSE_MMOL_PER_KG = 0.1

# Plasma concentration after a bolus: amplitudes in kg/L and rates in 1/min (Weinmann HJ et al.,
# Physiol Chem Phys Med NMR 1984;16:167-172, in the form of Tofts PS and Kermode AG, Magn Reson Med
# 1991;17:357-367).
_PLASMA = ((3.99, 0.144), (4.78, 0.0111))


@dataclass(frozen=True)
class MprageSequence:
    """Timing of an MPRAGE (ms, degrees); TI runs to the centre of the readout train."""

    repetition_ms: float = 2000.0
    inversion_ms: float = 900.0
    echo_ms: float = 2.44
    flip_deg: float = 9.0
    echo_spacing_ms: float = 6.9
    excitations: int = 176


@dataclass(frozen=True)
class SpaceSequence:
    """Timing of a T1-weighted SPACE (ms, degrees)."""

    repetition_ms: float = 700.0
    echo_ms: float = 12.0
    flip_deg: float = 120.0
    echo_train_ms: float = 150.0


@dataclass(frozen=True)
class Phase:
    """A moment of the examination: minutes after the injection, or None before it."""

    minutes: float | None


def plasma_concentration(minutes: float) -> float:
    """Concentration in plasma (mmol/L) at a time after a standard dose."""
    return DOSE_MMOL_PER_KG * sum(a * float(np.exp(-m * minutes)) for a, m in _PLASMA)


def tissue_concentration(kinetics: Kinetics, phase: Phase) -> float:
    """Concentration in a tissue (mmol/L), extended Tofts model (Tofts 1997, JMRI 7:91-101)."""
    if phase.minutes is None:
        return 0.0
    minutes = phase.minutes
    backflow = kinetics.transfer_per_min / kinetics.leakage_fraction
    leaked = sum(
        a * float(np.exp(-backflow * minutes) - np.exp(-m * minutes)) / (m - backflow)
        for a, m in _PLASMA
        if m != backflow
    )
    leaked *= DOSE_MMOL_PER_KG * kinetics.transfer_per_min
    return leaked + kinetics.plasma_fraction * plasma_concentration(minutes)


def shortened(time_ms: float, relaxivity: float, concentration: float) -> float:
    """A relaxation time (ms) in the presence of contrast agent (mmol/L)."""
    return 1.0 / (1.0 / time_ms + relaxivity * concentration / 1000.0)


def mprage_signal(tissue: Tissue, concentration: float, sequence: MprageSequence) -> float:
    """Signal of a tissue at the centre of the MPRAGE readout train, relative to its full density.

    The longitudinal magnetisation of inversion, train of small flips and recovery is followed
    through one repetition and solved for its steady state (Deichmann R et al., NeuroImage
    2000;12:112-127; Wang J et al., PLoS ONE 2014;9:e96899).
    """
    t1 = shortened(tissue.t1_ms, R1_PER_MMOL_S, concentration)
    t2_star = shortened(tissue.t2_star_ms, R2_PER_MMOL_S, concentration)
    half = sequence.excitations // 2
    train_ms = sequence.excitations * sequence.echo_spacing_ms
    before_ms = sequence.inversion_ms - half * sequence.echo_spacing_ms
    after_ms = sequence.repetition_ms - before_ms - train_ms
    cosine = np.cos(np.deg2rad(sequence.flip_deg))
    decay = np.exp(-sequence.echo_spacing_ms / t1)

    def recover(duration: float) -> tuple[float, float]:
        left = float(np.exp(-duration / t1))
        return left, 1.0 - left

    def excite(pulses: int) -> tuple[float, float]:
        left = float((cosine * decay) ** pulses)
        return left, float((1.0 - decay) * (1.0 - left) / (1.0 - cosine * decay))

    def chain(*steps: tuple[float, float]) -> tuple[float, float]:
        slope, offset = 1.0, 0.0
        for a, b in steps:
            slope, offset = slope * a, offset * a + b
        return slope, offset

    to_centre = chain((-1.0, 0.0), recover(before_ms), excite(half))
    rest = chain(excite(sequence.excitations - half), recover(after_ms))
    slope, offset = chain(to_centre, rest)
    start = offset / (1.0 - slope)
    at_centre = to_centre[0] * start + to_centre[1]
    transverse = np.sin(np.deg2rad(sequence.flip_deg)) * np.exp(-sequence.echo_ms / t2_star)
    return abs(float(tissue.proton_density * at_centre * transverse))


def space_signal(tissue: Tissue, concentration: float, sequence: SpaceSequence) -> float:
    """Signal of a tissue in T1-weighted SPACE, relative to its full density.

    Spin echo with the magnetisation recovering after the echo train, the effective echo time
    standing for the train (Mugler JP, J Magn Reson Imaging 2014;39:745-767), times what
    magnetisation transfer leaves (Melki PS and Mulkern RV, Magn Reson Med 1992;24:189-195). Flowing
    blood is the caller's business.
    """
    t1 = shortened(tissue.t1_ms, R1_PER_MMOL_S, concentration)
    t2 = shortened(tissue.t2_ms, R2_PER_MMOL_S, concentration)
    recovery = sequence.repetition_ms - sequence.echo_train_ms
    longitudinal = 1.0 - np.exp(-recovery / t1)
    refocused = np.sin(np.deg2rad(sequence.flip_deg) / 2.0)
    return float(
        tissue.proton_density
        * tissue.magnetisation_transfer
        * longitudinal
        * refocused
        * np.exp(-sequence.echo_ms / t2)
    )
