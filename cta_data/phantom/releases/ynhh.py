"""Digital patients as YNHH (Pretreat-MetsToBrain-Masks) is distributed: NIfTI in atlas space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import box_around, points_in
from cta_data.phantom.head.anatomy import Anatomy
from cta_data.phantom.head.lesions import Lesion, paint_oedema
from cta_data.phantom.releases.case import Order, Release, WrittenCase, write_case
from cta_data.phantom.releases.patient import (
    ExternalPerson,
    Labels,
    View,
    draw_distinct,
    make_head,
    make_person,
    place_brain,
    scan,
    streams,
)
from cta_data.phantom.releases.workbook import rows_of, write_workbook
from cta_data.phantom.scanner import sampling

FORMS = ("nifti",)
CORE, OEDEMA, ENHANCING = 1, 2, 3
"""Label codes of the release: necrotic core, oedema, enhancing rim."""

_NUMBERS = (86, 89, 90, 91, 92, 94, 96, 97, 99, 102, 106, 107, 110, 113)
_ROOT = "PKG - Pretreat-MetsToBrain-Masks/Pretreat-MetsToBrain-Masks"
_WORKBOOK = "Pretreat-MetsToBrain-Masks_clin_20230918.xlsx"
_SERIES = {"t1c": "MPRAGE-late", "t1n": "MPRAGE-none", "t2f": "FLAIR", "t2w": "T2"}
_PRIMARIES = {
    "lung": "NSCLC", "melanoma": "Melanoma", "breast": "Breast", "kidney": "RCC", "others": "GI",
}  # fmt: skip
# A patient with a core that a coarse grid shows as well.
_LARGE_MM3 = 900.0


def write_patient(order: Order) -> list[WrittenCase]:
    """Write one patient and its truth."""
    index, voxel_mm = order.index, order.voxel_mm or 1.0
    number = _NUMBERS[index] if index < len(_NUMBERS) else 200 + index
    case_id = f"BraTS-MET-{number:05d}-000"
    person_rng, head_rng, lesion_rng, scan_rng = streams(order.seed, "ynhh", index, 4)
    anatomy = make_head(head_rng, voxel_mm)
    # All heads lie alike in the atlas.
    view = place_brain(lesion_rng, anatomy, _grid(voxel_mm), 0.5)
    with_core, oedema_only = index == 0, index == 2
    lesions, instances = _draw(lesion_rng, anatomy, view, large=with_core or oedema_only)
    paint_oedema(anatomy, lesions)
    if oedema_only:
        lesions, instances = [], np.zeros_like(instances)
    labels = _codes(anatomy, view, lesions, instances)
    images = scan(scan_rng, anatomy, view, lesions, _SERIES)
    files = order.raw / _ROOT / case_id
    files.mkdir(parents=True)
    for stem, volume in images.items():
        path = files / f"{case_id}-{stem}.nii.gz"
        sitk.WriteImage(view.grid.image(volume.astype(np.int16)), str(path))
    label = files / f"{case_id}-seg.nii.gz"
    sitk.WriteImage(view.grid.image(labels), str(label))
    person = make_person(person_rng)
    row = _clinical_row(person_rng, case_id, person)
    codes = sorted(int(value) for value in np.unique(labels) if value)
    facts = {
        "label_values": codes,
        "sex": person.sex,
        "age_years": row["Age"],
        "primary": row["Primary"],
    }
    source_id, _, session = case_id.rpartition("-")
    traps = ("oedema alone, no lesion",) if oedema_only else ()
    image = files / f"{case_id}-t1c.nii.gz"
    case = WrittenCase("ynhh", source_id, session, person, image, label, traps=traps, rows=(row,))
    return [write_case(order, case_id, view.grid.image(instances), case, facts)]


def finish(folder: Path, form: str, cases: Sequence[WrittenCase]) -> tuple[str, ...]:
    """Write the clinical workbook; its rows are not in the order of the folders."""
    rows = [row for case in reversed(cases) for row in case.rows]
    legend = [["Column", "Meaning"], ["Death", "0 alive, 1 dead at last contact"]]
    write_workbook(folder / "raw" / _WORKBOOK, {"Data": rows_of(rows), "Legend": legend})
    blank = any(row["Death"] is None for row in rows)
    return ("blanks in the package's folder", *(("blank cells",) if blank else ()))


def _grid(voxel_mm: float) -> Grid:
    """The atlas' 240 × 240 × 155 voxels of 1 mm, or fewer and larger ones from the same corner."""
    x, y, z = (round(n / voxel_mm) for n in (240, 240, 155))
    return Grid((x, y, z), np.full(3, voxel_mm), np.array([0.0, -239.0, 0.0]), np.eye(3))


def _draw(
    rng: np.random.Generator, anatomy: Anatomy, view: View, *, large: bool
) -> tuple[list[Lesion], Labels]:
    """Draw lesions; where `large` is asked for, the first one has a core and oedema."""
    if not large:
        return draw_distinct(rng, anatomy, view)
    lesions, labels = draw_distinct(
        rng, anatomy, view, lambda found: bool(found) and found[0].volume_mm3 > _LARGE_MM3
    )
    first = replace(lesions[0], core_share=0.7, oedema_mm=max(lesions[0].oedema_mm, 6.0))
    return [first, *lesions[1:]], labels


def _codes(anatomy: Anatomy, view: View, lesions: list[Lesion], instances: Labels) -> Labels:
    """Label codes by voxel centres: core within rim within oedema."""
    swollen = sampling.sample(anatomy, anatomy.oedema, view.grid, view.pose)
    tissue = sampling.sample(anatomy, anatomy.white + anatomy.grey, view.grid, view.pose)
    codes = np.where((swollen > 0.3) & (tissue > 0.4), OEDEMA, 0).astype(np.uint8)
    codes[instances > 0] = ENHANCING
    to_anatomy = view.pose.inverse()
    for lesion in lesions:
        if lesion.core_share == 0.0:
            continue
        reach = lesion.shape.reach_mm()
        box = box_around(view.grid, view.pose.apply(lesion.shape.centre), reach)
        if box is None:
            continue
        points = to_anatomy.apply(points_in(view.grid, box))
        length = np.linalg.norm(points - lesion.shape.centre, axis=-1)
        radius = length - lesion.shape.distance(points)
        core = (length <= lesion.core_share * radius) & (instances[box] == lesion.number)
        codes[box][core] = CORE
    return codes


def _clinical_row(
    rng: np.random.Generator, case_id: str, person: ExternalPerson
) -> dict[str, object]:
    """One row of the workbook. Only the first two headers are known of the real one."""
    death = (0, 1, None)[int(rng.integers(3))]
    return {
        "BraTS_MET_ID": case_id,
        "Death": death,
        "Sex": person.sex,
        "Age": person.age_years,
        "Primary": _PRIMARIES[person.primary],
        "Ethnicity": None,
        "Smoking history (pack years)": int(rng.integers(0, 60)),
        "Extranodal metastasis": str(rng.choice(["Yes", "No"])),
        "Survival (months)": round(float(rng.gamma(2.0, 9.0)), 1) if death is not None else None,
    }


RELEASE = Release(FORMS, write_patient, finish)
