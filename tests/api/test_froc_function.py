"""`cta_data.froc`: the numbers of the command, from folders, files, volumes and arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from helpers.command_line import run_cta
from helpers.probability_maps import Case, made_up_cases, write_cases
from helpers.refusals import has_reason

import cta_data as cta

TABLES = {
    "froc_levels": "levels",
    "froc_curve": "curve",
    "froc_band": "band",
    "froc_classes": "classes",
    "froc_precision": "precision",
    "froc_candidates": "candidates",
    "calibration": "calibration",
}
ABOUT = ["test_set", "model", "convention"]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples: what is compared has the same number of them."""
    monkeypatch.setattr("cta_data.scoring.probabilities.asked.RESAMPLES", 200)


def cases_of_patients() -> list[Case]:
    """Twelve cases of six patients."""
    return made_up_cases(sessions=2)


def volumes(reversed_axis: bool = False) -> tuple[dict[str, cta.Volume], dict[str, cta.Volume]]:
    """References and maps in memory; with a reversed x axis, at the same places."""
    affine, turn = np.eye(4), slice(None)
    if reversed_axis:
        affine[0, 0], affine[0, 3], turn = -1, 21, slice(None, None, -1)
    made: tuple[dict[str, cta.Volume], dict[str, cta.Volume]] = ({}, {})
    for name, *images in cases_of_patients():
        for own, image in zip(made, images, strict=True):
            own[name] = cta.Volume(image.T[turn], affine)
    return made


def check_equal(found: cta.FrocTables, known: cta.FrocTables) -> None:
    for name in TABLES.values():
        pd.testing.assert_frame_equal(getattr(found, name), getattr(known, name), rtol=1e-9)


def test_command_and_function_give_the_same_numbers(tmp_path: Path) -> None:
    """All tables that the command writes, with intervals by patients, equal those of Python."""
    write_cases(cases_of_patients(), tmp_path, "references", "A")
    words = ("--at", "1,2", "--score", "maximum", "--confidence", "0.9", "--seed", "7")
    folders = (tmp_path / "references", tmp_path / "A")
    assert run_cta("froc", *folders, *words, "--out", tmp_path / "out").code == 0
    found = cta.froc(*folders, at=(1, 2), score="maximum", confidence=0.9, seed=7)
    for name, attribute in TABLES.items():
        known = pd.read_csv(tmp_path / "out" / f"{name}.csv").drop(columns=ABOUT)
        own = getattr(found, attribute).reset_index(drop=True)
        assert list(own.columns) == [column for column in known.columns if column in own.columns]
        pd.testing.assert_frame_equal(own, known, check_dtype=False, rtol=1e-9)
    assert found.levels["patients"].tolist() == [6, 6]


def test_every_form_of_images_gives_the_same(tmp_path: Path) -> None:
    """Folders, dictionaries of paths, volumes, arrays, and volumes with a reversed axis."""
    write_cases(cases_of_patients(), tmp_path, "references", "A")
    known = cta.froc(tmp_path / "references", str(tmp_path / "A"))
    masks, maps = volumes()
    check_equal(cta.froc(masks, maps), known)
    check_equal(cta.froc(*volumes(reversed_axis=True)), known)
    arrays = {name: one.array for name, one in maps.items()}
    check_equal(cta.froc(masks, arrays), known)
    bare = {name: one.array for name, one in masks.items()}
    check_equal(cta.froc(bare, arrays, spacing=(1, 1, 1)), known)
    paths = {name: tmp_path / "A" / f"{name}.nii.gz" for name in maps}
    check_equal(cta.froc(bare, paths), known)
    one = cta.froc(bare, arrays, spacing=(1, 1, 1), patients=dict.fromkeys(bare, "same"))
    assert one.levels["patients"].unique().tolist() == [1]
    assert one.levels["low"].isna().all()


def test_types_of_numbers(tmp_path: Path) -> None:
    """Half, single and double precision give the same curve of probabilities that all can hold;
    bytes that a header scales are probabilities, too, rounding included."""
    masks, maps = volumes()
    known = cta.froc(masks, maps)
    for kind in (np.float16, np.float64):
        check_equal(cta.froc(masks, {n: one.array.astype(kind) for n, one in maps.items()}), known)
    name = next(iter(maps))
    full = np.where(masks[name].array > 0, 255, 0).astype(np.uint8)
    image = nib.Nifti1Image(full, np.eye(4))
    image.header.set_slope_inter(1 / 255, 0)
    nib.save(image, tmp_path / "map.nii.gz")
    found = cta.froc(masks[name], tmp_path / "map.nii.gz")
    assert found.levels["sensitivity"].unique().tolist() == [1.0]


def test_nothing_to_find() -> None:
    """Without a lesion in any case, sensitivities are undefined and false positives are counted."""
    _, maps = volumes()
    found = cta.froc({n: np.zeros(one.shape, np.uint8) for n, one in maps.items()}, maps)
    assert found.levels["lesions"].unique().tolist() == [0]
    assert found.levels["sensitivity"].isna().all()
    assert found.curve["fp"].iloc[-1] == found.levels["fp"].iloc[-1] == len(found.candidates) > 6
    none = cta.froc(*({"a": np.zeros((4, 4, 4), kind)} for kind in ("u1", "f4")), spacing=(1, 1, 1))
    assert none.curve.empty and none.candidates.empty
    assert none.levels["tp"].unique().tolist() == none.levels["fp"].unique().tolist() == [0]


CUBE = np.ones((4, 4, 4), np.uint8)
MAP = np.full((4, 4, 4), 0.5, np.float32)
WRONG: list[tuple[Any, Any, dict[str, Any], str]] = [
    (CUBE, MAP, {}, "array_without_spacing"),
    ({"a": CUBE}, MAP, {"spacing": (1, 1, 1)}, "case_collections_differ"),
    ({"a": CUBE}, {"b": MAP}, {}, "cases_differ"),
    ({}, {}, {}, "cases_missing"),
    (CUBE, MAP[:3], {"spacing": (1, 1, 1)}, "scored_grids_differ"),
    (CUBE, MAP[None], {"spacing": (1, 1, 1)}, "array_not_a_volume"),
    (CUBE, CUBE, {"spacing": (1, 1, 1)}, "probabilities_are_a_mask"),
    (MAP, MAP, {"spacing": (1, 1, 1)}, "mask_values_fractional"),
    (CUBE, MAP * 3, {"spacing": (1, 1, 1)}, "probabilities_out_of_range"),
    (CUBE, MAP - 1, {"spacing": (1, 1, 1)}, "probabilities_out_of_range"),
    (CUBE, MAP * np.nan, {"spacing": (1, 1, 1)}, "probabilities_not_finite"),
    (CUBE, MAP * np.inf, {"spacing": (1, 1, 1)}, "probabilities_not_finite"),
    ("absent", "absent", {}, "scoring_path_not_found"),
    ({"a": "absent"}, {"a": "absent"}, {}, "given_file_not_found"),
    (CUBE, MAP, {"spacing": (0, 1, 1)}, "array_spacing_invalid"),
    (CUBE, MAP, {"spacing": (-1, 1, 1)}, "array_spacing_invalid"),
    (CUBE, MAP, {"spacing": (1, 1)}, "array_spacing_invalid"),
    (CUBE, MAP, {"spacing": 1.0}, "array_spacing_invalid"),
    ({"a": CUBE}, {"a": MAP}, {"patients": {"b": "p"}}, "cases_without_patient"),
    (CUBE, MAP, {"at": (0, 1)}, "false_positives_option_invalid"),
    (CUBE, MAP, {"at": (float("nan"),)}, "false_positives_option_invalid"),
    (CUBE, MAP, {"at": ()}, "false_positives_option_invalid"),
    (CUBE, MAP, {"at": 1}, "false_positives_option_invalid"),
    (CUBE, MAP, {"at": "1"}, "false_positives_option_invalid"),
    (CUBE, MAP, {"score": "sum"}, "score_option_invalid"),
    (CUBE, MAP, {"candidates_from": 0}, "candidates_option_invalid"),
    (CUBE, MAP, {"candidates_from": "0.5"}, "candidates_option_invalid"),
    (CUBE, MAP, {"confidence": None}, "confidence_invalid"),
    ({"a": CUBE}, {"a": MAP}, {"patients": ["p"]}, "patients_not_by_case"),
    (CUBE, MAP, {"confidence": 1}, "confidence_invalid"),
    (CUBE, MAP, {"convention": "own"}, "convention_unknown"),
]


@pytest.mark.parametrize(("reference", "probability", "options", "reason"), WRONG)
def test_what_cannot_be_used(
    reference: Any, probability: Any, options: dict[str, Any], reason: str
) -> None:
    """Each has a reason of its own; no number comes of it."""
    with pytest.raises(cta.CtaError, check=has_reason(reason)):
        cta.froc(reference, probability, **options)


def test_command_and_function_refuse_the_same(tmp_path: Path) -> None:
    """A map of NaN: the command lists its case with the reason that Python raises."""
    cases = [(name, mask, probability * np.nan) for name, mask, probability in made_up_cases(1)]
    write_cases(cases, tmp_path, "references", "A")
    outcome = run_cta("froc", tmp_path / "references", tmp_path / "A", "--json")
    assert outcome.code == 3
    with pytest.raises(cta.DataRefused, check=has_reason("probabilities_not_finite")):
        cta.froc(tmp_path / "references", tmp_path / "A")
    assert not outcome.out or not json.loads(outcome.out).get("froc_levels")


def test_a_level_holds_as_many_false_positives_as_it_says() -> None:
    """29 false positives in 100 cases are 0.29 per case, though 0.29 × 100 is less by rounding."""
    references, maps = {}, {}
    for number in range(100):
        mask, probability = np.zeros((8, 4, 4), np.uint8), np.zeros((8, 4, 4), np.float32)
        mask[1, 1, 1] = 1
        probability[1, 1, 1] = 0.95 if number < 50 else 0.8
        probability[6, 2, 2] = 0.85 * (number < 29)
        references[f"c{number}"], maps[f"c{number}"] = mask, probability
    found = cta.froc(references, maps, at=(0.28, 0.29), spacing=(1, 1, 1)).levels
    assert found["fp"].tolist() == [0, 29]
    assert found["sensitivity"].tolist() == [0.5, 1.0]
