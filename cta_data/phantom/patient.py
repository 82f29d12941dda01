"""A digital patient: one head, its lesions, a reader's drawing, and the images of every series."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cta_data.errors import ConfigurationError
from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import SAGITTAL, Rigid, oriented_grid, random_rigid
from cta_data.phantom.head.anatomy import Anatomy, make_anatomy
from cta_data.phantom.head.lesions import Lesion, draw_lesions, paint_oedema
from cta_data.phantom.head.vessels import paint_vessels
from cta_data.phantom.readers import READERS, Drawn, Reader, draw
from cta_data.phantom.scanner import sampling
from cta_data.phantom.scanner.contrasts import PHASES, contrast_of

Array = npt.NDArray[np.float64]

TECHNIQUES = ("MPRAGE", "SPACE", "CT")
_HEAD_CENTRE = np.array([0.0, 4.0, -2.0])
# Along a row, down a column, across slices (mm): sagittal slabs that hold a head.
_MR_EXTENT = np.array([224.0, 208.0, 176.0])
# A CT circle is wider than the head; its range stops short of the canvas' lower end.
_CT_EXTENT = np.array([232.0, 232.0, 190.0])
_CT_CENTRE = np.array([0.0, 6.0, 11.0])


@dataclass(frozen=True)
class VoxelSizes:
    """Voxel sizes in mm. CT: in the plane, and from slice to slice."""

    mprage: float = 0.9
    space: float = 1.0
    ct_in_plane: float = 0.98
    ct_slice: float = 1.25

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.5 <= value <= 4.0:
                raise ConfigurationError("phantom_voxel_size_invalid", where=name, value=value)


@dataclass(frozen=True)
class DigitalPatient:
    """Everything about one patient, in memory.

    `images` are keyed `MPRAGE-none`, `MPRAGE-early`, `MPRAGE-late`, `SPACE`, `CT` (CT in HU).
    `poses` and `grids` are keyed by technique; a pose maps the anatomy frame to the technique's
    frame of reference (LPS mm). `lesion_labels` and `brain_masks` lie on the technique's grid.
    """

    seed: int
    quality: str
    reader: Reader
    images: dict[str, sitk.Image]
    grids: dict[str, Grid]
    poses: dict[str, Rigid]
    space_moved: bool
    has_registration: bool
    anatomy: Anatomy
    lesions: list[Lesion]
    drawn: list[Drawn]
    lesion_labels: dict[str, sitk.Image] = field(default_factory=dict)
    brain_masks: dict[str, sitk.Image] = field(default_factory=dict)

    def between(self, fixed: str, moving: str) -> Rigid:
        """The mapping of points of technique `fixed` to points of technique `moving` (LPS mm)."""
        return self.poses[moving].after(self.poses[fixed].inverse())


def generate_patient(
    seed: int,
    *,
    quality: str = "HAQ",
    voxel_sizes: VoxelSizes | None = None,
    phases: tuple[str, ...] = ("none", "early", "late"),
) -> DigitalPatient:
    """Make one patient from a seed; equal arguments give equal patients.

    Of four consecutive seeds, two have SPACE in a frame of reference of its own (the patient was
    repositioned), and two have a Spatial Registration object, in all combinations.

    Raises
    ------
    ConfigurationError
        When the quality or a phase is not one of those known, or no phase is asked for.
    """
    sizes = voxel_sizes or VoxelSizes()
    unknown = [p for p in phases if p not in PHASES]
    if quality not in READERS or unknown or not phases:
        raise ConfigurationError("phantom_kind_unknown", quality=quality, phases=phases)
    # One thread: small products are slower with many, and sums must not depend on their number.
    with threadpool_limits(1):
        return _generate(seed, READERS[quality], sizes, phases)


def _generate(
    seed: int, reader: Reader, sizes: VoxelSizes, phases: tuple[str, ...]
) -> DigitalPatient:
    """The steps of `generate_patient` after its checks."""
    streams = np.random.SeedSequence(seed).spawn(6)
    rng_head, rng_vessels, rng_lesions, rng_pose, rng_scan, rng_reader = (
        np.random.default_rng(stream) for stream in streams
    )
    anatomy = make_anatomy(rng_head, float(np.clip(sizes.mprage, 0.9, 2.0)))
    paint_vessels(rng_vessels, anatomy)
    lesions = draw_lesions(rng_lesions, anatomy)
    paint_oedema(anatomy, lesions)
    space_moved = seed % 2 == 0
    lattice = (anatomy.canvas.origin, anatomy.canvas.spacing)
    poses, grids = _positions(rng_pose, sizes, space_moved, lattice)
    patient = DigitalPatient(
        seed=seed,
        quality=reader.quality,
        reader=reader,
        images={},
        grids=grids,
        poses=poses,
        space_moved=space_moved,
        has_registration=(seed // 2) % 2 == 0,
        anatomy=anatomy,
        lesions=lesions,
        drawn=draw(rng_reader, reader, lesions),
    )
    _scan(rng_scan, patient, phases)
    for technique in TECHNIQUES:
        grid, pose = grids[technique], poses[technique]
        labels = grid.image(sampling.label_map(grid, pose, lesions))
        patient.lesion_labels[technique] = labels
        mask = sampling.smooth_brain_mask(anatomy, grid, pose)
        patient.brain_masks[technique] = grid.image(mask)
    return patient


def _positions(
    rng: np.random.Generator,
    sizes: VoxelSizes,
    space_moved: bool,
    lattice: tuple[Array, float],
) -> tuple[dict[str, Rigid], dict[str, Grid]]:
    """How the head lay in each scanner, and the grids that were planned on it.

    The MPRAGE slab is aligned with the head, often oblique in the scanner; SPACE repeats it, or is
    planned straight after the patient was repositioned. CT is straight, the head is not.
    """
    tilt = rng.choice([0.0, 4.0])
    mprage_pose = random_rigid(rng, degrees=tilt, millimetres=8.0, about=_HEAD_CENTRE)
    moved = random_rigid(rng, degrees=4.0, millimetres=5.0, about=mprage_pose.apply(_HEAD_CENTRE))
    ct_pose = random_rigid(rng, degrees=6.0, millimetres=12.0, about=_CT_CENTRE)
    straight = Rigid(np.eye(3), np.zeros(3))
    mprage = oriented_grid(
        SAGITTAL, (sizes.mprage,) * 3, _MR_EXTENT, _HEAD_CENTRE, mprage_pose, lattice
    )
    if space_moved:
        space_pose = moved.after(mprage_pose)
        centre = space_pose.apply(_HEAD_CENTRE)
        space = oriented_grid(SAGITTAL, (sizes.space,) * 3, _MR_EXTENT, centre, straight)
    else:
        space_pose = mprage_pose
        space = oriented_grid(
            SAGITTAL, (sizes.space,) * 3, _MR_EXTENT, _HEAD_CENTRE, space_pose, lattice
        )
    ct_spacing = (sizes.ct_in_plane, sizes.ct_in_plane, sizes.ct_slice)
    ct = oriented_grid(np.eye(3), ct_spacing, _CT_EXTENT, ct_pose.apply(_CT_CENTRE), straight)
    poses = {"MPRAGE": mprage_pose, "SPACE": space_pose, "CT": ct_pose}
    return poses, {"MPRAGE": mprage, "SPACE": space, "CT": ct}


def _scan(rng: np.random.Generator, patient: DigitalPatient, phases: tuple[str, ...]) -> None:
    """Make the images of all series and put them into `patient.images`."""
    lesions, anatomy = patient.lesions, patient.anatomy
    series = [*(f"MPRAGE-{phase}" for phase in PHASES if phase in phases), "SPACE", "CT"]
    contrasts = [contrast_of(each, lesions) for each in series]
    signals = sampling.lay_out(anatomy, contrasts)
    gain = float(rng.uniform(0.85, 1.15))
    bias: dict[str, npt.NDArray[np.float32]] = {}
    for contrast, signal in zip(contrasts, signals, strict=True):
        technique = contrast.name.split("-")[0]
        grid, pose = patient.grids[technique], patient.poses[technique]
        volume = sampling.sample(anatomy, signal, grid, pose)
        sampling.add_lesions(volume, grid, pose, lesions, contrast)
        if technique == "CT":
            stored = sampling.finish_ct(rng, volume, noise_hu=6.0)
            hounsfield = stored.astype(np.int16) - np.int16(1024)
            patient.images["CT"] = grid.image(hounsfield)
            continue
        if technique not in bias:
            bias[technique] = sampling.bias_field(rng, volume.shape, strength=0.16)
        noise = 14.0 if technique == "MPRAGE" else 11.0
        stored = sampling.finish_mr(rng, volume, bias[technique], gain, noise)
        patient.images[contrast.name] = grid.image(stored)
