"""Agreement over a study: what was planted comes back, whoever is called first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.command_line import Outcome, run_cta
from helpers.new_study import new_study
from helpers.readers_study import PATIENTS, make_readers_study

from cta_data.engine.driver import UNCOMMITTED
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.versioning.datasets import is_modified
from cta_data.versioning.git_settings import run_git

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Outcome]:
    """Patients whom two readers annotated, one of them on both techniques; and the agreement."""
    study = make_readers_study(tmp_path_factory.mktemp("agreement"))
    place = ("--study", str(study.root))
    outcome = run_cta("agreement", "--json", *place)
    assert outcome.code == 0, outcome.text
    return Study(study.root), outcome


def test_planted_misses_come_back(compared: tuple[Study, Outcome]) -> None:
    """Lesions of both and of one alone are exactly those that were planted, for every pair."""
    found = pd.DataFrame(json.loads(compared[1].out)["agreement"])
    overall = found[(found["from_cm3"] == 0) & found["to_cm3"].isna()]
    counts = overall.pivot_table(index=["first", "second"], columns="figure", values="estimate")
    wanted = {("HAQR1", "HAQR2"): (3, 2, 0), ("HAQR1", "NAQR1"): (3, 2, 0)}
    wanted[("HAQR2", "NAQR1")] = (2, 1, 1)
    for pair, each in wanted.items():
        got = counts.loc[pair, ["both", "first_only", "second_only"]].tolist()
        assert got == [PATIENTS * n for n in each], pair
    agreement = counts.loc[("HAQR1", "HAQR2"), "positive_agreement"]
    assert agreement == pytest.approx(2 * 3 / (2 * 3 + 2))


def test_links_pair_the_lesions_that_are_the_same(compared: tuple[Study, Outcome]) -> None:
    """Each with its Dice, the distance of the centroids and both volumes, by hand."""
    study, _ = compared
    links = study.table("lesion_links")
    assert len(links) == PATIENTS * (5 + 5 + 4)
    readers = links[(links["first_annotation"] == "HAQR1") & (links["how"] == "overlap")]
    readers = readers[readers["second_annotation"] == "HAQR2"]
    larger = readers[readers["second_volume_mm3"] == 64]
    assert len(larger) == PATIENTS
    assert larger["dice"].tolist() == pytest.approx([2 * 27 / (27 + 64)] * PATIENTS)
    assert larger["centroid_distance_mm"].tolist() == pytest.approx([0.75**0.5] * PATIENTS)
    same = readers.drop(larger.index)
    assert (same["dice"] == 1).all() and (same["mean_surface_mm"] == 0).all()
    shifted = links[(links["first_annotation"] == "HAQR1") & (links["first_volume_mm3"] == 64)]
    shifted = shifted[shifted["second_annotation"] == "NAQR1"]
    assert shifted["dice"].tolist() == pytest.approx([0.75] * PATIENTS)


def test_the_files_are_committed_and_a_second_run_does_nothing(
    compared: tuple[Study, Outcome],
) -> None:
    """Page, tables and figures; the same command again makes no unit and no commit."""
    study, _ = compared
    place = ("--study", str(study.root))
    page = (study.root / layout.AGREEMENT_PAGE).read_text("utf-8")
    assert page.count("<section") >= 3
    lesions = pd.read_csv(study.root / layout.AGREEMENT / "lesions.csv")
    assert set(lesions["how"]) == {"overlap", "first_only", "second_only"}
    before = run_cta("trace", layout.AGREEMENT_PAGE, *place).code
    head = (study.root / ".git" / "logs" / "HEAD").read_text("utf-8")
    again = run_cta("agreement", *place)
    assert again.code == 0 and before == 0
    assert (study.root / ".git" / "logs" / "HEAD").read_text("utf-8") == head


def test_qualities_are_compared_whoever_the_readers_are(compared: tuple[Study, Outcome]) -> None:
    """HAQ against NAQ pools both HAQ readers; one technique has no second reader to compare."""
    study, _ = compared
    place = ("--study", str(study.root), "--json")
    found = pd.DataFrame(json.loads(run_cta("agreement", "--by", "quality", *place).out)["lesions"])
    assert set(zip(found["first"], found["second"], strict=True)) == {("HAQ", "NAQ")}
    found = pd.DataFrame(json.loads(run_cta("agreement", "--by", "reader", *place).out)["lesions"])
    assert set(zip(found["first"], found["second"], strict=True)) == {("R1", "R2")}


def test_pages_that_counted_a_withdrawn_subject_leave_the_commit(
    compared: tuple[Study, Outcome], tmp_path: Path
) -> None:
    """They were all that `evaluation` held: the folder is gone, here and in the last commit."""
    root = Path(shutil.copytree(compared[0].root, tmp_path / "study", symlinks=True))
    assert run_cta("withdraw", "001", "--yes", study=root).code == 0
    assert is_modified(root / "evaluation") is False
    assert run_git(root, "ls-files", "evaluation/agreement", check=True).stdout == ""


def test_a_replay_leaves_no_mark_of_an_interrupted_command(
    compared: tuple[Study, Outcome],
) -> None:
    """Whoever replays commits: doctor would call the command interrupted."""
    assert run_cta("agreement", "--replay", study=compared[0].root).code == 0
    assert not (compared[0].root / UNCOMMITTED).exists()


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    """A study without a second annotation: exit code 2, and no folder."""
    new_study(tmp_path / "study", "internal")
    outcome = run_cta("agreement", "--study", str(tmp_path / "study"))
    assert outcome.code == 2 and "annotations" in outcome.err
    as_json = run_cta("agreement", "--json", "--study", str(tmp_path / "study"))
    assert (as_json.code, json.loads(as_json.out)) == (2, {"agreement": [], "lesions": []})
    assert not (tmp_path / "study" / layout.AGREEMENT).exists()
