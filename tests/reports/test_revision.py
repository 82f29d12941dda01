"""`cta-data evaluate --against`: what a revision changed, without a new prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.annotation_rows import annotation_columns
from helpers.blank_figures import leave_figures_blank
from helpers.command_line import Outcome, run_cta
from helpers.light_study import (
    SHAPE,
    add_patient,
    build,
    make_light_study,
    predict,
    train,
    use_stand_in,
)
from helpers.typed_rows import upsert

from cta_data.formats.nifti.image import write_voxels
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, CaseScoreRow, VariantRow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A model's predictions of an external patient, whose annotation was corrected twice.

    The model finds lesion 1, misses lesion 2 and has one false positive. The first correction adds
    a lesion where the false positive is, the second removes lesion 2.
    """
    with pytest.MonkeyPatch.context() as patch:
        use_stand_in(patch)
        leave_figures_blank(patch)
        made = make_light_study(tmp_path_factory.mktemp("light") / "study")
        for number in range(5):
            add_patient(made, "internal", f"n{number}", "NAQ", 2 * number)
            add_patient(made, "internal", f"h{number}", "HAQ", 2 * number + 1)
        for number in range(3):
            add_patient(made, "susm", f"s{number}", "NAQ", 900 + number)
        build(made, "A")
        train(made, "A", (0,))
        predict(made, "A", ("susm",))
        correct(made, "NAQc1", "NAQ", 2, {(2, 1, 1): 1, (2, 3, 3): 2, (0, 3, 0): 3})
        correct(made, "NAQc2", "NAQc1", 3, {(2, 1, 1): 1, (0, 3, 0): 3})
        made.tables.flush()
        yield made


def correct(
    study: Study, name: str, parent: str, version: int, lesions: dict[tuple[int, int, int], int]
) -> None:
    """Leave what `correct` and `transfer` leave of a correction of patient s0."""
    key = {"cohort": "susm", "subject": "s0", "session": "1"}
    folder = "datasets/susm/derivatives/cta/sub-s0"
    labels = np.zeros(SHAPE, np.uint8)
    for place, number in lesions.items():
        labels[place] = number
    paths = {kind: f"{folder}/{name}_{kind}.nii.gz" for kind in ("mask", "dseg")}
    write_voxels((labels > 0).astype(np.uint8), np.eye(4), study.root / paths["mask"])
    write_voxels(labels, np.eye(4), study.root / paths["dseg"])
    about = annotation_columns(
        "NAQ", annotation=name, version=version, parents=(parent,), origin="corrected"
    )
    upsert(study.tables, AnnotationRow, [key | about])
    made = {"annotation": name, "grid": "MPRAGE", "quality": "NAQ"}
    made |= {"mask_path": paths["mask"], "labels_path": paths["dseg"]}
    upsert(study.tables, VariantRow, [key | made | {"account_path": f"{folder}/account.json"}])


def evaluated(study: Study, *words: str) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        leave_figures_blank(patch)
        return run_cta("evaluate", *words, "--replay", study=study.root)


def revision(study: Study, version: int) -> dict[str, dict[str, Any]]:
    """Return what a revision changed, by the name of the count or metric."""
    done = evaluated(study, "--against", str(version), "--json")
    assert done.code == 0, done.text
    rows = json.loads(done.out)["revision"]
    return {row["metric"]: row for row in rows}


@pytest.mark.parametrize(
    ("version", "counts", "sensitivity"),
    [
        (1, {"n_reference": (6, 6), "tp": (3, 4), "fn": (3, 2), "fp": (3, 2)}, (1 / 2, 2 / 3)),
        (2, {"n_reference": (7, 6), "tp": (4, 4), "fn": (3, 2), "fp": (2, 2)}, (5 / 9, 2 / 3)),
    ],
)
def test_scores_before_and_now_are_those_of_the_versions(
    study: Study,
    version: int,
    counts: dict[str, tuple[int, int]],
    sensitivity: tuple[float, float],
) -> None:
    """Of all three cases, one of them revised; versions lead back through both corrections."""
    found = revision(study, version)
    assert {name: (found[name]["before"], found[name]["now"]) for name in counts} == counts
    row = found["sensitivity"]
    assert (row["before"], row["now"]) == pytest.approx(sensitivity)
    assert row["difference"] == pytest.approx(sensitivity[1] - sensitivity[0])
    assert (row["n"], row["n_revised"]) == (3, 1)


def test_the_revised_case_is_listed_and_the_scores_are_those_of_today(study: Study) -> None:
    """One case, with the names of both annotations; the table `scores` has the current ones."""
    assert evaluated(study, "--against", "1").code == 0
    folder = study.root / "evaluation" / "article"
    cases = pd.read_csv(folder / "revision.csv")
    assert set(cases["case"]) == {"susm_sub-s0_ses-1"}
    assert set(zip(cases["annotation_before"], cases["annotation"], strict=True)) == {
        ("NAQ", "NAQc2")
    }
    assert (folder / "table_revision.tex").is_file()
    (row,) = (
        r for r in Study(study.root).tables.rows(CaseScoreRow) if r.case == "susm_sub-s0_ses-1"
    )
    assert (row.tp, row.fn, row.fp) == (2, 0, 0)
    assert evaluated(study).code == 0
    assert not (folder / "revision.csv").exists()


def test_where_nothing_is_newer_nothing_differs(study: Study) -> None:
    """Version 3 is today's: no row, no file, and it is no failure."""
    assert revision(study, 3) == {}
    assert not (study.root / "evaluation" / "article" / "revision.csv").exists()


def test_a_version_that_is_not_on_the_grid_is_named(study: Study) -> None:
    """The case is scored, its scores before are missing, and the exit code says so."""
    rows = study.tables.rows(VariantRow)
    kept = [r for r in rows if r.session.subject == "s0" and r.annotation != "NAQ"]
    where = ("cohort", "subject")
    before = [r for r in rows if r.session.subject == "s0"]
    study.tables.replace(VariantRow, where, {("susm", "s0")}, kept)
    study.tables.flush()
    try:
        done = evaluated(study, "--against", "1", "--json")
    finally:
        study.tables.replace(VariantRow, where, {("susm", "s0")}, before)
        study.tables.flush()
    told = json.loads(done.out)
    assert (
        done.code == 3 and len(told["missing"]) == 1 and "susm_sub-s0_ses-1" in told["missing"][0]
    )
    assert told["sets"] == {"model A on susm": 3} and told["revision"] == []


def test_folders_have_no_versions(study: Study, tmp_path: Path) -> None:
    """`--against` with given folders is refused."""
    done = run_cta(
        "evaluate", "--against", "1", "--predictions", str(tmp_path), study=study.root
    )  # fmt: skip
    assert done.code == 1
