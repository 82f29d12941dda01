"""Surface distances side by side with DeepMind's surface-distance: results and time.

Run ``python benchmarks/surfaces.py PYTHON [--repeats 3]``, where PYTHON is the interpreter of an
environment with ``surface-distance==0.1 "numpy<2" "scipy<1.14"``, which this package cannot share.
One case of 256 × 256 × 200 voxels with 60 lesions (as benchmarks/scoring.py), and 40 pairs of
ellipsoids on grids of other spacings: both programs read the same masks, and both measure the whole
masks and, of the case, every matched pair in the box around it. What counts is the ratio of the
times, and the largest difference of any figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scoring import best, head

from cta_data.scoring import ARTICLE, find_instances, score_masks
from cta_data.scoring.surfaces import DISTANCES, lesion_distances, mask_distances

SPACINGS = ((1.0, 1.0, 1.0), (0.7, 0.9, 3.0), (0.94, 0.94, 1.2), (0.5, 0.5, 0.5))
CASE_SPACING = (1.0, 0.94, 0.94)
PAIRS = 40
PEER = """
import json, sys, time
import numpy as np
import surface_distance as peer

def figures(a, b, spacing):
    found = peer.compute_surface_distances(a, b, spacing)
    return [
        peer.compute_robust_hausdorff(found, 100),
        peer.compute_robust_hausdorff(found, 95),
        float(np.mean(peer.compute_average_surface_distance(found))),
        peer.compute_surface_dice_at_tolerance(found, 0.5),
        peer.compute_surface_dice_at_tolerance(found, 1.0),
    ]

given = np.load(sys.argv[1], allow_pickle=True)
case_a, case_b = given["case_a"], given["case_b"]
results, times = [], []
for a, b, spacing in zip(given["first"], given["second"], given["spacing"]):
    results.append(figures(a, b, spacing))
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    whole = figures(case_a > 0, case_b > 0, given["case_spacing"])
    pairs = []
    for i, j, box in given["boxes"]:
        part = tuple(slice(low, high) for low, high in box)
        a, b = case_a[part] == i, case_b[part] == j
        pairs.append(figures(a, b, given["case_spacing"]))
    times.append(time.perf_counter() - start)
print(json.dumps({"pairs": results, "case": [whole, *pairs], "seconds": min(times)}))
"""


def ellipsoid(rng: np.random.Generator) -> np.ndarray:
    """An ellipsoid somewhere in a small volume."""
    at = np.indices((20, 24, 22)) - rng.uniform(8, 12, 3)[:, None, None, None]
    return np.asarray(((at / rng.uniform(0.6, 7, (3, 1, 1, 1))) ** 2).sum(axis=0) <= 1)


def labelled(mask: np.ndarray) -> np.ndarray:
    """Return the number of the instance in each voxel, 0 outside."""
    found = find_instances(mask, ARTICLE)
    labels = np.zeros(mask.size, np.int32)
    labels[np.flatnonzero(mask)] = np.repeat(found.of_run + 1, found.runs.lengths)
    return labels.reshape(mask.shape)


def box_of(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return the box of a mask, by axis."""
    return [(int(at.min()), int(at.max()) + 1) for at in np.nonzero(mask)]


def main() -> None:
    """Print times and differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(3)
    firsts, seconds = ([ellipsoid(rng) for _ in range(PAIRS)] for _ in range(2))
    spacings = [SPACINGS[n % len(SPACINGS)] for n in range(PAIRS)]
    a, b = head(1)
    matched = [(p.reference_lesion, p.predicted_lesion) for p in score_masks(a, b, ARTICLE).pairs]
    labels = labelled(a), labelled(b)
    boxes = [(i, j, box_of((labels[0] == i) | (labels[1] == j))) for i, j in matched]

    def ours() -> list[list[float]]:
        instances = find_instances(a, ARTICLE), find_instances(b, ARTICLE)
        along_x = CASE_SPACING[::-1]
        found = [mask_distances(*instances, along_x)]
        found += [lesion_distances(*instances, (i - 1, j - 1), along_x) for i, j in matched]
        return [[getattr(one, name) for name in DISTANCES] for one in found]

    with tempfile.TemporaryDirectory() as folder:
        file, program = Path(folder) / "masks.npz", Path(folder) / "peer.py"
        program.write_text(PEER, "utf-8")
        arrays = {"first": firsts, "second": seconds, "spacing": spacings}
        case = {"case_a": labels[0], "case_b": labels[1], "case_spacing": CASE_SPACING}
        np.savez(file, **arrays, **case, boxes=np.array(boxes, dtype=object))
        command = [arguments.peer, program, file, str(arguments.repeats)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True)
    theirs = json.loads(shown.stdout)
    own = [
        [
            getattr(mask_distances(*(find_instances(m, ARTICLE) for m in both), step[::-1]), name)
            for name in DISTANCES
        ]
        for *both, step in zip(firsts, seconds, spacings, strict=True)
    ]
    start = time.perf_counter()
    case_own = ours()
    print(f"first run {1000 * (time.perf_counter() - start):.0f} ms")
    ours_ms, peer_ms = best(ours, arguments.repeats), 1000 * theirs["seconds"]
    difference = np.abs(np.array([*own, *case_own]) - np.array([*theirs["pairs"], *theirs["case"]]))
    print(f"case with {len(matched)} matched pairs: {ours_ms:.0f} ms, peer {peer_ms:.0f} ms")
    print(f"ratio {ours_ms / peer_ms:.3f}")
    for name, most in zip(DISTANCES, difference.max(axis=0), strict=True):
        print(f"largest difference of {name}: {most:.2e}")


if __name__ == "__main__":
    main()
