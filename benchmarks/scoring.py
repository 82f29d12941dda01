"""Scoring side by side: time of one case in memory and from files, and of many cases.

Run ``python benchmarks/scoring.py [--repeats 7] [--patients 100]``. A head of 256 × 256 × 200
voxels with 60 lesions, and a prediction that finds most of them, shifted. Peers:
connected-components-3d inside the box of all lesions, scipy's labelling with a loop over lesions,
and panoptica where it can be imported (it needs other versions than this package: install it into a
folder of its own and name that in PYTHONPATH). Times are the best of the repeats; what counts is
their ratio.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cc3d
import numpy as np
from isal import igzip
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from cta_data.formats.nifti.image import write_voxels
from cta_data.reports.evaluate import evaluate
from cta_data.scoring import ARTICLE, TABLES, score_masks
from cta_data.scoring.mask_files import score_files

SHAPE = (200, 256, 256)
LESIONS = 60
Counts = tuple[int, int, int]


def head(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Balls of 1.5 to 12 voxels; the prediction misses a tenth, shifts the rest, and adds three."""
    rng = np.random.default_rng(seed)
    masks = [np.zeros(SHAPE, np.uint8) for _ in range(2)]
    for number in range(LESIONS + 3):
        radius = float(np.exp(rng.uniform(np.log(1.5), np.log(12))))
        centre = np.array([rng.integers(20, n - 20) for n in SHAPE])
        if number < LESIONS:
            add_ball(masks[0], centre, radius)
        if number >= LESIONS or rng.random() > 0.1:
            add_ball(masks[1], centre + rng.integers(-1, 2, 3), radius * rng.uniform(0.8, 1.1))
    return masks[0], masks[1]


def add_ball(mask: np.ndarray, centre: np.ndarray, radius: float) -> None:
    """Set the voxels of a ball."""
    low = np.maximum(np.floor(centre - radius).astype(int), 0)
    box = tuple(slice(a, int(c + radius) + 2) for a, c in zip(low, centre, strict=True))
    at = np.indices(mask[box].shape) + low[:, None, None, None] - centre[:, None, None, None]
    mask[box][(at**2).sum(axis=0) <= radius**2] = 1


def ours(a: np.ndarray, b: np.ndarray) -> Counts:
    """The convention of the article."""
    score = score_masks(a, b, ARTICLE)
    return score.tp, score.fp, score.fn


def ours_tables(a: np.ndarray, b: np.ndarray) -> Counts:
    """The convention of the tables, with its dilation."""
    score = score_masks(a, b, TABLES)
    return score.tp, score.fp, score.fn


def matched(la: np.ndarray, lb: np.ndarray, n: int, m: int) -> Counts:
    """Counts from two label images by one histogram of pairs."""
    joint = np.bincount(
        la.ravel().astype(np.int64) * (m + 1) + lb.ravel(), minlength=(n + 1) * (m + 1)
    )
    joint = joint.reshape(n + 1, m + 1)
    sizes = joint.sum(axis=1)[1:, None] + joint.sum(axis=0)[None, 1:]
    dice = 2 * joint[1:, 1:] / sizes
    tp = int((dice[linear_sum_assignment(dice, maximize=True)] > 0.1).sum())
    return tp, m - tp, n - tp


def cc3d_in_box(a: np.ndarray, b: np.ndarray) -> Counts:
    """connected-components-3d in the box of all lesions, and one histogram."""
    union = a | b
    kept = [np.flatnonzero(union.any(axis=tuple(j for j in range(3) if j != i))) for i in range(3)]
    box = tuple(slice(k[0], k[-1] + 1) for k in kept)
    la, n = cc3d.connected_components(a[box], connectivity=26, return_N=True)
    lb, m = cc3d.connected_components(b[box], connectivity=26, return_N=True)
    return matched(la, lb, n, m)


def scipy_loops(a: np.ndarray, b: np.ndarray) -> Counts:
    """scipy's labelling and a loop over lesions."""
    la, n = ndimage.label(a, np.ones((3, 3, 3)))
    lb, m = ndimage.label(b, np.ones((3, 3, 3)))
    dice = np.zeros((n, m))
    for i in range(1, n + 1):
        one = la == i
        for j in np.unique(lb[one]):
            if j:
                other = lb == j
                dice[i - 1, j - 1] = 2 * (one & other).sum() / (one.sum() + other.sum())
    tp = int((dice[linear_sum_assignment(dice, maximize=True)] > 0.1).sum())
    return tp, m - tp, n - tp


def panoptica(a: np.ndarray, b: np.ndarray) -> Counts:
    """panoptica, semantic input, Dice alone."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        Metric,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )

    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(matching_metric=Metric.DSC, matching_threshold=0.1),
        instance_metrics=[Metric.DSC],
        global_metrics=[],
    )
    result = evaluator.evaluate(b, a, verbose=False)["ungrouped"]
    return int(result.tp), int(result.fp), int(result.fn)


def one_pass(a: np.ndarray, b: np.ndarray) -> Counts:
    """Reading both arrays once: the floor."""
    return int(np.count_nonzero(a)), int(np.count_nonzero(b)), 0


def best(run: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs, ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def in_memory(repeats: int) -> float:
    """Print a line a method; return the time of one pass."""
    a, b = head(1)
    methods: dict[str, Callable[[np.ndarray, np.ndarray], Counts]] = {
        "cta_data article": ours,
        "cta_data tables": ours_tables,
        "one pass over both": one_pass,
        "cc3d in the box": cc3d_in_box,
        "scipy and loops": scipy_loops,
    }
    if importlib.util.find_spec("panoptica"):
        methods["panoptica"] = panoptica
    else:
        print("panoptica: skipped, it is not installed")
    times: dict[str, float] = {}
    print(f"{'in memory':<22} {'ms':>9} {'of ours':>8}  TP, FP, FN")
    for name, method in methods.items():
        few = 1 if name in ("scipy and loops", "panoptica") else repeats
        found = method(a, b)
        times[name] = best(lambda method=method: method(a, b), few)
        ratio = times[name] / times["cta_data article"]
        told = "" if name == "one pass over both" else str(found)
        print(f"{name:<22} {times[name]:>9.1f} {ratio:>8.2f}  {told}", flush=True)
    return times["one pass over both"]


def from_files(repeats: int, pass_ms: float) -> None:
    """One case from .nii.gz, against inflating both files and one pass over both arrays."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a.nii.gz", "b.nii.gz")]
        for path, mask in zip(paths, head(1), strict=True):
            write_voxels(mask, np.eye(4), path)
        packed = [path.read_bytes() for path in paths]
        inflating = best(lambda: [igzip.decompress(one) for one in packed], repeats)
        for convention in (ARTICLE, TABLES):
            spent = best(lambda c=convention: score_files(*paths, c, label=None, case="x"), repeats)
            ratio = spent / (inflating + pass_ms)
            print(
                f"from .nii.gz, {convention.name}: {spent:.1f} ms, {ratio:.2f} times inflating "
                f"both ({inflating:.1f} ms) and one pass ({pass_ms:.1f} ms)"
            )


def whole(patients: int, jobs: int) -> None:
    """Two models on so many patients, from files to the paper's tables and figures.

    Eight heads are written; the others are links to them, so that a disk's speed is not measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(min(patients, 8)):
            a, b = head(number)
            for name, mask in (("ref", a), ("A", b), ("B", a | b)):
                write_voxels(mask, np.eye(4), root / f"{name}{number}.nii.gz")
        for number in range(patients):
            test_set = ("SPACE", "SUSM", "YNHH", "UKHD")[number % 4]
            for name, place in (
                ("ref", "references"),
                ("A", "predictions/A"),
                ("B", "predictions/B"),
            ):
                target = root / place / test_set / f"c{number:03}.nii.gz"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(root / f"{name}{number % 8}.nii.gz")
        start = time.perf_counter()
        folders = root / "references", root / "predictions", root / "out"
        done = evaluate(*folders, ARTICLE, jobs=jobs)
        spent = time.perf_counter() - start
        assert sum(n for _, n in done.sets) == 2 * patients
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"{patients} patients, two models, tables and figures, -j {jobs}: {spent:.0f} s "
            f"({660 * spent / patients:.0f} s for 660), peak of a worker {memory:.0f} MB"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    pass_ms = in_memory(arguments.repeats)
    from_files(arguments.repeats, pass_ms)
    whole(arguments.patients, arguments.jobs)


if __name__ == "__main__":
    main()
