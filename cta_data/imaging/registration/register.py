"""Bring two images of one head together, repeatably and with a judgement of the result.

Mattes mutual information (Mattes et al. 2003) between images without their bias field, inside the
fixed head, coarse to fine: rigid first, then affine where that is asked for and stays plausible.
Which of two images the optimiser holds still is decided by the images, not by their order, so that
exchanging them inverts the result exactly.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral

import SimpleITK as sitk

from cta_data.errors import DataRefused
from cta_data.imaging.registration.limits import (
    SEED,
    QualityLimits,
    RegistrationQuality,
    reasons_against,
)
from cta_data.imaging.registration.quality import assess_volumes
from cta_data.imaging.registration.stages import (
    EVERY_VOXEL,
    Coordinates,
    Level,
    LevelImages,
    LinearTransform,
    StageReport,
    as_affine,
    coordinates_of,
    in_millimetres,
    inverted,
    mean_distance,
    optimise,
    rotation_start,
)
from cta_data.imaging.registration.volume import RegistrationVolume, prepare_volume
from cta_data.reasons import Reason

METRIC = "mattes_mutual_information"
COARSE = Level(8.0, 20_000, 8.0, 0.5, 60)
MIDDLE = Level(4.0, 30_000, 3.0, 0.1, 50)
RIGID_FINE = (0.8, 0.005, 60)
AFFINE_FINE = (0.4, 0.005, 60)
# The way back is sought with every voxel: drawn samples made its result differ by half a millimetre
# from seed to seed, and 4 mm voxels added as much where slices are thick.
WAY_BACK = Level(3.0, EVERY_VOXEL, 3.0, 0.05, 50)
SEEDS = 2**32
INSTEAD_OF_CLOCK = 2**31
"""Seed where 0 would be drawn with: SimpleITK takes the time for it."""
_SECOND_STARTS_DEGREES = (25.0, 45.0)
_SECOND_STARTS_KEPT = 3
_SAME_PLACE_MM = 3.0  # most starts of a pair that does not fit end within it of each other
_LEAST_OF_BEST = 0.8  # of the best mutual information; what is far below is no other fit


@dataclass(frozen=True)
class RegistrationSettings:
    """How to register; everything here is part of the result's parameters.

    ``kind``: ``affine`` or ``rigid``. ``finest_mm`` and ``samples`` are the grid and the number of
    voxels of the last level. ``least_gain`` is the mutual information (as a fraction) by which an
    affine map must beat the rigid one to be taken. ``seed`` draws the samples.
    """

    kind: str = "rigid"
    seed: int = SEED
    finest_mm: float = 1.5
    samples: int = 100_000
    least_gain: float = 0.0
    limits: QualityLimits = field(default_factory=QualityLimits)

    def __post_init__(self) -> None:
        if self.kind not in ("rigid", "affine"):
            raise ValueError(f"unknown kind of registration {self.kind!r}; rigid or affine")
        whole = isinstance(self.seed, Integral) and not isinstance(self.seed, bool)
        if not whole or not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed must be a whole number from 0 to 2³² − 1, not {self.seed!r}")
        object.__setattr__(self, "seed", int(self.seed))  # SimpleITK takes none of numpy


@dataclass(frozen=True)
class RegistrationResult:
    """A transform and all that is known of it.

    ``transform`` maps points of the fixed image to points of the moving image (LPS mm): ready for
    resampling the moving image onto the fixed grid. ``kind`` is what it turned out to be;
    ``metric_value`` is the mutual information of the last level in nats (larger is better);
    ``parameters`` holds settings, matrix and the report of each level, as plain values;
    ``reasons`` says why it was not accepted, ``notes`` what else happened.
    """

    transform: sitk.Transform
    kind: str
    metric: str
    metric_value: float
    parameters: dict[str, object]
    quality: RegistrationQuality
    accepted: bool
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Solution:
    transform: LinearTransform  # head coordinates
    reports: tuple[StageReport, ...]
    quality: RegistrationQuality
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]


def register_images(
    fixed: sitk.Image,
    moving: sitk.Image,
    settings: RegistrationSettings | None = None,
    notify: Callable[[str], None] | None = None,
) -> RegistrationResult:
    """Find the transform that maps points of ``fixed`` to points of ``moving`` (LPS mm).

    The same images and settings give the same bits, whatever runs beside; exchanged images give the
    inverse. A first result that fails its own checks is tried again from turned starts; the better
    of all is returned, accepted or not. That takes up to five times as long: ``notify`` is called
    with a sentence before it begins.

    Raises
    ------
    DataRefused
        An image is not a volume, holds no head, or the two heads cannot be brought to overlap.
    """
    chosen = settings or RegistrationSettings()
    return register_volumes(
        prepare_volume(fixed, chosen.finest_mm, "fixed"),
        prepare_volume(moving, chosen.finest_mm, "moving"),
        chosen,
        notify,
    )


def register_volumes(
    fixed: RegistrationVolume,
    moving: RegistrationVolume,
    settings: RegistrationSettings,
    notify: Callable[[str], None] | None = None,
) -> RegistrationResult:
    """Do as ``register_images`` with images that are prepared already, at ``finest_mm``."""
    volumes = (fixed, moving)
    search = _Search(volumes, settings, turned=holds_still(*volumes[::-1]))
    solution = search.first()
    if solution is None or solution.reasons:
        if notify is not None:
            notify(_retry(solution))
        solution = search.again(solution)
    if solution is None:
        raise DataRefused("registration_start_not_found")
    return _result(solution, search, settings)


def _retry(solution: _Solution | None) -> str:
    failed = "; ".join(map(str, solution.reasons)) if solution else "the heads do not overlap"
    return (
        f"the first registration fails its checks ({failed}); trying {len(_turned_starts())} "
        "turned starts, which can take more than a minute"
    )


def seed_of(settings: RegistrationSettings, level: int) -> int:
    """Return what draws the samples of a level, as SimpleITK takes it."""
    return (settings.seed + level) % SEEDS or INSTEAD_OF_CLOCK


class _Search:
    """One pair of images, its pyramid made once, and the starts that are tried on it.

    `turned` tells that the optimiser holds the second of the volumes still.
    """

    def __init__(
        self,
        volumes: tuple[RegistrationVolume, RegistrationVolume],
        settings: RegistrationSettings,
        *,
        turned: bool,
    ) -> None:
        self.asked = volumes
        self.turned = turned
        self.fixed, self.moving = volumes[::-1] if turned else volumes
        self.settings = settings
        self.coordinates = coordinates_of(self.fixed.head, self.moving.head)
        fine = Level(settings.finest_mm, settings.samples, *RIGID_FINE)
        self.levels = [self._images(level) for level in (COARSE, MIDDLE, fine)]
        exchanged = self.coordinates.exchanged()
        self.way_back = LevelImages(self.moving, self.fixed, exchanged, WAY_BACK)
        self.fine_affine = Level(settings.finest_mm, settings.samples, *AFFINE_FINE)
        self.refined: list[LinearTransform] = []

    def first(self) -> _Solution | None:
        """Start from the centres of the heads laid onto each other."""
        coarse = self._coarse(rotation_start((0.0, 0.0, 1.0), 0.0))
        solution = None if coarse is None else self._refined(*coarse)
        if coarse is not None and solution is not None:
            self.refined.append(coarse[0])
        return solution

    def again(self, before: _Solution | None) -> _Solution | None:
        """Try turned starts; the first solution without reasons wins, else the sharpest peak."""
        coarse = [found for start in _turned_starts() if (found := self._coarse(start))]
        coarse.sort(key=lambda found: -found[1].metric)
        tried = [] if before is None else [before]
        note = f"{len(_turned_starts())} turned starts tried"
        for transform, report in self._elsewhere(coarse)[:_SECOND_STARTS_KEPT]:
            solution = self._refined(transform, report)
            if solution is None:
                continue
            if not solution.reasons:
                return _with_note(solution, f"{note}, found from one of them")
            tried.append(solution)
        best = max(tried, key=lambda one: (-len(one.reasons), one.quality.peak), default=None)
        return None if best is None else _with_note(best, f"{note}, none passes the checks")

    def _elsewhere(
        self, coarse: list[tuple[LinearTransform, StageReport]]
    ) -> list[tuple[LinearTransform, StageReport]]:
        """Return the good ones of these, best first, that end apart from each other and the first.

        To refine a place once more takes as long as the first time and finds the same.
        """
        kept: list[tuple[LinearTransform, StageReport]] = []
        for found in coarse:
            there = [*self.refined, *(transform for transform, _ in kept)]
            apart = [self.coordinates.unit_mm * mean_distance(found[0], other) for other in there]
            if found[1].metric >= _LEAST_OF_BEST * coarse[0][1].metric:
                kept += [found] if min(apart, default=math.inf) > _SAME_PLACE_MM else []
        return kept

    def _coarse(self, start: LinearTransform) -> tuple[LinearTransform, StageReport] | None:
        return self._attempt(
            lambda: optimise(self.levels[0], start, self.coordinates, self._seed(0))
        )

    def _refined(self, transform: LinearTransform, report: StageReport) -> _Solution | None:
        reports = [report]
        for number in (1, 2):
            level, seed, start = self.levels[number], self._seed(number), transform
            found = self._attempt(_bound(level, start, self.coordinates, seed))
            if found is None:
                return None
            transform = found[0]
            reports.append(found[1])
        rigid = self._judged(transform, tuple(reports), self._mirror_fit(transform))
        if self.settings.kind == "rigid" or rigid.reasons:
            return rigid
        return self._affine(rigid)

    def _affine(self, rigid: _Solution) -> _Solution:
        images = self.levels[2].with_level(self.fine_affine)
        start = as_affine(rigid.transform)
        found = self._attempt(_bound(images, start, self.coordinates, self._seed(2)))
        if found is None:
            return _with_note(rigid, "rigid kept: the affine refinement left the field of view")
        transform, report = found
        affine = self._judged(transform, (*rigid.reports, report), rigid.quality.mirror_fit)
        if affine.reasons:
            return _with_note(
                rigid, f"rigid kept: affine refinement: {'; '.join(map(str, affine.reasons))}"
            )
        gain = report.metric / rigid.reports[-1].metric - 1
        if gain < self.settings.least_gain:
            return _with_note(rigid, f"rigid kept: affine refinement gains only {gain:.2%}")
        return affine

    def _mirror_fit(self, transform: LinearTransform) -> float | None:
        """Register the mirrored fixed head from the solution, and compare on the middle level."""
        straight = self._attempt(_bound(self.levels[1], transform, self.coordinates, self._seed(1)))
        coarse = self.levels[0].mirrored()
        mirrored = self._attempt(_bound(coarse, transform, self.coordinates, self._seed(0)))
        if mirrored is not None:
            middle = self.levels[1].mirrored()
            mirrored = self._attempt(_bound(middle, mirrored[0], self.coordinates, self._seed(1)))
        if straight is None or mirrored is None or straight[1].metric <= 0:
            return None
        return mirrored[1].metric / straight[1].metric

    def physical(self, transform: LinearTransform) -> LinearTransform:
        """Return a transform of head coordinates as it was asked for, LPS mm."""
        found = in_millimetres(transform, self.coordinates)
        return inverted(found) if self.turned else found

    def _disagreement(self, transform: LinearTransform) -> float | None:
        """Refine the inverse with the images exchanged; return how far it moves the head, mm."""
        start = inverted(transform)
        found = self._attempt(_bound(self.way_back, start, self.coordinates, self._seed(1)))
        if found is None:
            return None
        return self.coordinates.unit_mm * mean_distance(start, found[0])

    def _judged(
        self, transform: LinearTransform, reports: tuple[StageReport, ...], mirror_fit: float | None
    ) -> _Solution:
        measured = assess_volumes(*self.asked, self.physical(transform))
        quality = replace(
            measured,
            mirror_fit=mirror_fit,
            inverse_consistency_mm=self._disagreement(transform),
        )
        reasons = reasons_against(quality, self.settings.limits)
        return _Solution(transform, reports, quality, reasons, ())

    def _images(self, level: Level) -> LevelImages:
        return LevelImages(self.fixed, self.moving, self.coordinates, level)

    def _seed(self, level: int) -> int:
        return seed_of(self.settings, level)

    def _attempt(
        self, run: Callable[[], tuple[LinearTransform, StageReport]]
    ) -> tuple[LinearTransform, StageReport] | None:
        """None where ITK gives up because too few samples meet the moving image."""
        try:
            return run()
        except RuntimeError as error:
            if "map outside moving image" in str(error) or "valid points" in str(error):
                return None
            raise


def _bound(
    images: LevelImages, start: LinearTransform, coordinates: Coordinates, seed: int
) -> Callable[[], tuple[LinearTransform, StageReport]]:
    return lambda: optimise(images, start, coordinates, seed)


def _turned_starts() -> list[LinearTransform]:
    return [
        rotation_start(axis, sign * degrees)
        for degrees in _SECOND_STARTS_DEGREES
        for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        for sign in (-1, 1)
    ]


def _with_note(solution: _Solution, note: str) -> _Solution:
    return replace(solution, notes=(*solution.notes, note))


def holds_still(first: RegistrationVolume, second: RegistrationVolume) -> bool:
    """Return whether the optimiser holds the first of two volumes still, whatever their order.

    CT before MR, whose outline is sharper; then the larger head; then whatever tells two apart.
    """
    return _rank(first) < _rank(second)


def _rank(volume: RegistrationVolume) -> tuple[bool, float, bytes]:
    digest = hashlib.sha256(sitk.GetArrayViewFromImage(volume.image).tobytes()).digest()
    return (not volume.is_ct, -volume.head.volume_mm3, digest)


def _result(
    solution: _Solution, search: _Search, settings: RegistrationSettings
) -> RegistrationResult:
    physical = search.physical(solution.transform)
    last = solution.reports[-1]
    parameters: dict[str, object] = {
        "settings": asdict(settings),
        "matrix": list(physical.GetMatrix()),
        "centre_mm": list(physical.GetCenter()),
        "translation_mm": list(physical.GetTranslation()),
        "levels": [asdict(report) for report in solution.reports],
    }
    return RegistrationResult(
        transform=physical,
        kind=last.kind,
        metric=METRIC,
        metric_value=last.metric,
        parameters=parameters,
        quality=solution.quality,
        accepted=not solution.reasons,
        reasons=solution.reasons,
        notes=solution.notes,
    )
