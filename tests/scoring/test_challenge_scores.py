"""The convention `brats-mets-0.0.10` against what brats-evaluation 0.0.10 returned for these masks.

The numbers were written down from its output (region TC, volume threshold 27, overlap threshold
0.2); the package itself is neither needed nor read.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest

from cta_data.scoring.collection import pair_files, score_pairs
from cta_data.scoring.conventions import BRATS_METS
from cta_data.scoring.mask_files import score_files
from cta_data.scoring.output import as_content, case_frame

Box = tuple[int, int, int, int, int, int]
TURN = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
GRIDS = {
    "cubes": np.eye(3),
    "slices": np.diag([1, 2, 3.0]),
    "oblique": TURN @ np.diag([0.8, 0.8, 2.0]),
    "sagittal": np.array([[0, 0, 3.0], [1, 0, 0], [0, 2, 0]]),
}


class Known(NamedTuple):
    """Masks as boxes (first voxel and extent along the axes of the file), and the scores.

    These are true positives, false positives and false negatives of all lesions; lesion-wise Dice,
    Hausdorff 95 and surface Dice; the counts of large and of small lesions; and Dice, Hausdorff 95
    and surface Dice of the whole masks. None is undefined.
    """

    name: str
    grid: str
    reference: list[Box]
    predicted: list[Box]
    scores: tuple[float | None, ...]


KNOWN = (
    Known(
        "split",
        "cubes",
        [(5, 5, 5, 10, 4, 4)],
        [(5, 5, 5, 4, 4, 4), (10, 5, 5, 5, 4, 4)],
        (
            1,
            1,
            0,
            0.333333333,
            189,
            0.3984375,
            1,
            1,
            0,
            None,
            None,
            None,
            0.947368421,
            1,
            0.920866935,
        ),
    ),
    Known(
        "merged",
        "cubes",
        [(5, 5, 5, 4, 4, 4), (10, 5, 5, 5, 4, 4)],
        [(5, 5, 5, 10, 4, 4)],
        (
            1,
            0,
            1,
            0.333333333,
            189,
            0.3984375,
            1,
            0,
            1,
            None,
            None,
            None,
            0.947368421,
            1,
            0.920866935,
        ),
    ),
    Known(
        "corner to corner",
        "cubes",
        [(5, 5, 5, 3, 3, 3), (8, 8, 8, 3, 3, 3)],
        [(5, 5, 5, 3, 3, 4)],
        (1, 0, 0, 0.6, 4.027743566, 0.75, 1, 0, 0, None, None, None, 0.6, 4.027743566, 0.608031674),
    ),
    Known(
        "tiny",
        "cubes",
        [(5, 5, 5, 10, 1, 1), (20, 20, 20, 5, 5, 5), (3, 20, 3, 2, 2, 2)],
        [
            (14, 5, 5, 10, 1, 1),
            (20, 20, 20, 5, 5, 4),
            (3, 20, 3, 2, 2, 1),
            (3, 3, 20, 3, 3, 3),
            (12, 12, 12, 1, 1, 1),
        ],
        (
            3,
            2,
            0,
            0.296296296,
            249,
            0.333333333,
            1,
            2,
            0,
            1,
            2,
            1,
            0.736842105,
            16.127613389,
            0.653280067,
        ),
    ),
    Known(
        "below 0.2",
        "cubes",
        [(20, 20, 20, 5, 5, 5), (3, 3, 3, 5, 5, 5), (3, 20, 3, 3, 3, 3)],
        [(24, 24, 24, 5, 5, 5), (3, 20, 4, 3, 3, 3)],
        (
            2,
            0,
            1,
            0.224888889,
            126.666666667,
            0.346938776,
            1,
            0,
            2,
            None,
            None,
            None,
            0.088578089,
            17,
            0.106836675,
        ),
    ),
    Known(
        "slices",
        "slices",
        [(5, 5, 5, 6, 6, 6), (20, 5, 5, 3, 3, 1), (20, 15, 5, 2, 2, 1)],
        [(7, 6, 5, 6, 6, 6), (20, 5, 5, 3, 2, 1), (20, 15, 5, 2, 2, 1), (5, 20, 20, 4, 4, 2)],
        (
            3,
            1,
            0,
            0.451851852,
            127,
            0.409356725,
            2,
            1,
            0,
            1,
            1,
            0,
            0.533880903,
            15.556349186,
            0.325242112,
        ),
    ),
    Known(
        "oblique",
        "oblique",
        [(5, 5, 5, 6, 6, 3), (20, 5, 5, 3, 3, 1), (12, 20, 9, 5, 4, 2)],
        [(6, 6, 5, 6, 6, 3), (20, 6, 5, 3, 3, 1), (12, 20, 9, 4, 4, 3)],
        (3, 0, 0, 0.710858586, 2, 0.852173913, 2, 0, 0, 1, 0, 0, 0.701863354, 1, 0.601516263),
    ),
    Known(
        "sagittal",
        "sagittal",
        [(5, 5, 5, 6, 6, 6), (20, 5, 5, 3, 3, 1)],
        [(7, 6, 5, 6, 6, 6), (20, 5, 6, 3, 3, 1)],
        (
            1,
            1,
            1,
            0.185185185,
            250.666666667,
            0.131578947,
            1,
            1,
            1,
            None,
            None,
            None,
            0.533333333,
            2,
            0.298136646,
        ),
    ),
    Known(
        "nothing found",
        "cubes",
        [(5, 5, 5, 6, 6, 6), (20, 5, 5, 2, 2, 2)],
        [(5, 20, 20, 4, 4, 2)],
        (0, 1, 2, 0, 373, 0, 0, 1, 1, 0, 1, 1, 0, 373, 0),
    ),
    Known(
        "no prediction",
        "cubes",
        [(5, 5, 5, 6, 6, 6)],
        [],
        (0, 0, 1, 0, 373, 0, 0, 0, 1, None, None, None, 0, 373, 0),
    ),
    Known(
        "no reference",
        "cubes",
        [],
        [(5, 5, 5, 6, 6, 6)],
        (0, 1, 0, None, None, None, None, None, None, None, None, None, 0, 373, 0),
    ),
    Known(
        "both empty",
        "cubes",
        [],
        [],
        (0, 0, 0, None, None, None, None, None, None, None, None, None, None, None, None),
    ),
)


def write(path: Path, boxes: list[Box], grid: str) -> Path:
    voxels, affine = np.zeros((30, 30, 30), np.uint8), np.eye(4)
    for x, y, z, dx, dy, dz in boxes:
        voxels[x : x + dx, y : y + dy, z : z + dz] = 1
    affine[:3, :3] = GRIDS[grid]
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_the_scores_are_those_of_the_scorer(known: Known, tmp_path: Path) -> None:
    """Split, merged, tiny, missed and false lesions, and grids that are no cubes: all figures."""
    paths = [
        write(tmp_path / f"{name}.nii", boxes, known.grid)
        for name, boxes in (("a", known.reference), ("b", known.predicted))
    ]
    score = score_files(paths[0], paths[1], BRATS_METS, label=None, case="a")
    more = score.challenge
    assert more is not None
    counts = [
        value
        for size in (more.large, more.small)
        for value in ((size.tp, size.fp, size.fn) if size else (None, None, None))
    ]
    found = (
        *(score.tp, score.fp, score.fn),
        *(score.lesionwise_dice, more.lesionwise_hd95_mm, more.lesionwise_nsd),
        *counts,
        *(score.voxel_dice, more.voxel_hd95, more.voxel_nsd),
    )
    expected = tuple(np.nan if value is None else value for value in known.scores)
    given = tuple(np.nan if value is None else value for value in found)
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_outputs_hold_what_the_challenge_adds(tmp_path: Path) -> None:
    """In the table of cases and in JSON; without a large lesion its counts are empty there."""
    for folder, shift in (("reference", 0), ("prediction", 1)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "large.nii", [(5 + shift, 5, 5, 4, 4, 4)], "cubes")
        write(tmp_path / folder / "small.nii", [(5 + shift, 5, 5, 2, 2, 2)], "cubes")
    scores = score_pairs(pair_files(tmp_path / "reference", tmp_path / "prediction"), BRATS_METS)
    cases = case_frame(scores).set_index("case")
    assert cases["large_tp"].isna().tolist() == [False, True]
    assert cases.loc["small", "small_tp"] == 1
    assert cases.loc["large", "lesionwise_dice"] == pytest.approx(0.75)
    content = as_content(scores)["cases"]
    assert content[1]["large_tp"] is None
    assert content[0]["lesionwise_hd95_mm"] == pytest.approx(1.0)
