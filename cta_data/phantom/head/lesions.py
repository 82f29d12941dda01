"""Metastases: how many, how large, of what shape, where, and how they take up contrast agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cta_data.phantom.head.anatomy import Anatomy
from cta_data.phantom.head.tissues import CONTRAST_CLASSES, Kinetics

Points = npt.NDArray[np.float64]

# Lesion volumes (cm³) of the four internal groups of the trial: patients, first quartile, median,
# third quartile (Wald, Hamm et al., Eur Radiol Exp 2025;9:15, Table 1).
TRIAL_VOLUMES_CM3: tuple[tuple[int, float, float, float], ...] = (
    (61, 0.040, 0.13, 0.48),
    (61, 0.030, 0.11, 0.58),
    (15, 0.040, 0.15, 0.51),
    (15, 0.045, 0.26, 1.35),
)
SMALLEST_CM3 = 0.01
LARGEST_CM3 = 14.0
CLEAR_MM = 3.0
"""Least distance of two lesions that do not nearly touch."""
LOOKALIKE_MM3 = (20.0, 200.0)
"""Volumes of what is taken for a lesion and is none, such as a vessel."""
_ATTEMPTS = 20
COUNT_WEIGHTS = (0.26, 0.20, 0.15, 0.11, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02)
"""Chances of 1 to 10 lesions in a patient; most patients have few."""


@dataclass(frozen=True)
class StarShape:
    """A body seen whole from its centre: radius = scale · exp(harmonics of the direction) + margin.

    `centre` is in LPS mm of the anatomy frame; `scale_mm` and `margin_mm` are mm.
    """

    centre: Points
    scale_mm: float
    harmonics: Points
    margin_mm: float = 0.0

    def radius(self, directions: Points) -> Points:
        """Radius (mm) along unit directions (..., 3)."""
        radius = self.scale_mm * np.exp(_harmonics(directions) @ self.harmonics) + self.margin_mm
        return np.asarray(radius, dtype=np.float64)

    def distance(self, points: Points) -> Points:
        """Distance (mm) beyond the surface along the ray from the centre; negative inside."""
        offset = points - self.centre
        length = np.linalg.norm(offset, axis=-1)
        directions = offset / np.maximum(length, 1e-9)[..., None]
        return np.asarray(length - self.radius(directions), dtype=np.float64)

    def volume_mm3(self) -> float:
        """Volume by quadrature of r³/3 over the sphere; right to better than 1 in 10⁴."""
        return float(np.mean(self.radius(_sphere()) ** 3) * 4.0 * np.pi / 3.0)

    def centroid(self) -> Points:
        """Centre of mass (mm) by quadrature over the sphere; `centre` is where rays start."""
        directions = _sphere()
        radius = self.radius(directions)
        moment = np.mean(radius[:, None] ** 4 * directions, axis=0) / 4.0
        return np.asarray(self.centre + moment / (np.mean(radius**3) / 3.0), dtype=np.float64)

    def reach_mm(self) -> float:
        """The largest radius."""
        return float(self.radius(_sphere()).max())


@dataclass(frozen=True)
class Lesion:
    """One metastasis of the truth. `core_share` is the radius of a necrotic core, 0 for none."""

    number: int
    shape: StarShape
    volume_mm3: float
    contrast_class: str
    kinetics: Kinetics
    core_share: float
    oedema_mm: float


def _harmonics(n: Points) -> Points:
    """Real spherical harmonics of degree 2 and 3 (not normalised), of shape (..., 12)."""
    x, y, z = n[..., 0], n[..., 1], n[..., 2]
    return np.stack(
        [
            x * y, y * z, x * z, x * x - y * y, (3 * z * z - 1) / 2,
            x * y * z, z * (x * x - y * y), x * (5 * z * z - 1), y * (5 * z * z - 1),
            z * (5 * z * z - 3) / 2, x * (x * x - 3 * y * y), y * (3 * x * x - y * y),
        ],
        axis=-1,
    )  # fmt: skip


def _sphere(count: int = 2000) -> Points:
    """Evenly spread unit directions (Fibonacci lattice)."""
    i = np.arange(count) + 0.5
    z = 1.0 - 2.0 * i / count
    angle = i * np.pi * (1.0 + 5.0**0.5)
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def shape_of_volume(
    centre: Points, volume_mm3: float, harmonics: Points, margin_mm: float = 0.0
) -> StarShape:
    """The star shape of these harmonics with exactly this volume (before the margin is added)."""
    unit = StarShape(centre, 1.0, harmonics).volume_mm3()
    return StarShape(centre, (volume_mm3 / unit) ** (1.0 / 3.0), harmonics, margin_mm)


def draw_volumes(rng: np.random.Generator, count: int) -> Points:
    """Volumes (mm³): log-normal by the trial's medians and quartiles, pooled by patients."""
    table = np.array(TRIAL_VOLUMES_CM3)
    weights = table[:, 0] / table[:, 0].sum()
    mean = float(weights @ np.log(table[:, 2]))
    # Quartiles of a normal distribution lie 0.6745 standard deviations off its median.
    deviation = float(weights @ np.log(table[:, 3] / table[:, 1])) / (2.0 * 0.6745)
    volumes = np.exp(rng.normal(mean, deviation, 40 * count))
    # Mirrored at the smallest volume, so that the cut does not move the median.
    volumes = np.where(volumes < SMALLEST_CM3, SMALLEST_CM3**2 / volumes, volumes)
    kept = volumes[volumes <= LARGEST_CM3]
    return np.asarray(kept[:count] * 1000.0, dtype=np.float64)


def _contrast(rng: np.random.Generator, volume_mm3: float) -> tuple[str, Kinetics]:
    """Contrast class, low more often in small lesions, and uptake scattered around the class."""
    low = 0.40 if volume_mm3 < 60.0 else 0.22 if volume_mm3 < 300.0 else 0.06
    high = 0.6 * (1.0 - low)
    name = str(rng.choice(["low", "high", "medium"], p=[low, high, 1.0 - low - high]))
    mean = CONTRAST_CLASSES[name]
    factor = float(np.exp(rng.normal(0.0, 0.12)))
    return name, Kinetics(
        mean.transfer_per_min * factor, mean.leakage_fraction, mean.plasma_fraction * factor
    )


class _Sites:
    """Voxels of brain tissue where a lesion may be centred, by how well it fits there."""

    def __init__(self, anatomy: Anatomy) -> None:
        step = 2
        grey, white = anatomy.grey[::step, ::step, ::step], anatomy.white[::step, ::step, ::step]
        self._depth = -anatomy.coarse_brain
        tissue = (grey + white > 0.85) & (self._depth > 2.5)
        self._index = np.argwhere(tissue)
        # The border of grey and white matter, where metastases lodge, is likeliest.
        border = 4.0 * grey[tissue] * white[tissue]
        self._weight = (0.08 + border).astype(np.float64)
        self._depths = self._depth[tissue]
        self._canvas = anatomy.canvas

    def draw(self, rng: np.random.Generator, reach_mm: float, count: int) -> Points:
        """Candidate centres (n, 3) at least `reach_mm` below the surface of the brain."""
        weight = np.where(self._depths > reach_mm + 0.5, self._weight, 0.0)
        chosen = self._index[rng.choice(len(weight), count, p=weight / weight.sum())]
        coarse = 2.0 * self._canvas.spacing
        jitter = rng.uniform(-0.5, 0.5, (count, 3)) * coarse
        return self._canvas.origin + chosen[:, ::-1] * coarse + jitter

    def depth(self, points: Points) -> Points:
        """Depth (mm) below the surface of the brain."""
        index = self._canvas.index(points, coarse=True)
        sampled = ndimage.map_coordinates(self._depth, index, order=1, mode="nearest")
        return np.asarray(sampled, dtype=np.float64)


def draw_lesions(rng: np.random.Generator, anatomy: Anatomy) -> list[Lesion]:
    """Draw and place a patient's lesions, largest first; none overlap, a few nearly touch."""
    count = int(rng.choice(np.arange(1, 11), p=np.array(COUNT_WEIGHTS)))
    volumes = np.sort(draw_volumes(rng, count))[::-1]
    sites = _Sites(anatomy)
    placed: list[Lesion] = []
    for volume in volumes:
        harmonics = rng.normal(0.0, 0.09, 12)
        shape = shape_of_volume(np.zeros(3), float(volume), harmonics)
        beside_another = bool(placed) and rng.random() < 0.12
        others = [lesion.shape for lesion in placed]
        centre = _place(rng, sites, shape, others, CLEAR_MM, beside_another)
        if centre is None:
            continue
        name, kinetics = _contrast(rng, float(volume))
        has_core = volume > 400.0 and rng.random() < 0.6
        swells = volume > 150.0 and rng.random() < 0.7
        placed.append(
            Lesion(
                number=len(placed) + 1,
                shape=StarShape(centre, shape.scale_mm, harmonics),
                volume_mm3=float(volume),
                contrast_class=name,
                kinetics=kinetics,
                core_share=float(rng.uniform(0.5, 0.75)) if has_core else 0.0,
                oedema_mm=float(rng.uniform(3.0, 11.0)) if swells else 0.0,
            )
        )
    return placed


def place_lookalikes(
    rng: np.random.Generator,
    anatomy: Anatomy,
    others: Sequence[StarShape],
    count: int,
    clear_mm: float = CLEAR_MM,
) -> list[StarShape]:
    """Shapes in the brain where no lesion is, `clear_mm` from `others` and from each other.

    Fewer than `count` where the brain has no room for more.
    """
    sites = _Sites(anatomy)
    made: list[StarShape] = []
    low, high = LOOKALIKE_MM3
    for volume in low * (high / low) ** rng.random(count):
        shape = shape_of_volume(np.zeros(3), float(volume), rng.normal(0.0, 0.09, 12))
        centre = _place(rng, sites, shape, [*others, *made], clear_mm)
        if centre is not None:
            made.append(replace(shape, centre=centre))
    return made


def place_shapes(
    rng: np.random.Generator,
    anatomy: Anatomy,
    shapes: Sequence[StarShape],
    clear_mm: float,
) -> list[StarShape]:
    """Put given shapes into the brain, at least `clear_mm` from each other.

    Raises
    ------
    RuntimeError
        The brain has no room for one of them.
    """
    sites = _Sites(anatomy)
    placed: list[StarShape] = []
    for shape in shapes:
        found = (_place(rng, sites, shape, placed, clear_mm) for _ in range(_ATTEMPTS))
        centre = next((one for one in found if one is not None), None)
        if centre is None:
            raise RuntimeError("the brain of a digital patient has no room for what is planted")
        placed.append(replace(shape, centre=centre))
    return placed


def _place(
    rng: np.random.Generator,
    sites: _Sites,
    shape: StarShape,
    placed: Sequence[StarShape],
    clear_mm: float,
    beside_another: bool = False,
) -> Points | None:
    """A centre for a lesion, `clear_mm` from the others; close to one of them where asked."""
    reach = shape.reach_mm()
    if beside_another:
        neighbour = placed[int(rng.integers(len(placed)))]
        directions = rng.normal(size=(200, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        gaps = neighbour.radius(directions) + shape.radius(-directions) + rng.uniform(0.9, 1.8, 200)
        candidates = neighbour.centre + directions * gaps[:, None]
        clear = 0.3
    else:
        candidates = sites.draw(rng, reach, 200)
        clear = clear_mm
    candidates = candidates[sites.depth(candidates) > reach + 0.5]
    for candidate in candidates:
        if all(_gap(shape, candidate, other) > clear for other in placed):
            return np.asarray(candidate, dtype=np.float64)
    return _place(rng, sites, shape, placed, clear_mm) if beside_another else None


def _gap(shape: StarShape, centre: Points, other: StarShape) -> float:
    """Smallest distance (mm) from the surface of a shape, put at `centre`, to another one."""
    surface = _sphere(600)
    points = centre + surface * shape.radius(surface)[:, None]
    back = other.centre + surface * other.radius(surface)[:, None]
    moved = StarShape(centre, shape.scale_mm, shape.harmonics, shape.margin_mm)
    return float(min(other.distance(points).min(), moved.distance(back).min()))


def paint_oedema(anatomy: Anatomy, lesions: list[Lesion]) -> None:
    """Let white matter swell around the lesions that have oedema."""
    canvas = anatomy.canvas
    for lesion in lesions:
        if lesion.oedema_mm == 0.0:
            continue
        reach = lesion.shape.reach_mm() + lesion.oedema_mm + 2.0
        low = np.floor((lesion.shape.centre - reach - canvas.origin) / canvas.spacing).astype(int)
        high = np.ceil((lesion.shape.centre + reach - canvas.origin) / canvas.spacing).astype(int)
        low = np.maximum(low, 0)
        x, y, z = (canvas.origin[i] + canvas.spacing * np.arange(low[i], high[i]) for i in range(3))
        points = np.stack(
            np.broadcast_arrays(x[None, None], y[None, :, None], z[:, None, None]), -1
        )
        beyond = lesion.shape.distance(points)
        share = np.clip(1.0 - beyond / lesion.oedema_mm, 0.0, 1.0)
        box = anatomy.oedema[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
        share = share[: box.shape[0], : box.shape[1], : box.shape[2]]
        np.maximum(box, share, out=box, casting="same_kind")
