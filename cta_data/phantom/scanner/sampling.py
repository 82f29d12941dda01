"""From tissue to images: signals on the canvas, sampled on a scanner's grid, made imperfect."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import Rigid, box_around, index_of, points_in
from cta_data.phantom.head.anatomy import Anatomy, tissue_fractions
from cta_data.phantom.head.lesions import Lesion
from cta_data.phantom.scanner.contrasts import Contrast

Volume = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


def lay_out(anatomy: Anatomy, contrasts: list[Contrast]) -> Volume:
    """Signals without lesions of all series on the canvas, of shape (series, z, y, x)."""
    mixing = np.stack([c.tissues for c in contrasts])
    depth = anatomy.canvas.shape[0]
    signals = np.empty((len(contrasts), *anatomy.canvas.shape), dtype=np.float32)
    thickness = 2
    for first in range(0, depth, thickness):
        last = min(first + thickness, depth)
        fractions = tissue_fractions(anatomy, first, last)
        mixed = mixing @ fractions.reshape(len(fractions), -1)
        signals[:, first:last] = mixed.reshape(len(contrasts), *fractions.shape[1:])
    return signals


def sample(anatomy: Anatomy, signal: Volume, grid: Grid, pose: Rigid) -> Volume:
    """Linear interpolation of a canvas volume on a scanner's grid; air outside the canvas."""
    canvas = anatomy.canvas
    copied = _copied(signal, canvas.origin, canvas.spacing, grid, pose)
    if copied is not None:
        return copied
    image = sitk.GetImageFromArray(signal)
    image.SetSpacing((canvas.spacing,) * 3)
    image.SetOrigin(canvas.origin.tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.GetSpacing())
    resampler.SetOutputOrigin(grid.origin.tolist())
    resampler.SetOutputDirection(grid.direction.ravel().tolist())
    resampler.SetTransform(pose.inverse().to_sitk())
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetDefaultPixelValue(0.0)
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(image)), dtype=np.float32)


def _copied(
    signal: Volume, origin: Points, spacing: float, grid: Grid, pose: Rigid
) -> Volume | None:
    """The voxels themselves, where the grid's nodes are nodes of the canvas; None otherwise."""
    back = pose.inverse()
    matrix, offset = grid.index_to_point, grid.origin
    steps = back.rotation @ matrix / spacing
    start = (back.apply(offset) - origin) / spacing
    whole, first = np.round(steps), np.round(start)
    last = first + whole @ (np.array(grid.size) - 1)
    shape = np.array(signal.shape[::-1])
    off = max(
        float(np.abs(steps - whole).max()) * max(grid.size), float(np.abs(start - first).max())
    )
    ends = np.stack([first, last])
    if off > 1e-3 or np.any(ends < 0) or np.any(ends >= shape) or np.abs(whole).sum() != 3:
        return None
    axis_of = [int(np.argmax(np.abs(whole[:, a]))) for a in range(3)]
    cut = []
    for axis in (2, 1, 0):
        low, high = sorted((int(first[axis]), int(last[axis])))
        cut.append(slice(low, high + 1))
    part = signal[tuple(cut)]
    flips = tuple(slice(None, None, -1 if last[a] < first[a] else 1) for a in (2, 1, 0))
    return np.ascontiguousarray(part[flips].transpose([2 - axis_of[a] for a in (2, 1, 0)]))


def add_lesions(
    volume: Volume, grid: Grid, pose: Rigid, lesions: list[Lesion], contrast: Contrast
) -> None:
    """Put the lesions into a sampled volume, each voxel by the share that the lesion fills."""
    to_anatomy = pose.inverse()
    edge = float(np.mean(grid.spacing))
    for lesion, rim, core in zip(lesions, contrast.rims, contrast.cores, strict=True):
        shape = lesion.shape
        box = box_around(grid, pose.apply(shape.centre), shape.reach_mm() + edge)
        if box is None:
            continue
        points = to_anatomy.apply(points_in(grid, box))
        beyond = shape.distance(points)
        share = np.clip(0.5 - beyond / edge, 0.0, 1.0)
        level = np.full(share.shape, rim)
        if lesion.core_share > 0.0:
            length = np.linalg.norm(points - shape.centre, axis=-1)
            inner = length - lesion.core_share * (length - beyond)
            in_core = np.clip(0.5 - inner / max(edge, 1.5), 0.0, 1.0)
            level += in_core * (core - rim)
        volume[box] = volume[box] * (1.0 - share) + share * level


def label_map(grid: Grid, pose: Rigid, lesions: list[Lesion]) -> npt.NDArray[np.uint8]:
    """Instance labels by voxel centres; a lesion between them all gets its nearest voxel."""
    labels = np.zeros(grid.size[::-1], dtype=np.uint8)
    to_anatomy = pose.inverse()
    for lesion in lesions:
        centre = pose.apply(lesion.shape.centre)
        box = box_around(grid, centre, lesion.shape.reach_mm() + max(grid.spacing))
        if box is None:
            continue
        within = lesion.shape.distance(to_anatomy.apply(points_in(grid, box))) <= 0.0
        labels[box][within] = lesion.number
        if not within.any():
            x, y, z = np.round(index_of(grid, centre)).astype(int)
            labels[z, y, x] = lesion.number
    return labels


def bias_field(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> Volume:
    """A smooth coil profile around 1 with a departure of about `strength`, as sums of products."""
    field = np.ones(shape, dtype=np.float32)
    for _ in range(2):
        factors = []
        for length in shape:
            u = np.linspace(-1.0, 1.0, length)
            a, b = rng.normal(0.0, 0.6), rng.normal(0.0, 0.8)
            factors.append((a * u + b * (u * u - 0.5)).astype(np.float32) + np.float32(0.7))
        product = factors[0][:, None, None] * factors[1][None, :, None] * factors[2][None, None, :]
        field += np.float32(strength * rng.choice([-1.0, 1.0])) * product
    return np.clip(field, 0.5, 1.6)


def finish_mr(
    rng: np.random.Generator, volume: Volume, bias: Volume, gain: float, noise: float
) -> npt.NDArray[np.uint16]:
    """Bias field, gain and Rician noise (`noise` is the SD of each channel); 12-bit values.

    Gudbjartsson H and Patz S, Magn Reson Med 1995;34:910-914.
    """
    real = volume * bias
    real *= np.float32(gain)
    noise_real = rng.standard_normal(real.shape, dtype=np.float32)
    noise_real *= np.float32(noise)
    real += noise_real
    real *= real
    rng.standard_normal(out=noise_real, dtype=np.float32)
    noise_real *= np.float32(noise)
    noise_real *= noise_real
    real += noise_real
    np.sqrt(real, out=real)
    real += np.float32(0.5)
    return np.minimum(real, 4095.0).astype(np.uint16)


def finish_ct(rng: np.random.Generator, volume: Volume, noise_hu: float) -> npt.NDArray[np.uint16]:
    """Noise of the detector; stored values are HU + 1024 in 12 bits."""
    noisy = rng.standard_normal(volume.shape, dtype=np.float32)
    noisy *= np.float32(noise_hu)
    noisy += volume
    noisy += np.float32(24.5)
    return np.clip(noisy, 0.0, 4095.0).astype(np.uint16)


def smooth_brain_mask(anatomy: Anatomy, grid: Grid, pose: Rigid) -> npt.NDArray[np.uint8]:
    """Voxels whose centre lies within the brain's hull, sulci and ventricles included."""
    distance = sample(anatomy, np.float32(100.0) - anatomy.brain, grid, pose)
    return (distance >= 100.0).astype(np.uint8)
