"""Transfer side by side: how well drawn lesions arrive on another grid.

Run ``python benchmarks/transfer.py [--lesions 308] [--figure FOLDER]``. Analytic lesions of the
trial's sizes, and one for every seven of them below 0.01 cm³, are drawn as contours on sagittal
or axial planes 1.0 mm apart and brought to a grid of 0.9 mm through a known rigid and affine
transform. We take the contours (or their mask); peers take the mask: SimpleITK, ANTs where
``ants`` can be imported, greedy where ``picsl_greedy`` can. CPU seconds are of the whole process.
Images are cut to where the lesions are, which favours methods that resample whole images.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from transfer_heads import (
    NEIGHBOURS,
    SOURCE_MM,
    TARGET_MM,
    TRUTHS,
    Head,
    Truth,
    draw_head,
    empty_image,
    truth_of,
)

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.drawn_lesions import lesions_from_contours
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.imaging.lesions.mask_transfer import transfer_mask
from cta_data.phantom.geometry import SAGITTAL, box_around, points_in
from cta_data.phantom.head.lesions import draw_volumes

Labels = NDArray[np.uint16]

PER_HEAD = 44
EDGES_CM3 = (0.0, 0.01, 0.05, 0.2, 1.0, np.inf)
BINS = ("<0.01", "0.01-0.05", "0.05-0.2", "0.2-1", ">1")
TRUTH_NAMES = ("drawing, voxel centres", "drawing, more than half", "analytic lesion")
OURS = ("cta_data, contours", "cta_data, mask")
STYLE = {
    "cta_data, contours": ("#D55E00", "o"),
    "cta_data, mask": ("#E69F00", "s"),
    "SimpleITK nearest": ("#000000", "v"),
    "SimpleITK LabelGaussian": ("#0072B2", "^"),
    "SimpleITK linear at 0.5": ("#56B4E9", "D"),
    "ANTs genericLabel": ("#009E73", "P"),
    "greedy LABEL 0.2vox": ("#CC79A7", "X"),
}


Method = Callable[[Head], Labels]


def ours_from_contours(head: Head) -> Labels:
    """Contours to lesions to the target grid."""
    drawn = lesions_from_contours(head.rois, spacing_mm=(SOURCE_MM,) * 3)
    result = transfer_lesions(drawn.lesions, head.transform, empty_image(head.target))
    number = np.zeros(len(drawn.lesions) + 1, np.uint16)
    for lesion in drawn.lesions:
        number[lesion.id] = lesion.source_roi
    return np.asarray(number[sitk.GetArrayViewFromImage(result.labels)])


def ours_from_mask(head: Head) -> Labels:
    """The mask that peers get, by our way."""
    target = empty_image(head.target)
    return array_of(transfer_mask(head.mask, head.mask, target, head.transform).mask)


def array_of(image: sitk.Image) -> Labels:
    """Labels of an image, (z, y, x)."""
    return np.asarray(sitk.GetArrayFromImage(image)).astype(np.uint16)


def simpleitk(interpolator: int) -> Method:
    """One resampling of the label image."""

    def run(head: Head) -> Labels:
        target = empty_image(head.target)
        return array_of(sitk.Resample(head.mask, target, head.transform, interpolator, 0))

    return run


def simpleitk_linear(head: Head) -> Labels:
    """Every label by itself, linearly, and cut at 0.5; only the box that can see it."""
    labels = np.zeros(head.target.size[::-1], np.uint16)
    back = np.linalg.inv(head.matrix)
    for number, shape in head.shapes.items():
        centre = back @ (shape.centre - head.offset)
        box = box_around(head.target, centre, shape.reach_mm() * 1.05 + 3.0)
        assert box is not None
        target = empty_image(head.target)[box[::-1]]
        single = sitk.Cast(head.mask == number, sitk.sitkFloat32)
        share = sitk.GetArrayFromImage(
            sitk.Resample(single, target, head.transform, sitk.sitkLinear, 0.0)
        )
        labels[box][share >= 0.5] = number
    return labels


def ants_generic_label(head: Head) -> Labels:
    """antsApplyTransforms with genericLabel, from and to arrays in memory."""
    ants = importlib.import_module("ants")
    moving, fixed = (
        ants.from_numpy(
            np.ascontiguousarray(array.T.astype(np.float32)),
            origin=grid.origin.tolist(),
            spacing=list(grid.spacing),
            direction=grid.direction,
        )
        for array, grid in (
            (sitk.GetArrayViewFromImage(head.mask), head.source),
            (np.zeros(head.target.size[::-1]), head.target),
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / "transform.mat")
        sitk.WriteTransform(head.transform, name)
        moved = ants.apply_transforms(fixed, moving, [name], interpolator="genericLabel")
    return np.asarray(moved.numpy().T).round().astype(np.uint16)


def greedy_label(head: Head) -> Labels:
    """Greedy's reslicing of labels, ``-ri LABEL 0.2vox``, from and to files."""
    greedy = importlib.import_module("picsl_greedy").Greedy3D()
    ras = np.diag([-1.0, -1.0, 1.0])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = ras @ head.matrix @ ras, ras @ head.offset
    with tempfile.TemporaryDirectory() as folder:
        fixed, moving, moved, affine = (
            str(Path(folder) / name) for name in ("f.nii", "m.nii", "o.nii", "a.mat")
        )
        sitk.WriteImage(empty_image(head.target), fixed)
        sitk.WriteImage(head.mask, moving)
        np.savetxt(affine, matrix)
        greedy.execute(
            f"-d 3 -rf {fixed} -ri LABEL 0.2vox -rm {moving} {moved} -r {affine}", out=io.StringIO()
        )
        return array_of(sitk.ReadImage(moved))


def methods() -> dict[str, Method]:
    """Ours and every peer that can be imported; the others are named."""
    found: dict[str, Method] = {
        "cta_data, contours": ours_from_contours,
        "cta_data, mask": ours_from_mask,
        "SimpleITK nearest": simpleitk(sitk.sitkNearestNeighbor),
        "SimpleITK LabelGaussian": simpleitk(sitk.sitkLabelGaussian),
        "SimpleITK linear at 0.5": simpleitk_linear,
    }
    for name, module, method in (
        ("ANTs genericLabel", "ants", ants_generic_label),
        ("greedy LABEL 0.2vox", "picsl_greedy", greedy_label),
    ):
        if importlib.util.find_spec(module):
            importlib.import_module(module)  # so that its time is not counted
            found[name] = method
        else:
            print(f"{name}: skipped, {module} is not installed")
    return found


def measure(labels: Labels, number: int, truth: Truth, target: Grid) -> dict[str, float]:
    """What became of one lesion; a lost one has no centroid, a Dice of 0 and -100 % of volume."""
    found = labels[truth.box] == number
    voxel = TARGET_MM**3
    row = {
        "n": float(found.sum()),
        "volume_cm3": truth.volume_drawn_mm3 / 1000.0,
        "voxels": truth.volume_mm3 / voxel,
        "lost": float(not found.any()),
        "doubled": float(ndimage.label(found, NEIGHBOURS)[1] > 1),
        "volume_error": 100.0 * (found.sum() * voxel / truth.volume_mm3 - 1.0),
        "shift": np.nan,
    }
    if found.any():
        mean = points_in(target, truth.box)[found].mean(axis=0)
        row["shift"] = float(np.linalg.norm(mean - truth.centroid))
    for name, mask in truth.masks.items():
        row[name] = 2.0 * float((found & mask).sum()) / max(int(found.sum() + mask.sum()), 1)
    return row


def against_mask(
    labels: Labels, head: Head, number: int, box: tuple[slice, ...]
) -> dict[str, float]:
    """Volume error and centroid shift against the mask itself, carried over exactly."""
    found, given = labels[box] == number, sitk.GetArrayViewFromImage(head.mask) == number
    scale = TARGET_MM**3 * float(np.linalg.det(head.matrix)) / SOURCE_MM**3
    row = {"mask_error": 100.0 * (found.sum() * scale / given.sum() - 1.0), "mask_shift": np.nan}
    if found.any():
        index = np.argwhere(given).mean(axis=0)[::-1]
        centre = np.array(head.mask.TransformContinuousIndexToPhysicalPoint(index.tolist()))
        exact = np.linalg.solve(head.matrix, centre - head.offset)
        mean = points_in(head.target, box)[found].mean(axis=0)
        row["mask_shift"] = float(np.linalg.norm(mean - exact))
    return row


def run(lesions: int, found: dict[str, Method]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Every method on every head: one row per lesion and method; CPU seconds by method."""
    rng = np.random.default_rng(11)
    volumes = draw_volumes(rng, lesions)
    tiny = np.exp(rng.uniform(np.log(2.0), np.log(10.0), lesions // 7))
    volumes = rng.permutation(np.concatenate([volumes, tiny]))
    seconds = dict.fromkeys(found, 0.0)
    rows: list[dict[str, float | str]] = []
    for part, some in enumerate(np.array_split(volumes, -(-len(volumes) // PER_HEAD))):
        head = draw_head(rng, some, SAGITTAL if part % 2 else np.eye(3))
        truths = {number: truth_of(head, number) for number in head.shapes}
        for name, method in found.items():
            start = time.process_time()
            labels = method(head)
            seconds[name] += time.process_time() - start
            voxels = np.bincount(labels.ravel(), minlength=len(truths) + 1)
            for number, truth in truths.items():
                row = measure(labels, number, truth, head.target)
                if voxels[number] != row.pop("n"):
                    raise RuntimeError(f"{name}: voxels far from where lesion {number} should be")
                row |= against_mask(labels, head, number, truth.box)
                rows.append({"method": name, **row})
    frame = pd.DataFrame(rows)
    frame["bin"] = pd.cut(frame["volume_cm3"], EDGES_CM3, right=False, labels=BINS)
    return frame, seconds


def spread(values: pd.Series, digits: int) -> str:
    """Median and 5th to 95th percentile."""
    if values.isna().all():
        return "-"
    low, middle, high = np.nanpercentile(values, [5, 50, 95])
    # Adding zero turns -0.0 into 0.0.
    shown = [f"{round(float(value), digits) + 0.0:.{digits}f}" for value in (middle, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def print_tables(frame: pd.DataFrame, seconds: dict[str, float]) -> None:
    """Lesions by method and volume, then mean Dice with each of the three truths and the time."""
    print(
        f"\n{'cm³':<10} {'method':<24} {'n':>4} {'lost':>4} {'doubled':>7} "
        f"{'volume error %':>24} {'centroid shift mm':>22} {'Dice':>22}"
    )
    for size, name in itertools.product(BINS, seconds):
        rows = frame[(frame.bin == size) & (frame.method == name)]
        if rows.empty:
            continue
        print(
            f"{size:<10} {name:<24} {len(rows):>4} {rows.lost.sum():>4.0f} "
            f"{rows.doubled.sum():>7.0f} {spread(rows.volume_error, 1):>24} "
            f"{spread(rows['shift'], 2):>22} {spread(rows.dice, 3):>22}"
        )
    count = len(frame) // len(seconds)
    print(f"\n{'mean Dice with':<24} {'':<24}" + "".join(f"{size:>11}" for size in BINS))
    for truth, title in zip(TRUTHS, TRUTH_NAMES, strict=True):
        means = frame.groupby(["method", "bin"], observed=False)[truth].mean()
        for name in seconds:
            values = "".join(f"{means[name, size]:>11.4f}" for size in BINS)
            print(f"{title:<24} {name:<24}{values}")
    print("\nCPU seconds per 10 lesions")
    for name, spent in seconds.items():
        print(f"{name:<24} {10.0 * spent / count:>7.3f}")


def print_goals(frame: pd.DataFrame) -> None:
    """The goals, each with what was reached."""
    print("\ngoals")
    for name in OURS:
        rows = frame[frame.method == name]
        large = rows[rows.voxels >= 10]
        error = large.volume_error.abs()
        shift = float(np.nanpercentile(rows["shift"], 95))
        checks = [
            ("every lesion arrives", float(rows.lost.sum()), 0.0, "lost"),
            ("volume error, median, >= 10 voxels", float(error.median()), 1.0, "%"),
            ("volume error, 95th percentile, >= 10 voxels", float(error.quantile(0.95)), 8.0, "%"),
            ("centroid shift, 95th percentile", shift, 0.25, "mm"),
        ]
        if name == OURS[1]:
            own = large.mask_error.abs()
            drift = float(np.nanpercentile(rows["mask_shift"], 95))
            checks += [
                ("volume error to the mask's own, median", float(own.median()), 1.0, "%"),
                (
                    "volume error to the mask's own, 95th percentile",
                    float(own.quantile(0.95)),
                    8.0,
                    "%",
                ),
                ("shift to the mask's own centroid, 95th percentile", drift, 0.25, "mm"),
            ]
        for title, value, limit, unit in checks:
            verdict = "yes" if value <= limit else "NO"
            print(f"{name:<20} {title:<49} {verdict:<4} {value:.3f} {unit} (at most {limit:g})")
        for truth in TRUTHS:
            means = frame.groupby(["bin", "method"], observed=True)[truth].mean().unstack()
            best = means.drop(columns=list(OURS)).max(axis=1)
            missed = [str(size) for size in means.index if not means[name][size] > best[size]]
            verdict = "NO: " + ", ".join(missed) if missed else "yes"
            print(f"{name:<20} {'mean ' + truth + ' above every peer, every bin':<49} {verdict}")


def draw_figure(frame: pd.DataFrame, folder: Path) -> None:
    """Dice and volume error by volume, median and 5th to 95th percentile, as SVG and PNG."""
    figure = Figure(figsize=(9.0, 6.6), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    names = list(dict.fromkeys(frame.method))
    titles = ("Dice with the drawing", "Volume error (%)")
    for axes, column, title in zip(panels, ("dice", "volume_error"), titles, strict=True):
        for position, name in enumerate(names):
            groups = frame[frame.method == name].groupby("bin", observed=False)[column]
            low, middle, high = (groups.quantile(q).to_numpy() for q in (0.05, 0.5, 0.95))
            colour, marker = STYLE[name]
            axes.errorbar(
                np.arange(len(BINS)) + (position - (len(names) - 1) / 2) * 0.11,
                middle, yerr=[middle - low, high - middle], fmt=marker, color=colour,
                markersize=6, elinewidth=1.3, label=name,
            )  # fmt: skip
        for border in range(len(BINS) - 1):
            axes.axvline(border + 0.5, color="0.85", linewidth=0.8)
        axes.set_ylabel(title)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    panels[0].set_ylim(top=1.01)
    panels[1].axhline(0.0, color="0.3", linewidth=0.8)
    counts = frame[frame.method == names[0]]["bin"].value_counts()
    panels[1].set_xticks(range(len(BINS)), [f"{size}\nn = {counts[size]}" for size in BINS])
    panels[1].set_xlabel("Volume as drawn (cm³)")
    panels[1].set_xlim(-0.5, len(BINS) - 0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "transfer"}):  # the same file every time
        figure.savefig(folder / "transfer-accuracy.svg", metadata={"Date": None})
    figure.savefig(folder / "transfer-accuracy.png", dpi=110)


def main() -> None:
    """Print the tables and the goals; draw the figure where a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesions", type=int, default=308, help="lesions of the trial's sizes")
    parser.add_argument("--figure", type=Path, metavar="FOLDER", help="where the figure is put")
    arguments = parser.parse_args()
    frame, seconds = run(arguments.lesions, methods())
    print_tables(frame, seconds)
    print_goals(frame)
    if arguments.figure is not None:
        draw_figure(frame, arguments.figure)


if __name__ == "__main__":
    main()
