"""What is accepted of a registration: what was measured of it against limits, in words.

Nothing here loads what registers images, so that a study's configuration can be read without it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

SEED = 20250215
"""Draws the samples where nobody says otherwise: in a study as for two images alone."""


@dataclass(frozen=True)
class RegistrationQuality:
    """What was measured of a transform; all values are of the fixed head.

    ``nmi``: normalised mutual information (H(F)+H(M))/H(F,M) of Studholme et al. 1999, 1 to 2.
    ``nmi_shuffled``: the same with the moving values in random order, the floor of chance.
    ``peak``: how far above its surroundings the solution is: the share of ``nmi - nmi_shuffled``
    that is lost by the least harmful of twelve nudges (3 mm and 3 degrees along each axis).
    Negative when a nudge makes it better.
    ``head_overlap``: Dice of the two head masks inside the field of view that both share.
    ``coverage``: fraction of the fixed head that the moving field of view covers.
    ``rotation_degrees``, ``centre_shift_mm`` (from the moving head's centre to where the fixed
    head's centre is mapped), ``scale_min``, ``scale_max`` (singular values), ``shear`` (largest
    sine of the angle by which two axes lose their right angle), ``mirrored``: of the linear part
    (a non-linear transform is replaced by its best affine fit over the head).
    ``mirror_fit``: mutual information that the fixed head reaches when left and right are
    exchanged and it is registered again, as a share of the solution's; only known where images
    were registered. An image that was stored mirrored comes out above 1.
    ``inverse_consistency_mm``: how far the head's surface moves on average when the inverse of the
    solution is refined with the images exchanged; only known where images were registered.
    """

    nmi: float
    nmi_shuffled: float
    peak: float
    head_overlap: float
    coverage: float
    rotation_degrees: float
    centre_shift_mm: float
    scale_min: float
    scale_max: float
    shear: float
    mirrored: bool
    mirror_fit: float | None = None
    inverse_consistency_mm: float | None = None

    def as_dict(self) -> dict[str, float | bool | None]:
        """Return the values by their name, for a table's row or a sidecar."""
        return asdict(self)


@dataclass(frozen=True)
class QualityLimits:
    """What is accepted; every limit can be set in a study's configuration."""

    least_nmi_above_shuffled: float = 0.02
    least_peak: float = 0.08
    least_head_overlap: float = 0.70
    least_coverage: float = 0.50
    most_rotation_degrees: float = 60.0
    most_centre_shift_mm: float = 80.0
    most_scale_change: float = 0.03
    most_shear: float = 0.03
    most_mirror_fit: float = 0.97
    most_inverse_consistency_mm: float = 1.0


def reasons_against(quality: RegistrationQuality, limits: QualityLimits) -> tuple[str, ...]:
    """Say in words why a transform is rejected; empty when it is accepted."""
    above = quality.nmi - quality.nmi_shuffled
    least = (
        ("head masks overlap", quality.head_overlap, limits.least_head_overlap, ""),
        (
            "the moving field of view covers",
            quality.coverage,
            limits.least_coverage,
            " of the head",
        ),
        ("mutual information above chance is", above, limits.least_nmi_above_shuffled, ""),
        ("a nudge of 3 mm or 3° costs only", quality.peak, limits.least_peak, " of it"),
    )
    scale = max(quality.scale_max - 1, 1 - quality.scale_min)
    most = (
        ("rotation is", quality.rotation_degrees, limits.most_rotation_degrees, "°"),
        ("head centres are apart by", quality.centre_shift_mm, limits.most_centre_shift_mm, " mm"),
        ("scale changes by", scale, limits.most_scale_change, ""),
        ("shear is", quality.shear, limits.most_shear, ""),
    )
    reasons = [
        f"{what} {value:.3g}{unit}, at least {limit:.3g} is needed"
        for what, value, limit, unit in least
        if not value >= limit
    ]
    reasons += [
        f"{what} {value:.3g}{unit}, at most {limit:.3g} is plausible"
        for what, value, limit, unit in most
        if not value <= limit
    ]
    apart, most_apart = quality.inverse_consistency_mm, limits.most_inverse_consistency_mm
    if apart is not None and not apart <= most_apart:
        reasons.append(
            f"with the images exchanged it comes out {apart:.3g} mm elsewhere, at most "
            f"{most_apart:.3g} mm is plausible"
        )
    fit = quality.mirror_fit
    if fit is not None and not fit <= limits.most_mirror_fit:
        reasons.append(
            f"the mirrored head fits {fit:.3g} times as well, at most {limits.most_mirror_fit:.3g} "
            "is plausible: left and right may be exchanged, or it is another person"
        )
    if quality.mirrored:
        reasons.append("the transform mirrors the head")
    return tuple(reasons)


def limits_from(values: dict[str, float]) -> QualityLimits:
    """Return limits with some values changed; an unknown name is a ``KeyError`` that names it."""
    known = {field.name for field in fields(QualityLimits)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise KeyError(f"unknown limits {unknown}; known are {sorted(known)}")
    return QualityLimits(**values)
