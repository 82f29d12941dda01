"""Digital patients as SUSM (BrainMetShare) is distributed: PNG slices, or NIfTI files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from PIL import Image

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.head.lesions import paint_oedema
from cta_data.phantom.releases.case import Order, Release, WrittenCase, write_case
from cta_data.phantom.releases.patient import (
    brain_box,
    draw_distinct,
    make_head,
    make_person,
    place_brain,
    scan,
    streams,
)
from cta_data.phantom.releases.workbook import rows_of, write_workbook
from cta_data.phantom.tables import table

FORMS = ("png", "nifti")
SPACING_MM = (0.94, 0.94, 1.0)
"""In the plane and from slice to slice. PNG files do not carry it; readers have to assume it."""

_WITHOUT_FLAIR = 307
# The real name of the spreadsheet is not known.
_WORKBOOK = "brainmetshare_primary_cancer.xlsx"
_SERIES = {"bravo": "MPRAGE-late", "t1_pre": "SPACE-none", "t1_gd": "SPACE", "flair": "FLAIR"}
_FOLDERS = {"bravo": "0", "t1_pre": "1", "t1_gd": "2", "flair": "3"}
_PNG_ROOT = "stanford_release_brainmask/mets_stanford_releaseMask_{}"
_NIFTI_ROOT = "brainmetshare-3/{}"


def case_numbers(patients: int) -> list[tuple[int, bool]]:
    """Return number and whether labelled of every patient; about a third has no labels."""
    unlabelled = max(1, patients // 3) if patients > 1 else 0
    labelled = patients - unlabelled
    return [
        *((_numbered(table("susm", "labelled"), i, 400), True) for i in range(labelled)),
        *((_numbered(table("susm", "unlabelled"), i, 700), False) for i in range(unlabelled)),
    ]


def _numbered(known: Sequence[int], i: int, beyond: int) -> int:
    return known[i] if i < len(known) else beyond + i - len(known)


def write_patient(order: Order) -> list[WrittenCase]:
    """Write one patient and its truth."""
    numbers = case_numbers(order.patients)
    number, labelled = numbers[order.index]
    person_rng, head_rng, lesion_rng, scan_rng = streams(order.seed, "susm", order.index, 4)
    coarser = order.voxel_mm or 1.0
    anatomy = make_head(head_rng, coarser)
    view = place_brain(lesion_rng, anatomy, _grid(coarser, brain_box(anatomy)[1][2]), 3.0)
    lesions, labels = draw_distinct(lesion_rng, anatomy, view)
    paint_oedema(anatomy, lesions)
    series = {k: v for k, v in _SERIES.items() if k != "flair" or number != _WITHOUT_FLAIR}
    volumes: dict[str, npt.NDArray[np.generic]] = {}
    volumes.update(scan(scan_rng, anatomy, view, lesions, series))
    if labelled:
        volumes["seg"] = (labels > 0).astype(np.uint8)
    root = _PNG_ROOT if order.form == "png" else _NIFTI_ROOT
    case = order.raw / root.format("train" if labelled else "test") / f"Mets_{number:03d}"
    last_labelled = sum(has for _, has in numbers) - 1
    traps = [] if labelled else ["no annotation"]
    traps += ["no FLAIR"] if number == _WITHOUT_FLAIR else []
    if order.form == "png":
        grid = Grid(view.grid.size, np.array(SPACING_MM), np.zeros(3), np.eye(3))
        colour = order.index == min(1, last_labelled)
        traps += ["unpadded slice numbers"] + (["RGB slices"] if colour else [])
        _write_png(case, volumes, colour)
    else:
        grid, bare = view.grid, order.index == last_labelled
        traps += ["files end in .nii"] if bare else []
        _write_nifti(case, volumes, grid, ".nii" if bare else ".nii.gz")
    person = make_person(person_rng)
    spelling = str(person_rng.choice(table("susm", "spellings", person.primary)))
    facts = {"sex": None, "age_years": None, "primary": spelling}
    image, label = (_volume_path(case, order.form, stem) for stem in ("bravo", "seg"))
    row = {"Patient ID": number, "Primary cancer type": spelling}
    written = WrittenCase(
        "susm", case.name, "", person, image, label if labelled else None, labelled,
        tuple(traps), (row,),
    )  # fmt: skip
    return [write_case(order, case.name, grid.image(labels), written, facts)]


def finish(folder: Path, form: str, cases: Sequence[WrittenCase]) -> tuple[str, ...]:
    """Write the spreadsheet of primary cancers."""
    rows = sorted((row for case in cases for row in case.rows), key=lambda r: str(r["Patient ID"]))
    write_workbook(folder / "raw" / _WORKBOOK, {"Sheet1": rows_of(rows)})
    return ("free text for primary cancers",)


def _grid(coarser: float, brain_height_mm: float) -> Grid:
    """256 × 256 pixels and slices from below to above the brain; larger voxels where `coarser`."""
    spacing = coarser * np.array(SPACING_MM)
    pixels = round(256 / coarser)
    slices = int(np.ceil((brain_height_mm + 8.0) / spacing[2]))
    return Grid((pixels, pixels, slices), spacing, np.zeros(3), np.eye(3))


def _volume_path(case: Path, form: str, stem: str) -> Path:
    if form == "png":
        return case / _FOLDERS.get(stem, stem)
    bare = case / f"{stem}.nii"
    return bare if bare.exists() else case / f"{stem}.nii.gz"


def _write_png(case: Path, volumes: dict[str, npt.NDArray[np.generic]], colour: bool) -> None:
    """Write slices from inferior to superior, rows from front to back, columns from right to left.

    Every volume is scaled to 8 bits on its own; a mask becomes 0 and 255 in the same way.
    """
    for stem, volume in volumes.items():
        folder = case / _FOLDERS.get(stem, stem)
        folder.mkdir(parents=True)
        top = max(float(volume.max()), 1.0)
        scaled = np.round(volume.astype(np.float32) * (255.0 / top)).astype(np.uint8)
        for k, plane in enumerate(scaled):
            picture = Image.fromarray(plane)
            picture = picture.convert("RGB") if colour else picture
            picture.save(folder / f"{k}.png", compress_level=1)


def _write_nifti(
    case: Path, volumes: dict[str, npt.NDArray[np.generic]], grid: Grid, ending: str
) -> None:
    case.mkdir(parents=True)
    for stem, volume in volumes.items():
        kind = np.uint8 if stem == "seg" else np.int16
        sitk.WriteImage(grid.image(volume.astype(kind)), str(case / f"{stem}{ending}"))


RELEASE = Release(FORMS, write_patient, finish)
