"""Signals of the digital patients follow the physics that the trial rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.phantom.head.tissues import CONTRAST_CLASSES, TISSUES, TUMOUR
from cta_data.phantom.scanner.contrasts import PHASES, SPACE_PHASE, mr_contrast
from cta_data.phantom.scanner.signal import (
    MprageSequence,
    Phase,
    SpaceSequence,
    mprage_signal,
    space_signal,
    tissue_concentration,
)

MPRAGE, SPACE = MprageSequence(), SpaceSequence()


def test_mprage_orders_tissues_as_in_every_t1_image() -> None:
    """Fat, white matter, grey matter, fluid, bone: from bright to dark before contrast agent."""
    names = ("fat", "white", "grey", "csf", "bone")
    levels = [mprage_signal(TISSUES[name], 0.0, MPRAGE) for name in names]
    assert levels == sorted(levels, reverse=True)


def test_mprage_reaches_the_steady_state_of_a_brute_force_simulation() -> None:
    """The closed form equals 200 repetitions simulated pulse by pulse."""
    import math

    tissue, t1 = TISSUES["grey"], TISSUES["grey"].t1_ms
    half, cosine = MPRAGE.excitations // 2, math.cos(math.radians(MPRAGE.flip_deg))
    before = MPRAGE.inversion_ms - half * MPRAGE.echo_spacing_ms
    after = MPRAGE.repetition_ms - before - MPRAGE.excitations * MPRAGE.echo_spacing_ms
    m = centre = 1.0

    def relax(value: float, duration: float) -> float:
        return 1.0 + (value - 1.0) * math.exp(-duration / t1)

    for _ in range(200):
        m = relax(-m, before)
        for pulse in range(MPRAGE.excitations):
            centre = m if pulse == half else centre
            m = relax(m * cosine, MPRAGE.echo_spacing_ms)
        m = relax(m, after)
    transverse = math.sin(math.radians(MPRAGE.flip_deg)) * math.exp(
        -MPRAGE.echo_ms / tissue.t2_star_ms
    )
    expected = abs(tissue.proton_density * centre * transverse)
    assert mprage_signal(tissue, 0.0, MPRAGE) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", sorted(CONTRAST_CLASSES))
def test_lesions_brighten_from_early_to_late_while_vessels_fade(name: str) -> None:
    """Uptake grows from 2 to 10 min and is not lost by 16 min; blood only loses agent."""
    lesion = [tissue_concentration(CONTRAST_CLASSES[name], Phase(t)) for t in (2.0, 10.0, 16.0)]
    blood = [tissue_concentration(TISSUES["blood"].kinetics, Phase(t)) for t in (2.0, 10.0, 16.0)]
    assert lesion[0] < lesion[1]
    assert lesion[2] > lesion[0]
    assert blood == sorted(blood, reverse=True)
    assert mprage_signal(TUMOUR, lesion[1], MPRAGE) > mprage_signal(TUMOUR, lesion[0], MPRAGE)


def test_blood_is_bright_on_enhanced_mprage_and_dark_on_space() -> None:
    """Black-blood SPACE: vessels below fluid; on MPRAGE they outshine white matter."""
    order = list(TISSUES)
    for phase in ("early", "late"):
        levels = mr_contrast("MPRAGE", "MPRAGE", PHASES[phase], []).tissues
        assert levels[order.index("blood")] > 1.4 * levels[order.index("white")]
    levels = mr_contrast("SPACE", "SPACE", SPACE_PHASE, []).tissues
    assert levels[order.index("blood")] < 0.5 * levels[order.index("csf")]


def test_a_low_contrast_lesion_stands_out_more_on_space() -> None:
    """Relative to white matter, weakly enhancing tumour is more conspicuous on SPACE."""
    weak, white = CONTRAST_CLASSES["low"], TISSUES["white"]
    late, later = (
        tissue_concentration(weak, PHASES["late"]),
        tissue_concentration(weak, SPACE_PHASE),
    )
    on_mprage = mprage_signal(TUMOUR, late, MPRAGE) / mprage_signal(white, 0.0, MPRAGE)
    on_space = space_signal(TUMOUR, later, SPACE) / space_signal(white, 0.0, SPACE)
    assert on_space > on_mprage + 0.1


@given(st.floats(0.0, 0.5), st.floats(0.001, 0.3))
def test_more_agent_means_more_space_signal(concentration: float, more: float) -> None:
    """Within doses of the clinic, T1 shortening outweighs T2 shortening."""
    low = space_signal(TUMOUR, concentration, SPACE)
    assert space_signal(TUMOUR, concentration + more, SPACE) > low


@given(st.floats(300.0, 3000.0), st.floats(1.05, 2.0))
def test_longer_t1_means_less_space_signal(t1: float, factor: float) -> None:
    """SPACE is T1 weighted."""
    short, long = replace(TUMOUR, t1_ms=t1), replace(TUMOUR, t1_ms=t1 * factor)
    assert space_signal(long, 0.0, SPACE) < space_signal(short, 0.0, SPACE)
