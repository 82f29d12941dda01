"""What is accepted of a registration: what was measured of it against limits, in words.

Nothing here loads what registers images, so that a study's configuration can be read without it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from cta_data.reasons import Reason

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


def reasons_against(quality: RegistrationQuality, limits: QualityLimits) -> tuple[Reason, ...]:
    """Return why a transform is rejected; empty when it is accepted."""
    above = quality.nmi - quality.nmi_shuffled
    scale = max(quality.scale_max - 1, 1 - quality.scale_min)
    apart, fit = quality.inverse_consistency_mm, quality.mirror_fit
    least = (
        ("head_overlap_too_small", quality.head_overlap, limits.least_head_overlap),
        ("head_coverage_too_small", quality.coverage, limits.least_coverage),
        ("mutual_information_too_small", above, limits.least_nmi_above_shuffled),
        ("mutual_information_peak_too_flat", quality.peak, limits.least_peak),
    )
    most = (
        ("rotation_too_large", quality.rotation_degrees, limits.most_rotation_degrees),
        ("head_centres_too_far_apart", quality.centre_shift_mm, limits.most_centre_shift_mm),
        ("scale_change_too_large", scale, limits.most_scale_change),
        ("shear_too_large", quality.shear, limits.most_shear),
        ("inverse_inconsistent", apart, limits.most_inverse_consistency_mm),
        ("mirrored_head_fits", fit, limits.most_mirror_fit),
    )
    reasons = [Reason(code, value=v, limit=limit) for code, v, limit in least if not v >= limit]
    reasons += [
        Reason(code, value=v, limit=limit)
        for code, v, limit in most
        if v is not None and not v <= limit
    ]
    if quality.mirrored:
        reasons.append(Reason("transform_mirrors_head"))
    return tuple(reasons)


def limits_from(values: dict[str, float]) -> QualityLimits:
    """Return limits with some values changed; an unknown name is a ``KeyError`` that names it."""
    known = {field.name for field in fields(QualityLimits)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise KeyError(f"unknown limits {unknown}; known are {sorted(known)}")
    return QualityLimits(**values)
