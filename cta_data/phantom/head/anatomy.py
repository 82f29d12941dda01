"""One patient's head: brain from the warped template, skull, scalp and face built around it.

Layers of the head (from the brain outwards): fluid, dura, inner table, diploe, outer table,
fat and muscle, skin. Their thicknesses vary smoothly over the head and from patient to patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cta_data.phantom.head import atlas
from cta_data.phantom.head.template import COARSE_MM, load_template
from cta_data.phantom.head.tissues import TISSUES
from cta_data.phantom.head.warp import (
    Canvas,
    Warp,
    make_canvas,
    random_field,
    random_warp,
    upsampled,
)

Volume = npt.NDArray[np.float32]


@dataclass
class Anatomy:
    """Maps of one head on its canvas, arrays (z, y, x), signed distances in mm, negative inside.

    `coarse_brain` is `brain` on the coarse grid. `vessels` and `oedema` are fractions that are
    painted in later; they start empty.
    """

    canvas: Canvas
    warp: Warp
    grey: Volume
    white: Volume
    brain: Volume
    inner_table: Volume
    outer_table: Volume
    skin: Volume
    coarse_brain: Volume
    face: dict[str, Volume]
    fat_mm: float
    vessels: Volume
    oedema: Volume


def make_anatomy(rng: np.random.Generator, spacing: float) -> Anatomy:
    """Draw a head on a canvas of `spacing` mm."""
    canvas = make_canvas(spacing)
    warp = random_warp(rng)
    at = warp.on_coarse(canvas)
    brain = _sampled_distance(at)
    axes = canvas.coarse_axes()
    gap = random_field(rng, 50.0, 0.45).on_axes(*axes) + np.float32(rng.uniform(2.6, 3.4))
    skull = random_field(rng, 45.0, 0.8).on_axes(*axes) + np.float32(rng.uniform(5.8, 7.4))
    scalp = random_field(rng, 55.0, 0.6).on_axes(*axes) + np.float32(rng.uniform(5.5, 8.0))
    streaks = random_field(rng, 9.0, 1.0).on_axes(*axes)
    inner = brain - np.clip(gap, 1.5, None)
    outer = inner - np.clip(skull, 3.5, None)
    skin = atlas.head_distance(at, outer - np.clip(scalp, 3.5, None))
    grey, white = _brain_tissue(canvas, at)
    return Anatomy(
        canvas=canvas,
        warp=warp,
        grey=grey,
        white=white,
        brain=upsampled(brain),
        inner_table=upsampled(inner),
        outer_table=upsampled(outer),
        skin=upsampled(skin),
        coarse_brain=brain,
        face=_face(canvas, at, streaks),
        fat_mm=float(rng.uniform(4.5, 6.5)),
        vessels=np.zeros(canvas.shape, dtype=np.float32),
        oedema=np.zeros(canvas.shape, dtype=np.float32),
    )


def _sampled_distance(at: atlas.Coordinates) -> Volume:
    """The template's distance to the brain at template coordinates."""
    template = load_template()
    index = np.stack([(at[a] - template.coarse_origin[a]) / COARSE_MM for a in (2, 1, 0)])
    sampled = ndimage.map_coordinates(template.brain_distance, index, order=1, mode="nearest")
    return np.asarray(sampled, dtype=np.float32)


def _brain_tissue(canvas: Canvas, at: atlas.Coordinates) -> tuple[Volume, Volume]:
    """Grey and white matter fractions on the fine grid, sampled where the brain can be."""
    template = load_template()
    margin = 4.0
    shape = template.grey.shape
    inside = np.ones(at[0].shape, dtype=bool)
    for a in range(3):
        position = at[a] - template.origin[a]
        inside &= (position > -margin) & (position < shape[2 - a] + margin)
    boxes = ndimage.find_objects(inside.astype(np.uint8))[0]
    fine = tuple(slice(2 * s.start, 2 * s.stop - 1) for s in boxes)
    index = np.stack([upsampled(at[a][boxes] - np.float32(template.origin[a])) for a in (2, 1, 0)])
    maps = []
    for source in (template.grey, template.white):
        volume = np.zeros(canvas.shape, dtype=np.float32)
        ndimage.map_coordinates(source, index, output=volume[fine], order=1, mode="constant")
        maps.append(volume)
    return maps[0], maps[1]


def _face(canvas: Canvas, at: atlas.Coordinates, streaks: Volume) -> dict[str, Volume]:
    """Signed distances of the structures below the forehead, on the fine grid, and fat streaks.

    Only the lower part of the canvas, up to the height where no such structure is left, is kept.
    """
    top = int(np.ceil((4.0 - canvas.origin[2]) / (2.0 * canvas.spacing))) + 1
    low: atlas.Coordinates = (at[0][:top], at[1][:top], at[2][:top])
    texture = streaks[:top]
    cord, canal, vertebra = atlas.canal_distances(low)
    return {
        "air": upsampled(atlas.air_distance(low, texture)),
        "eye": upsampled(atlas.distance_to(low, "eye")),
        "orbit": upsampled(atlas.distance_to(low, "orbit")),
        "bone": upsampled(atlas.facial_bone_distance(low)),
        "cord": upsampled(cord),
        "canal": upsampled(canal),
        "vertebra": upsampled(vertebra),
        "streaks": upsampled(streaks),
    }


def tissue_fractions(anatomy: Anatomy, first: int, last: int) -> Volume:
    """Fractions of the tissues of slices `first` to `last` (exclusive), in the order of `TISSUES`.

    The shape is (tissue, z, y, x); what is left to 1 is air.
    """
    part = slice(first, last)
    spacing = np.float32(anatomy.canvas.spacing)

    def inside(distance: Volume) -> Volume:
        return np.clip(np.float32(0.5) - distance / spacing, 0.0, 1.0)

    inner, outer = anatomy.inner_table[part], anatomy.outer_table[part]
    skin = anatomy.skin[part]
    cavity = inside(inner)
    skull = inside(outer) - cavity
    head_all = np.maximum(inside(skin), cavity + skull)
    thickness = inner - outer
    diploe = np.abs(inner + outer) * np.float32(0.5) - np.float32(0.2) * thickness
    fractions = np.zeros((len(TISSUES), *cavity.shape), dtype=np.float32)
    by_name = dict(zip(TISSUES, fractions, strict=True))
    grey, white = anatomy.grey[part] * cavity, anatomy.white[part] * cavity
    swollen = anatomy.oedema[part]
    by_name["dura"][:] = (cavity - inside(inner + np.float32(0.6))) * (1 - grey - white)
    by_name["csf"][:] = np.clip(cavity - grey - white - by_name["dura"], 0.0, 1.0)
    by_name["oedema"][:] = (white + np.float32(0.35) * grey) * swollen
    by_name["white"][:] = white * (1 - swollen)
    by_name["grey"][:] = grey * (1 - np.float32(0.35) * swollen)
    by_name["marrow"][:] = skull * inside(diploe)
    by_name["bone"][:] = skull - by_name["marrow"]
    soft = np.clip(head_all - cavity - skull, 0.0, 1.0)
    beneath_skin, beneath_fat = inside(skin + 2), inside(skin + np.float32(anatomy.fat_mm))
    streaks = np.clip(anatomy.face["streaks"][part] - np.float32(0.6), 0.0, 0.8)
    by_name["skin"][:] = soft * (1 - beneath_skin)
    by_name["muscle"][:] = soft * beneath_fat * (1 - streaks)
    by_name["fat"][:] = soft - by_name["skin"] - by_name["muscle"]
    _add_face(anatomy, fractions, part, beneath_skin)
    _replace(fractions, by_name["blood"], anatomy.vessels[part])
    return fractions


def _replace(fractions: Volume, tissue: Volume | None, share: Volume) -> None:
    """Let a tissue (or air, None) take a share of every voxel; touches only voxels with a share."""
    voxels = np.flatnonzero(share)
    if not len(voxels):
        return
    taken = share.reshape(-1)[voxels]
    flat = fractions.reshape(len(fractions), -1)
    flat[:, voxels] *= 1 - taken
    if tissue is not None:
        tissue.reshape(-1)[voxels] += taken


def _add_face(
    anatomy: Anatomy,
    fractions: Volume,
    part: slice,
    beneath_skin: Volume,
) -> None:
    """Let the structures of the face replace what lies outside the cavity of the skull."""
    first, last = part.start, min(part.stop, anatomy.face["air"].shape[0])
    if last <= first:
        return
    rows = slice(0, last - first)
    spacing = np.float32(anatomy.canvas.spacing)
    inner = anatomy.inner_table[first:last]
    room = (1 - np.clip(0.5 - inner / spacing, 0.0, 1.0)) * beneath_skin[rows]
    outside_skull = room * np.clip(anatomy.outer_table[first:last] / spacing + 0.5, 0.0, 1.0)
    # Thin bone stays between the air of a sinus and the dura.
    beyond_shell = np.clip((inner - 1.5) / spacing + 0.5, 0.0, 1.0)
    part_of_head = fractions[:, rows] if rows.stop < fractions.shape[1] else fractions
    lower = np.ascontiguousarray(part_of_head)
    lower_by_name = dict(zip(TISSUES, lower, strict=True))
    for structure, tissue, within in (
        ("vertebra", "marrow", outside_skull),
        ("bone", "bone", outside_skull),
        ("orbit", "fat", outside_skull),
        ("eye", "vitreous", outside_skull),
        ("air", None, beyond_shell),
        ("canal", "csf", room),
        ("cord", "white", room),
    ):
        distance = anatomy.face[structure][first:last]
        if float(distance.min()) < spacing:
            share = np.clip(np.float32(0.5) - distance / spacing, 0.0, 1.0) * within
            _replace(lower, lower_by_name[tissue] if tissue else None, share)
    fractions[:, rows] = lower


def anatomical_point(anatomy: Anatomy, ras: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Where an MNI point (RAS mm) lies in this patient's anatomy frame (LPS mm)."""
    return anatomy.warp.from_template(np.array([[-ras[0], -ras[1], ras[2]]]))[0]
