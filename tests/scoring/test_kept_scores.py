"""Scores that were kept: as JSON, as Parquet, or as a table of Python, they mean the same."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.scoring import ARTICLE
from cta_data.scoring.collection import Scores, pair_files, score_pairs
from cta_data.scoring.kept_comparison import compare_kept
from cta_data.scoring.kept_scores import read_scores, scores_of_table
from cta_data.scoring.mask_files import Label
from cta_data.scoring.output import as_content, case_frame, lesion_frame, write_frames

NAMES = ("007.nii.gz", "b.NII.GZ", "c.Nii")


def scores_of(folder: Path, label: Label = None) -> Scores:
    """Score three masks of two values against themselves."""
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[1:3, 1:3, 1:3], mask[4, 4, 4] = 1, 3
    for side in ("reference", "prediction"):
        (folder / side).mkdir(exist_ok=True)
        for name in NAMES:
            path = folder / side / name
            made = path.with_name(f"made{name[name.index('.') :].lower()}")
            nib.save(nib.Nifti1Image(mask, np.eye(4)), made)
            made.rename(path)
    return score_pairs(
        pair_files(folder / "reference", folder / "prediction"), ARTICLE, label=label
    )


def kept_json(scores: Scores, path: Path, **more: object) -> Path:
    """Keep scores as `--json` prints them, with further values in the first case."""
    content = json.loads(json.dumps(as_content(scores)))
    content["cases"][0].update(more)
    path.write_text(json.dumps(content))
    return path


def test_names_in_capitals_are_masks(tmp_path: Path) -> None:
    """No mask of a folder is passed over for the letters of its ending."""
    scores = scores_of(tmp_path)
    assert not scores.failed
    assert [case.case for case in scores.cases] == ["007", "b", "c"]


def test_several_labels_are_one_rule_in_every_form(tmp_path: Path) -> None:
    """JSON has a list of labels where tables have a text; no label is another rule than one."""
    scores = scores_of(tmp_path, (1, 3))
    write_frames(case_frame(scores), lesion_frame(scores), tmp_path / "a.parquet")
    a = read_scores(tmp_path / "a.parquet")
    b = read_scores(kept_json(scores, tmp_path / "a.json"))
    assert compare_kept(a, b).n_cases == compare_kept(b, a).n_cases == 3
    labelled, plain = pd.read_parquet(tmp_path / "a.parquet"), case_frame(scores_of(tmp_path))
    table = scores_of_table(labelled, "a")
    assert compare_kept(table, a).n_cases == 3
    with pytest.raises(ConfigurationError, check=has_reason("conventions_differ")):
        compare_kept(table, scores_of_table(plain, "b"))
    with pytest.raises(ConfigurationError, check=has_reason("score_table_mixed")):
        scores_of_table(pd.concat([labelled[:1], plain[1:]]), "mixed")


def test_what_other_programs_write_is_read_or_refused(tmp_path: Path) -> None:
    """A model that only some cases name, a number as its name, a number without end, columns
    twice, an index of several levels: none ends in an error of Python."""
    scores = scores_of(tmp_path)
    some = kept_json(scores, tmp_path / "some.json", model=1)
    assert read_scores(some, {"model": "1"}).cases.index.tolist() == ["007"]
    assert len(read_scores(some).cases) == 3
    with pytest.raises(ConfigurationError, check=has_reason("scores_unreadable")):
        read_scores(kept_json(scores, tmp_path / "long.json", f1=10**400))
    frame = case_frame(scores)
    for column in ("case", "f1"):
        with pytest.raises(ConfigurationError, check=has_reason("scores_unreadable")):
            scores_of_table(pd.concat([frame, frame[[column]]], axis=1), "a")
    indexed = frame.set_index(["case", "convention"])
    assert scores_of_table(indexed, "a").cases.index.tolist() == ["007", "b", "c"]
    with pytest.raises(ConfigurationError, check=has_reason("score_table_without_cases")):
        scores_of_table(frame.drop(columns="case").set_index(["f1", "tp"]), "a")


@pytest.mark.parametrize("name", NAMES)
def test_one_mask_has_the_name_of_its_file(name: str, tmp_path: Path) -> None:
    """A case is named without its ending, in whatever letters that is."""
    scores_of(tmp_path)
    pairing = pair_files(tmp_path / "reference" / name, tmp_path / "prediction" / name)
    assert list(pairing.files) == [name[: name.index(".")]]
