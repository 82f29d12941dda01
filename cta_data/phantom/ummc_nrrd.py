"""UMMC as the processed package: a folder a course, a mask a lesion, the dose on its own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.phantom.ummc_names import file_name
from cta_data.phantom.ummc_patient import UmmcPatient

_ROOT = "Brain-TR-GammaKnife-processed"


def write_courses(raw: Path, patient: UmmcPatient) -> list[Path]:
    """Write all courses of a patient; return the files of their images."""
    images = []
    for course in patient.courses:
        stem = f"GK.{patient.number:03d}_{course.number}"
        folder = raw / _ROOT / stem
        folder.mkdir(parents=True)
        grid = course.view.grid
        images.append(folder / f"{stem}_MR_t1.nrrd")
        _write(grid.image(course.image.astype(np.int16)), images[-1])
        _write(course.dose, folder / f"{stem}_dose.nrrd")
        for drawn in course.drawn:
            mask = (course.labels == drawn.label).astype(np.uint8)
            name = file_name(course.number, drawn.name.roi)
            _write(grid.image(mask), folder / f"{stem}_{name}.nrrd")
    return images


def _write(image: sitk.Image, path: Path) -> None:
    sitk.WriteImage(image, str(path), True)
