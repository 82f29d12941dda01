"""Where the patches of one session are cut, on an isotropic grid over its SPACE image."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.distances import depth_in_voxels
from cta_data.imaging.geometry.grid import ras_affine
from cta_data.imaging.geometry.resampling import isotropic_grid, resample
from cta_data.imaging.lesions.patch_places import Index, boxes_with, place_patches
from cta_data.pipeline.patches import PatchInputs
from cta_data.study import layout


def run(unit: Unit[PatchInputs], workspace: Workspace) -> Outcome:
    """Write the places of all patches of a session; name the lesions without a negative.

    Raises
    ------
    DataRefused
        The labels or the brain mask cannot be read.
    """
    given = unit.given
    labels = read_image(workspace.read(given.labels))
    brain = read_image(workspace.read(given.brain))
    grid = isotropic_grid(labels, given.spacing_mm)
    lesions, occupied = _on_grid(labels, grid)
    inside = sitk.GetArrayFromImage(resample(brain, grid, interpolation="nearest")) > 0
    depth = depth_in_voxels(inside) * given.spacing_mm
    # Of its own for every session, so that one that joins or leaves changes no other.
    seed = hashlib.sha256(f"{given.seed}|patches|{given.case}".encode()).digest()[:8]
    generator = np.random.default_rng(int.from_bytes(seed, "big"))
    places = place_patches(lesions, occupied, depth, given.edge, generator)
    negatives = {place.lesion for place in places if not place.has_metastasis}
    without = sorted(set(lesions) - negatives)
    content = {
        "case": given.case,
        "partition": given.partition,
        "edge": given.edge,
        "spacing_mm": given.spacing_mm,
        "places": [asdict(place) for place in places],
        "without_negative": without,
    }
    workspace.write_json(layout.patch_places(given.case), content)
    notes = [f"{len(lesions)} patches with a metastasis, {len(negatives)} without"]
    if without:
        notes.append(f"no place matches lesions {', '.join(map(str, without))}")
    return Outcome(notes=notes)


def _on_grid(labels: sitk.Image, grid: sitk.Image) -> tuple[dict[int, Index], np.ndarray]:
    """Return the centre voxel (z, y, x) of each lesion, and the voxels that hold any of a lesion.

    Voxels are carried one by one, so that none gets lost on a coarser grid, with a margin.
    """
    values = sitk.GetArrayFromImage(labels)
    found = np.argwhere(values > 0)
    to_grid = np.linalg.inv(ras_affine(grid)) @ ras_affine(labels)
    placed = found[:, ::-1] @ to_grid[:3, :3].T + to_grid[:3, 3]
    numbers = values[tuple(found.T)]
    lesions: dict[int, Index] = {}
    for number in np.unique(numbers):
        x, y, z = np.round(placed[numbers == number].mean(axis=0)).astype(int).tolist()
        lesions[int(number)] = (z, y, x)
    size = np.array(grid.GetSize())
    at = np.clip(np.round(placed).astype(int), 0, size - 1)
    occupied = np.zeros(size[::-1], bool)
    occupied[at[:, 2], at[:, 1], at[:, 0]] = True
    # A voxel of the labels reaches half its width beyond its centre.
    margin = math.ceil(max(labels.GetSpacing()) / (2 * grid.GetSpacing()[0]))
    return lesions, boxes_with(occupied, 2 * margin + 1)
