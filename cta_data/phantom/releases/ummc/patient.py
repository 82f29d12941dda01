"""A patient of UMMC in memory: one head, several courses, each with lesions of its own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.rasterization.polygon_fill import fill_even_odd
from cta_data.phantom.export.structure_set import Contours, shape_contours
from cta_data.phantom.geometry import identity, index_of, points_in, random_rigid
from cta_data.phantom.head.anatomy import Anatomy, anatomical_point
from cta_data.phantom.head.lesions import Lesion, draw_lesions, paint_oedema, shape_of_volume
from cta_data.phantom.head.tissues import CONTRAST_CLASSES
from cta_data.phantom.releases.changes import ChangesPlan, PlantedLesion, plant
from cta_data.phantom.releases.patient import (
    ExternalPerson,
    Labels,
    Stored,
    View,
    distinct,
    make_head,
    make_person,
    renumbered,
    scan,
    streams,
)
from cta_data.phantom.releases.ummc.names import CALVARIAL, LesionName, Script, named, script

_EXTENT_MM = np.array([208.0, 240.0, 200.0])
_MIDDLE = np.array([0.0, 8.0, 8.0])
_ATTEMPTS = 300
_DATES = ((2014, 11), (2015, 7), (2016, 3))
"""Year and month of the courses: folders named by month sort the other way round."""


@dataclass(frozen=True)
class PlannedLesion:
    """A lesion that a course treats. `number` runs over the patient, `label` over the course."""

    number: int
    label: int
    name: LesionName
    lesion: Lesion
    contours: Contours


@dataclass(frozen=True)
class Course:
    """One course of treatment: its date, how the head lay, its image and what was drawn on it.

    `image` is (z, y, x); `labels` are by the even-odd rule from the contours; `dose` is in Gy.
    """

    number: int
    date: datetime.date
    view: View
    image: Stored
    drawn: list[PlannedLesion]
    labels: Labels
    dose: sitk.Image


@dataclass(frozen=True)
class UmmcPatient:
    """All courses of a patient."""

    number: int
    index: int
    seed: int
    person: ExternalPerson
    anatomy: Anatomy
    told: Script
    courses: list[Course]
    planted: list[PlantedLesion] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The identifier of the patient."""
        return f"GK_{self.number:03d}"


def make_patient(
    index: int, seed: int, voxel_mm: float | None, changes: ChangesPlan | None = None
) -> UmmcPatient:
    """Make a patient; every form of the release shows the same.

    With a plan of changes, each course is annotated with all lesions that there are then.
    """
    told = script(index)
    if changes:
        told = Script(told.patient, changes.sessions)
    person_rng, head_rng, lesion_rng, pose_rng, scan_rng = streams(seed, "ummc", index, 5)
    anatomy = make_head(head_rng, voxel_mm or 1.0)
    grid = _grid(voxel_mm or 1.0)
    views = [_view(pose_rng, grid, course) for course in range(told.courses)]
    planted = plant(lesion_rng, anatomy, changes) if changes else []
    if planted:
        planned = [_shuffled(lesion_rng, planted, i) for i in range(told.courses)]
    else:
        planned = _draw(lesion_rng, anatomy, views, told)
    paint_oedema(anatomy, [lesion for of_course in planned for lesion in of_course])
    courses: list[Course] = []
    before: list[Lesion] = []
    for i, (view, lesions) in enumerate(zip(views, planned, strict=True)):
        names = named(lesion_rng, told, i + 1, len(lesions))
        contours = [shape_contours(lesion.shape, grid, view.pose) for lesion in lesions]
        drawn = [
            PlannedLesion(len(before) + k, k, name, lesion, rings)
            for k, (name, lesion, rings) in enumerate(zip(names, lesions, contours, strict=True), 1)
        ]
        before += lesions
        visible = renumbered(lesions if planted else before)
        image = scan(scan_rng, anatomy, view, visible, {"t1": "MPRAGE-late"}, stripped=False)["t1"]
        dose = _dose(view, lesions)
        labels = contour_labels(grid, contours)
        courses.append(Course(i + 1, _date(index, i), view, image, drawn, labels, dose))
    person = make_person(person_rng)
    return UmmcPatient(told.patient, index, seed, person, anatomy, told, courses, planted)


def _shuffled(rng: np.random.Generator, planted: list[PlantedLesion], i: int) -> list[Lesion]:
    """All bodies of a course, in an order that says nothing of the course before."""
    bodies = [body for one in planted for body in one.bodies[i]]
    return [bodies[k] for k in rng.permutation(len(bodies))]


def contour_labels(grid: Grid, contours: Sequence[Contours]) -> Labels:
    """Label voxels whose centre lies inside the contours of a lesion, as a file keeps them."""
    labels = np.zeros(grid.size[::-1], dtype=np.uint8)
    for label, of_lesion in enumerate(contours, start=1):
        for k in sorted({k for k, _ in of_lesion}):
            rings = [index_of(grid, stored(ring))[:, :2] for at, ring in of_lesion if at == k]
            labels[k][fill_even_odd(rings, (grid.size[1], grid.size[0]))] = label
    return labels


def stored(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return points (LPS mm) to the digits that a structure set keeps of them."""
    return np.round(points, 3)


def _grid(voxel_mm: float) -> Grid:
    """An axial grid, columns to the left, rows to the back, slices upwards."""
    x, y, z = (int(n) for n in np.round(_EXTENT_MM / voxel_mm))
    origin = _MIDDLE - (np.array([x, y, z]) - 1) / 2.0 * voxel_mm
    return Grid((x, y, z), np.full(3, voxel_mm), origin, np.eye(3))


def _view(rng: np.random.Generator, grid: Grid, course: int) -> View:
    """Where the head lay: in the first course straight, later a little moved."""
    drawn = random_rigid(rng, degrees=3.0, millimetres=3.0, about=_MIDDLE)
    return View(grid, drawn if course else identity())


def _date(index: int, course: int) -> datetime.date:
    year, month = _DATES[course]
    return datetime.date(year + index % 3, month, 2 + (7 * index + course) % 25)


def _draw(
    rng: np.random.Generator, anatomy: Anatomy, views: list[View], told: Script
) -> list[list[Lesion]]:
    """Draw lesions and hand them out to courses: each has one, the others go to the first.

    Contours of a course's lesions fill voxels that stay apart from each other.
    """
    fixed = [_calvarial(rng, anatomy)] if CALVARIAL in told.names.get("1", ()) else []
    wanted = max(told.least_lesions, len(views))
    for _ in range(_ATTEMPTS):
        drawn = draw_lesions(rng, anatomy)
        lesions = [*fixed, *drawn]
        if len(lesions) < wanted:
            continue
        shares = [lesions[i : i + 1] for i in range(len(views))]
        shares[0] += lesions[len(views) :]
        kept = [_distinct(view, share) for view, share in zip(views, shares, strict=True)]
        enough = all(kept) and sum(map(len, kept)) >= wanted
        if enough and (not fixed or kept[0][0].shape is fixed[0].shape):
            return kept
    raise RuntimeError("no lesions of a digital patient fit what is asked of them")


def _distinct(view: View, lesions: list[Lesion]) -> list[Lesion]:
    contours = [shape_contours(lesion.shape, view.grid, view.pose) for lesion in lesions]
    numbers = distinct(contour_labels(view.grid, contours))
    return renumbered([lesions[n - 1] for n in numbers])


def _calvarial(rng: np.random.Generator, anatomy: Anatomy) -> Lesion:
    """A lesion of the skull above the left frontal lobe: it is gone once the brain is extracted."""
    canvas = anatomy.canvas
    near = anatomical_point(anatomy, (-40.0, 40.0, 40.0))
    inner, outer = anatomy.inner_table, anatomy.outer_table
    bone = (inner > 0.5) & (outer < -0.5) & (np.abs(inner + outer) < 1.5 * canvas.spacing)
    points = canvas.origin + canvas.spacing * np.argwhere(bone)[:, ::-1]
    centre = points[int(np.argmin(np.linalg.norm(points - near, axis=1)))]
    shape = shape_of_volume(centre, 420.0, rng.normal(0.0, 0.05, 12))
    return Lesion(1, shape, 420.0, "high", CONTRAST_CLASSES["high"], 0.0, 0.0)


def _dose(view: View, lesions: list[Lesion]) -> sitk.Image:
    """A dose of about 20 Gy in the lesions, on a grid of its own around them (float32, Gy)."""
    spacing = max(2.0, 1.3 * view.grid.spacing[0])
    centres = np.array([view.pose.apply(lesion.shape.centre) for lesion in lesions])
    reach = np.array([lesion.shape.reach_mm() for lesion in lesions])
    low = np.round((centres - reach[:, None]).min(axis=0) - 14.0, 1)
    high = (centres + reach[:, None]).max(axis=0) + 14.0
    x, y, z = (int(n) for n in np.ceil((high - low) / spacing) + 1)
    grid = Grid((x, y, z), np.full(3, spacing), low, np.eye(3))
    points = points_in(grid, (slice(0, z), slice(0, y), slice(0, x)))
    dose = np.zeros((z, y, x))
    for centre, radius in zip(centres, reach, strict=True):
        beyond = np.linalg.norm(points - centre, axis=-1) / (radius + 2.0)
        dose += 24.0 * np.exp(-0.5 * beyond**2)
    return grid.image(ndimage.gaussian_filter(dose, 0.5).astype(np.float32))
