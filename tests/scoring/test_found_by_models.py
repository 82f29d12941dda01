"""What models on different grids found is paired by the study's lesion ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cta_data.formats.nifti.image import write_voxels
from cta_data.scoring import ARTICLE
from cta_data.scoring.collection import Pairing, Scores, score_pairs
from cta_data.scoring.models import ScoredSet, found_by_models, lesions_by_models

IDS = (7, 3, 5)
"""Of three lesions along z; the first two touch on the coarse grid, where they are one instance."""


def labels(shape: tuple[int, int, int], places: dict[int, int]) -> np.ndarray:
    """Lesions of two voxels by id, one row a place."""
    made = np.zeros(shape, np.uint8)
    for lesion_id, z in places.items():
        made[z, 2, 2:4] = lesion_id
    return made


def scored(
    tmp_path: Path, model: str, technique: str, grid: np.ndarray, found: tuple[int, ...]
) -> ScoredSet:
    """A model that finds the lesions of these ids on a grid."""
    folder = tmp_path / model
    folder.mkdir()
    for name, voxels in (
        ("labels", grid),
        ("reference", (grid > 0).astype(np.uint8)),
        ("predicted", np.isin(grid, found).astype(np.uint8)),
    ):
        write_voxels(voxels, np.eye(4), folder / f"{name}.nii.gz")
    pairing = Pairing(
        {"c1": (folder / "reference.nii.gz", folder / "predicted.nii.gz")},
        lesion_labels={"c1": folder / "labels.nii.gz"},
    )
    return ScoredSet("internal-NAQ", model, score_pairs(pairing, ARTICLE), technique)


def test_lesions_are_paired_by_id_and_not_by_number(tmp_path: Path) -> None:
    """C's first instance is lesion 5, A's is lesions 3 and 7 that touch: ids tell them apart."""
    coarse = labels((8, 6, 6), {7: 1, 3: 2, 5: 5})
    fine = labels((14, 6, 6), {5: 1, 3: 6, 7: 11})
    a = scored(tmp_path, "A", "MPRAGE", coarse, (7, 3))
    c = scored(tmp_path, "C", "SPACE", fine, (5, 7))
    assert [one.lesion_ids for one in a.scores.cases[0].reference] == [(3, 7), (5,)]
    assert [one.lesion_ids for one in c.scores.cases[0].reference] == [(5,), (3,), (7,)]
    lesions = lesions_by_models([a, c]).set_index("lesion_id")
    assert lesions["found_A"].to_dict() == {3: True, 5: False, 7: True}
    assert lesions["found_C"].to_dict() == {3: False, 5: True, 7: True}
    assert lesions["volume_cm3_A"].to_dict() == {3: 0.004, 5: 0.002, 7: 0.004}
    counts = found_by_models(lesions.reset_index())
    assert dict(zip(counts["found_by"], counts["lesions"], strict=True)) == {
        "A": 1, "A, C": 1, "C": 1,
    }  # fmt: skip
    assert counts["lesions"].sum() == len(IDS)


def test_a_case_that_one_model_was_not_scored_on_is_counted_as_such(tmp_path: Path) -> None:
    """It is neither found nor missed by that model; lesions add up all the same."""
    grid = labels((8, 6, 6), {7: 1, 3: 4})
    a = scored(tmp_path, "A", "MPRAGE", grid, (7,))
    nothing = ScoredSet("internal-NAQ", "B", Scores(ARTICLE, None, (), (), Pairing({})), "MPRAGE")
    other = scored(tmp_path, "C", "SPACE", labels((8, 6, 6), {7: 1}), (7,))
    counts = found_by_models(lesions_by_models([a, nothing, other]))
    told = dict(zip(counts["found_by"], counts["lesions"], strict=True))
    assert told == {"A, C": 1, "not scored for all": 1}


def test_masks_without_the_study_s_lesions_have_no_such_table() -> None:
    """Plain folders: nothing is paired, and nothing is made up."""
    nothing = ScoredSet("OWN", "A", Scores(ARTICLE, None, (), (), Pairing({})))
    assert lesions_by_models([nothing]).empty
    assert found_by_models(lesions_by_models([nothing])).empty
    assert isinstance(found_by_models(pd.DataFrame(columns=["test_set"])), pd.DataFrame)
