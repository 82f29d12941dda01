"""What is written of a predicted case: mask, instances, lesions, preview."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.files import json_line
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.imaging.lesions.measurement import measure_lesions
from cta_data.study.layout import PROBABILITIES

INSTANCES, PREVIEWS = "instances", "previews"
LESIONS = "lesions.tsv"
COLUMNS = (
    "case",
    "lesion_id",
    "volume_mm3",
    "volume_cm3",
    "n_voxels",
    "centroid_x_ras_mm",
    "centroid_y_ras_mm",
    "centroid_z_ras_mm",
    "max_diameter_mm",
    "cnr",
    "largest_probability",
)
_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class PredictedLesions:
    """Lesions of one case, the largest first, and the grid's instance labels (z, y, x)."""

    labels: NDArray[np.unsignedinteger]
    rows: list[dict[str, Any]]


def write_prediction(
    case: str,
    image_file: Path,
    mask: NDArray[np.generic],
    folder: Path,
    probability: NDArray[np.float32] | None,
) -> None:
    """Write one case below a folder.

    Parameters
    ----------
    mask
        (z, y, x) on the grid of the image; every value but 0 is lesion.
    probability
        Of lesion, (z, y, x); kept as NIfTI where it is given.
    """
    from cta_data.training.nnunet.preview import draw_preview

    image = read_image(image_file)
    for name in ("", INSTANCES, PREVIEWS, PROBABILITIES if probability is not None else ""):
        (folder / name).mkdir(parents=True, exist_ok=True)
    found = predicted_lesions(case, image, mask, probability)
    instances = _like(found.labels, image)
    write_image(_like((mask != 0).astype(np.uint8), image), folder / f"{case}.nii.gz")
    write_image(instances, folder / INSTANCES / f"{case}_dseg.nii.gz")
    if probability is not None:
        write_image(_like(probability, image), folder / PROBABILITIES / f"{case}.nii.gz")
    picture = draw_preview(case, image, instances, found.rows)
    (folder / PREVIEWS / f"{case}.png").write_bytes(picture)
    rows = json_line(found.rows, sorted_keys=False)
    (folder / INSTANCES / f"{case}.json").write_text(rows, encoding="utf-8")


def predicted_lesions(
    case: str,
    image: sitk.Image,
    mask: NDArray[np.generic],
    probability: NDArray[np.float32] | None = None,
) -> PredictedLesions:
    """Return the 26-connected components of a mask, numbered from 1 by falling size."""
    parts, count = ndimage.label(mask, _NEIGHBOURS)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    kind = np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32
    numbers = np.zeros(count + 1, kind)
    # Of equal size, the one that comes first in the volume.
    numbers[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    labels = numbers[parts]
    largest = None
    if probability is not None:
        largest = np.append(0.0, ndimage.maximum(probability, labels, np.arange(1, count + 1)))
    rows = []
    for one in measure_lesions(_like(labels, image), image):
        cnr = one.contrast_to_noise_ratio
        x, y, z = one.centroid_ras_mm
        rows.append(
            {
                "case": case,
                "lesion_id": one.lesion_id,
                "volume_mm3": one.volume_mm3,
                "volume_cm3": one.volume_cm3,
                "n_voxels": one.n_voxels,
                "centroid_x_ras_mm": x,
                "centroid_y_ras_mm": y,
                "centroid_z_ras_mm": z,
                "max_diameter_mm": one.max_diameter_mm,
                "cnr": cnr if np.isfinite(cnr) else None,
                "largest_probability": (
                    float(largest[one.lesion_id]) if largest is not None else None
                ),
            }
        )
    return PredictedLesions(labels, rows)


def write_lesion_table(folder: Path, cases: Sequence[str]) -> int:
    """Gather the lesions of all cases into one table; return how many there are."""
    rows: list[dict[str, Any]] = []
    for case in cases:
        part = folder / INSTANCES / f"{case}.json"
        if part.is_file():
            rows += json.loads(part.read_text("utf-8"))
            part.unlink()
    with open(folder / LESIONS, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _text(row[key]) for key in COLUMNS})
    return len(rows)


def _text(value: Any) -> Any:
    if value is None:
        return "n/a"  # BIDS
    return f"{value:.6g}" if isinstance(value, float) else value


def _like(array: NDArray[np.generic], image: sitk.Image) -> sitk.Image:
    made = sitk.GetImageFromArray(array)
    made.CopyInformation(image)
    return made
