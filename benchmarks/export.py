"""Masks to structure sets: processor time of `cta-data export rtstruct` beside rt-utils, and loss.

Run ``python benchmarks/export.py``, with ``--peers PYTHON`` for the Python of an environment that
has rt-utils. A series of 200 slices of 512 × 512 and a mask of 60 balls (2 to 12 mm in diameter)
are written. Each program writes a structure set of 60 ROIs, in turn, ``--runs`` times, each in a
process of its own; the figure is the median of the processor time, and its ratio to rt-utils'. What
each wrote is read back by `cta-data rasterize`, and the voxels that differ are counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid
from rasterization import cpu_seconds, write_series

from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.lesion_export import read_placed_series
from cta_data.formats.nifti.image import write_image
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set

LESIONS, SEED = 60, 20250215
RT_UTILS = """
import sys, numpy as np
from rt_utils import RTStructBuilder
made = RTStructBuilder.create_new(dicom_series_path=sys.argv[1])
labels = np.load(sys.argv[2])
for number in range(1, labels.max() + 1):
    made.add_roi(mask=labels == number, name=f"Lesion {number}")
made.save(sys.argv[3])
"""


def balls(shape: Sequence[int], spacing: Sequence[float]) -> NDArray[np.uint16]:
    """Return 60 balls of 2 to 12 mm that do not meet, as lesion numbers (slice, row, column)."""
    random = np.random.default_rng(SEED)
    labels = np.zeros(shape, np.uint16)
    scale = np.array(spacing)
    number = 0
    while number < LESIONS:
        radius = 1.0 + 5.0 * number / (LESIONS - 1)
        reach = np.ceil(radius / scale).astype(int) + 2
        centre = random.integers(reach, np.array(shape) - reach)
        box = tuple(slice(c - r, c + r + 1) for c, r in zip(centre, reach, strict=True))
        if labels[box].any():
            continue
        number += 1
        offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1)
        labels[box][np.linalg.norm(offsets * scale, axis=-1) <= radius] = number
    return labels


def lost(path: Path, series: Path, labels: NDArray[np.uint16]) -> str:
    """Return what is left of the lesions in a structure set, read by our own reader."""
    placed = read_placed_series(series)
    read = read_structure_set(path)
    back = np.zeros_like(labels)
    for roi in rasterize_structure_set(read, placed.grid, None, check_reference=False):
        back[roi.box][roi.region] = int(roi.name.split()[1])
    gone = LESIONS - len(set(np.unique(back).tolist()) - {0})
    share = np.count_nonzero(back) / np.count_nonzero(labels)
    different = np.count_nonzero(back != labels)
    return f"{different} voxels differ, {gone} lesions gone, {share:.0%} of the volume"


def main() -> None:
    """Write the data, run both programs in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", help="Python of an environment with rt-utils")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = folder / "series"
        series.mkdir()
        write_series(series, generate_uid(), generate_uid())
        grid = read_placed_series(series).grid
        labels = balls(grid.size[::-1], grid.spacing[::-1].tolist())
        mask, array = folder / "mask.nii.gz", folder / "labels.npy"
        write_image(grid.image(labels), mask)
        np.save(array, labels.transpose(1, 2, 0))
        ours = str(Path(sys.executable).with_name("cta-data"))
        target = {"cta-data export": folder / "ours.dcm", "rt-utils": folder / "theirs.dcm"}
        commands = {
            "cta-data export": [
                *(ours, "export", "rtstruct", str(mask), str(series)),
                *(str(target["cta-data export"]), "--overwrite"),
            ]
        }
        if options.peers:
            theirs = str(target["rt-utils"])
            commands["rt-utils"] = [options.peers, "-c", RT_UTILS, str(series), str(array), theirs]
        taken: dict[str, list[float]] = {tool: [] for tool in commands}
        for _ in range(options.runs):
            for tool, command in commands.items():
                target[tool].unlink(missing_ok=True)
                taken[tool].append(cpu_seconds(command))
        base = statistics.median(taken.get("rt-utils", taken["cta-data export"]))
        for tool, seconds in taken.items():
            median = statistics.median(seconds)
            left = lost(target[tool], series, labels)
            size = target[tool].stat().st_size / 1e6
            print(f"{tool:16} {median:6.2f} s CPU {median / base:5.2f}  {size:5.2f} MB  {left}")


if __name__ == "__main__":
    main()
