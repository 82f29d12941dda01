"""Digital patients as UKHD is kept: the folders of nnU-Net, skull-stripped, native grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import random_rigid
from cta_data.phantom.head.lesions import paint_oedema
from cta_data.phantom.releases.case import Order, Release, WrittenCase, write_case
from cta_data.phantom.releases.patient import (
    draw_distinct,
    make_head,
    make_person,
    place_brain,
    scan,
    streams,
)
from cta_data.phantom.scanner import sampling

FORMS = ("nifti",)
OEDEMA, ENHANCING = 1, 2
"""Label codes. Those of the real cohort are not public; 1 would be guessed, and is wrong here."""

_SERIES = {"0000": "MPRAGE-none", "0001": "MPRAGE-late", "0002": "FLAIR"}
_EXTENT_MM = np.array([176.0, 224.0, 192.0])
# The storage order of MNI152 files, which fslreorient2std brings about: left, anterior, superior.
_AXES = np.diag([1.0, -1.0, 1.0])


def write_patient(order: Order) -> list[WrittenCase]:
    """Write one patient and its truth."""
    name = f"hdbm_{order.index + 1:03d}"
    person_rng, head_rng, lesion_rng, scan_rng = streams(order.seed, "ukhd", order.index, 4)
    spacing = order.voxel_mm or 0.9
    anatomy = make_head(head_rng, spacing)
    view = place_brain(lesion_rng, anatomy, _grid(lesion_rng, spacing), 4.0)
    lesions, instances = draw_distinct(lesion_rng, anatomy, view)
    if order.index == 0:
        # One case at least shows both codes.
        lesions[0] = replace(lesions[0], oedema_mm=8.0)
    paint_oedema(anatomy, lesions)
    stored = scan(scan_rng, anatomy, view, lesions, _SERIES)
    images = {key: volume.astype(np.int16) for key, volume in stored.items()}
    images["0003"] = images["0001"] - images["0000"]
    swollen = sampling.sample(anatomy, anatomy.oedema * anatomy.white, view.grid, view.pose)
    labels = np.where(swollen > 0.3, OEDEMA, 0).astype(np.uint8)
    labels[instances > 0] = ENHANCING
    raw, part = order.raw, "Ts" if order.index % 5 == 2 else "Tr"
    for kind in ("images", "labels"):
        (raw / f"{kind}{part}").mkdir(parents=True, exist_ok=True)
    for key, volume in images.items():
        path = raw / f"images{part}" / f"{name}_{key}.nii.gz"
        sitk.WriteImage(view.grid.image(volume), str(path))
    label = raw / f"labels{part}" / f"{name}.nii.gz"
    sitk.WriteImage(view.grid.image(labels), str(label))
    facts = {
        "sex": None, "age_years": None, "primary": None,
        "label_values": {"oedema": OEDEMA, "enhancing": ENHANCING},
    }  # fmt: skip
    image = raw / f"images{part}" / f"{name}_0001.nii.gz"
    case = WrittenCase("ukhd", name, "", make_person(person_rng), image, label)
    return [write_case(order, name, view.grid.image(instances), case, facts)]


def finish(folder: Path, form: str, cases: Sequence[WrittenCase]) -> tuple[str, ...]:
    """There is no table of this cohort."""
    return ("enhancing tumour is 2, oedema is 1", "no clinical table")


def _grid(rng: np.random.Generator, spacing: float) -> Grid:
    """A grid of the native T1, a little oblique."""
    x, y, z = (int(n) for n in np.round(_EXTENT_MM / spacing))
    tilt = random_rigid(rng, degrees=6.0, millimetres=0.0, about=np.zeros(3)).rotation
    axes = tilt @ _AXES
    middle = np.array([0.0, 10.0, 15.0])
    origin = middle - axes @ ((np.array([x, y, z]) - 1) / 2.0 * spacing)
    return Grid((x, y, z), np.full(3, spacing), origin, axes)


RELEASE = Release(FORMS, write_patient, finish)
