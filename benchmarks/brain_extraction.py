"""Brain extraction against the known brain of digital patients.

Run ``python benchmarks/brain_extraction.py [--patients 6] [--voxel 1.5] [--weights FOLDER]``.
hd-bet is measured where it is installed and its weights are in FOLDER, or its default place.
Digital heads are simpler than real ones: what is good here is not proven for patients, what is bad
here is bad.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from registration_cases import image_of, patient_of
from scipy import ndimage

from cta_data.errors import ConfigurationError
from cta_data.imaging.brain import extract_brain, require_backend
from cta_data.phantom.patient import DigitalPatient

TECHNIQUES = ("MPRAGE", "SPACE")


def measure(patient: DigitalPatient, technique: str, backend: str, options: dict) -> dict:
    """How one mask agrees with the brain, and what it would cut off lesions."""
    image = image_of(patient, technique)
    start = time.process_time()
    found = extract_brain(image, backend, options).mask
    seconds = time.process_time() - start
    mask = sitk.GetArrayFromImage(found) > 0
    truth = sitk.GetArrayFromImage(patient.brain_masks[technique]) > 0
    labels = sitk.GetArrayFromImage(patient.lesion_labels[technique])
    ids = np.unique(labels[labels > 0])
    inside = ndimage.mean(mask, labels, ids) if len(ids) else np.ones(1)
    step = float(image.GetSpacing()[0])
    far = ndimage.distance_transform_edt(~truth)[mask].max() * step
    return {
        "backend": backend,
        "technique": technique,
        "dice": 2 * (mask & truth).sum() / (mask.sum() + truth.sum()),
        "volume_ratio": mask.sum() / truth.sum(),
        "missed_percent": 100 * (truth & ~mask).sum() / truth.sum(),
        "beyond_mm": far,
        "lesions": len(ids),
        "lesions_cut": int((inside < 1).sum()),
        "worst_lesion_inside": float(np.min(inside)),
        "cpu": seconds,
    }


def main() -> None:
    """Print a line a back end and technique: median and worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--voxel", type=float, default=1.5, help="mm")
    parser.add_argument("--weights", type=Path, help="HD-BET's weights")
    arguments = parser.parse_args()
    options = {"weights_folder": str(arguments.weights)} if arguments.weights else {}
    backends = ["morphology"]
    try:
        require_backend("hd-bet", options)
        backends.append("hd-bet")
    except ConfigurationError as error:
        print(f"hd-bet: skipped, {error}")
    if importlib.util.find_spec("HD_BET") is None:
        print("hd-bet is not installed")
    rows = []
    for seed in range(arguments.patients):
        patient = patient_of(10 + seed, arguments.voxel)
        rows += [measure(patient, t, b, options) for t in TECHNIQUES for b in backends]
    frame = pd.DataFrame(rows)
    print(
        f"{'back end':<11} {'technique':<9} {'Dice median, least':>19} {'volume ratio':>14} "
        f"{'brain missed %':>15} {'beyond mm':>10} {'lesions cut':>12} {'least inside':>12}  CPU s"
    )
    for (backend, technique), part in frame.groupby(["backend", "technique"]):
        ratio = f"{part.volume_ratio.min():.3f}–{part.volume_ratio.max():.3f}"
        cut = f"{part.lesions_cut.sum()} of {part.lesions.sum()}"
        print(
            f"{backend:<11} {technique:<9} {part.dice.median():>11.3f}, {part.dice.min():.3f} "
            f"{ratio:>14} {part.missed_percent.median():>7.2f}, {part.missed_percent.max():.2f} "
            f"{part.beyond_mm.max():>10.1f} {cut:>12} {part.worst_lesion_inside.min():>12.2f} "
            f"{part.cpu.median():>6.1f}"
        )


if __name__ == "__main__":
    main()
