"""The head of a patient of an external cohort: on a grid of that cohort's own, without a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import Rigid, random_rigid
from cta_data.phantom.head.anatomy import Anatomy, make_anatomy
from cta_data.phantom.head.lesions import Lesion, draw_lesions
from cta_data.phantom.head.vessels import paint_vessels
from cta_data.phantom.scanner import sampling
from cta_data.phantom.scanner.contrasts import contrast_of

Labels = npt.NDArray[np.uint8]
Stored = npt.NDArray[np.uint16]

_ATTEMPTS = 200
_NOISE = 10.0


@dataclass(frozen=True)
class View:
    """Where a head lies in a file: its grid, and the pose from the anatomy frame to it (LPS mm)."""

    grid: Grid
    pose: Rigid


@dataclass(frozen=True)
class ExternalPerson:
    """What a clinical table says of a patient; `primary` is one of the groups of `PRIMARIES`."""

    sex: str
    age_years: int
    primary: str


PRIMARIES = ("lung", "melanoma", "breast", "kidney", "others")
_SHARES = (0.5, 0.17, 0.16, 0.09, 0.08)


def streams(seed: int, cohort: str, index: int, count: int) -> list[np.random.Generator]:
    """Return independent generators of one patient, the same wherever and whenever it is made."""
    root = np.random.SeedSequence([seed, *cohort.encode(), index])
    return [np.random.default_rng(child) for child in root.spawn(count)]


def make_person(rng: np.random.Generator) -> ExternalPerson:
    """Draw sex (`F` or `M`), age and the group of the primary tumour."""
    return ExternalPerson(
        sex="F" if rng.random() < 0.55 else "M",
        age_years=int(np.clip(round(rng.normal(62.0, 10.0)), 24, 90)),
        primary=str(rng.choice(PRIMARIES, p=_SHARES)),
    )


def make_head(rng: np.random.Generator, voxel_mm: float) -> Anatomy:
    """Draw a head with its vessels, laid out about as finely as it will be imaged."""
    anatomy = make_anatomy(rng, float(np.clip(voxel_mm, 0.9, 2.0)))
    paint_vessels(rng, anatomy)
    return anatomy


def brain_box(anatomy: Anatomy) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the centre and the extent (LPS mm, anatomy frame) of the box around the brain."""
    step = 2.0 * anatomy.canvas.spacing
    box = ndimage.find_objects((anatomy.coarse_brain < 0.0).astype(np.uint8))[0][::-1]
    low = anatomy.canvas.origin + step * np.array([s.start for s in box])
    high = anatomy.canvas.origin + step * np.array([s.stop - 1 for s in box])
    return (low + high) / 2.0, high - low


def place_brain(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, degrees: float) -> View:
    """Put the brain into the middle of a grid, turned by at most `degrees` about each axis."""
    centre, _ = brain_box(anatomy)
    turn = random_rigid(rng, degrees=degrees, millimetres=0.0, about=np.zeros(3)).rotation
    middle = grid.index_to_point @ ((np.asarray(grid.size) - 1) / 2) + grid.origin
    return View(grid, Rigid(turn, middle - turn @ centre))


def distinct(labels: Labels) -> list[int]:
    """Return the numbers of labels that any analysis of components finds as one lesion each.

    Such a label is one body whose voxels share faces, and keeps a voxel's distance, corners
    included, from those with lower numbers that are kept.
    """
    kept: list[int] = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        part = labels[wide]
        body = part == number
        near = part[ndimage.binary_dilation(body, np.ones((3, 3, 3), bool))]
        if ndimage.label(body)[1] == 1 and not np.isin(near, kept).any():
            kept.append(number)
    return kept


def renumbered(lesions: Sequence[Lesion]) -> list[Lesion]:
    """Number lesions from 1 in their order."""
    return [replace(lesion, number=i) for i, lesion in enumerate(lesions, start=1)]


def draw_distinct(
    rng: np.random.Generator,
    anatomy: Anatomy,
    view: View,
    accept: Callable[[list[Lesion]], bool] = bool,
) -> tuple[list[Lesion], Labels]:
    """Draw lesions until some are accepted that stay apart on the grid; return their labels too.

    The labels are instance labels by voxel centres (z, y, x), numbers those of the lesions.

    Raises
    ------
    RuntimeError
        Nothing was accepted, which says that `accept` asks for the impossible.
    """
    for _ in range(_ATTEMPTS):
        drawn = draw_lesions(rng, anatomy)
        labels = sampling.label_map(view.grid, view.pose, drawn)
        kept = set(distinct(labels))
        lesions = renumbered([lesion for lesion in drawn if lesion.number in kept])
        if accept(lesions):
            return lesions, sampling.label_map(view.grid, view.pose, lesions)
    raise RuntimeError("no lesions of a digital patient fit what is asked of them")


def scan(
    rng: np.random.Generator,
    anatomy: Anatomy,
    view: View,
    lesions: list[Lesion],
    series: Mapping[str, str],
    *,
    stripped: bool = True,
) -> dict[str, Stored]:
    """Return images (z, y, x), 0 outside the brain where `stripped`.

    `series` has the series of every name, as `contrast_of` takes them.
    """
    contrasts = [contrast_of(each, lesions, name) for name, each in series.items()]
    signals = sampling.lay_out(anatomy, contrasts)
    mask = sampling.smooth_brain_mask(anatomy, view.grid, view.pose) if stripped else None
    bias = sampling.bias_field(rng, view.grid.size[::-1], strength=0.12)
    images: dict[str, Stored] = {}
    for contrast, signal in zip(contrasts, signals, strict=True):
        volume = sampling.sample(anatomy, signal, view.grid, view.pose)
        sampling.add_lesions(volume, view.grid, view.pose, lesions, contrast)
        stored = sampling.finish_mr(rng, volume, bias, 1.0, _NOISE)
        images[contrast.name] = stored if mask is None else stored * mask
    return images
