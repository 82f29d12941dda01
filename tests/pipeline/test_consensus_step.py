"""The consensus of several readers over a study: what is kept, and when it is made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.readers_card import CARD
from helpers.readers_study import cubes, write_images, write_nifti

from cta_data.engine import Selection
from cta_data.files import read_json_object
from cta_data.pipeline.consensus import plan
from cta_data.study.study import Study
from cta_data.study.training_data import TrainingData

pytestmark = pytest.mark.slow

SEEN = {"R1": (0, 1, 2, 3, 4), "R2": (0, 1, 3), "R3": (0, 1, 2)}
"""Lesions of each reader; R2 delineates lesion 1 a voxel too large."""
LATER = (26, 14, 4)
"""Corner of what R3 marked in the first patient with a value that is no lesion at first."""
PATIENTS = 3
KEPT = {
    "union": [8, 64, 64, 125, 216],
    "majority": [8, 27, 64, 125],
    "staple": [8, 27, 64, 125],
    "intersection": [8, 27],
}
"""Volumes (mm³) of the lesions that are planted to be kept."""
CARD_OF_THREE = CARD.replace("lesion_values = [1]", 'lesion_values = [1]\nother_values.2 = "cyst"')
SETTINGS = """
[build]
equalise_groups = false
test_fraction = 0
folds = 2

[build.settings.E]
technique = "SPACE"
quality = "HAQ"
annotation = "consensus"
reader = "intersection"
dataset_id = 505

[build.settings.F]
technique = "SPACE"
quality = "HAQ"
annotation = "consensus"
dataset_id = 506
"""


def mask_of(reader: str, patient: int) -> np.ndarray:
    mask = cubes(SEEN[reader], larger=1 if reader == "R2" else None)
    if reader == "R3" and patient == 1:
        x, y, z = LATER
        mask[x : x + 3, y : y + 3, z : z + 3] = 2
    return mask


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three converted patients whom three readers annotated, and a fourth of one reader."""
    work = tmp_path_factory.mktemp("consensus")
    random = np.random.default_rng(1)
    for patient in range(1, PATIENTS + 2):
        folder = work / "raw" / f"p{patient}" / "1"
        write_images(folder, random)
        for reader in SEEN if patient <= PATIENTS else ("R1",):
            name = f"haq_{reader}" if patient <= PATIENTS else "naq"
            write_nifti(mask_of(reader, patient), folder / f"{name}.nii.gz")
    (work / "own.toml").write_text(CARD_OF_THREE, "utf-8")
    new_study(work / "study", own="own")
    settings = work / "study" / "study.toml"
    settings.write_text(settings.read_text("utf-8").split("[build]")[0] + SETTINGS, "utf-8")
    source = (str(work / "raw"), "--card", str(work / "own.toml"))
    assert run_cta("add", "own", *source, study=work / "study").code == 0
    assert run_cta("convert", study=work / "study").code == 0
    return work


@pytest.fixture(scope="module")
def plain(work: Path) -> dict[str, Any]:
    """What is planned, and what a dry run says, before a consensus was asked for."""
    study = Study(work / "study")
    planned = list(plan(study, Selection()))
    dry = run_cta("consensus", "--method", "union", "--dry-run", "--json", study=work / "study")
    return {
        "planned": planned,
        "dry": json.loads(dry.out),
        "steps": set(study.table("units")["step"]),
        "rows": len(Study(work / "study").table("consensus_requests")),
    }


@pytest.fixture(scope="module")
def made(work: Path, plain: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the command says in JSON for each method."""
    found = {}
    for method in KEPT:
        outcome = run_cta("consensus", "--method", method, "--json", study=work / "study")
        assert outcome.code == 0, outcome.text
        found[method] = json.loads(outcome.out)
    return found


@pytest.fixture(scope="module")
def built(work: Path, made: dict[str, dict[str, Any]]) -> Study:
    """The study with a training set of a consensus."""
    outcome = run_cta("build", "--setting", "E", study=work / "study")
    assert outcome.code == 0, outcome.text
    return Study(work / "study")


def subjects(study: Study, quality: str) -> list[str]:
    """Labels of the patients with annotations of a quality; they say nothing of the source."""
    rows = study.table("annotations")
    return sorted(set(rows[rows["quality"] == quality]["subject"]))


def lesions_of_union(study: Study) -> dict[str, int]:
    rows = Study(study.root).table("annotations")
    return rows[rows["reader"] == "union"].set_index("subject")["n_lesions"].to_dict()


def units_that_ran(study: Study) -> dict[tuple[str, str], str]:
    units = study.table("units")
    return {(row.step, row.subject): row.key for row in units.itertuples()}


def test_nothing_is_planned_where_none_was_asked_for(plain: dict[str, Any]) -> None:
    """No unit, no row; and a dry run of the command plans units and writes nothing."""
    assert plain["planned"] == [] and plain["steps"] == {"convert"} and plain["rows"] == 0
    assert {one["action"] for one in plain["dry"]} == {"run"}
    assert len(plain["dry"]) == PATIENTS


@pytest.mark.parametrize("method", KEPT)
def test_exactly_the_planned_lesions_are_kept(made: dict[str, dict[str, Any]], method: str) -> None:
    """By volume, in every patient whom several readers annotated; the others are listed."""
    found = made[method]["consensus"]
    assert len(found) == PATIENTS
    for one in found:
        assert sorted(lesion["volume_mm3"] for lesion in one["kept"]) == KEPT[method]
        assert (one["n_candidates"], one["n_dropped"]) == (5, 5 - len(KEPT[method]))
        assert one["parents"] == ["HAQR1", "HAQR2", "HAQR3"]
        assert all(len(each["seen_by"]) < one["min_readers"] for each in one["dropped"])
        assert all(len(each["seen_by"]) >= one["min_readers"] for each in one["kept"])


def test_a_consensus_is_an_annotation(built: Study) -> None:
    """With origin, parents, method as reader; its names file tells the decisions."""
    rows = built.table("annotations")
    rows = rows[rows["origin"] == "consensus"]
    assert len(rows) == PATIENTS * len(KEPT)
    subject = subjects(built, "HAQ")[0]
    one = rows[(rows["subject"] == subject) & (rows["reader"] == "majority")].iloc[0]
    assert (one["annotation"], one["quality"], one["space"]) == ("HAQmajority", "HAQ", "SPACE")
    assert (one["form"], one["status"], one["version"]) == ("labels", "current", 1)
    assert list(one["parents"]) == ["HAQR1", "HAQR2", "HAQR3"]
    content = read_json_object(built.root / one["names_path"])
    assert [lesion["name"] for lesion in content["Lesions"]][:1] == ["HAQR1:1 HAQR2:1 HAQR3:1"]
    assert [list(lesion["seen_by"]) for lesion in content["Dropped"]] == [["HAQR1"]]
    measured = built.lesions()
    own = measured[(measured["annotation"] == "HAQmajority") & (measured["subject"] == subject)]
    assert sorted(own[own["grid"] == "MPRAGE"]["volume_mm3"]) == KEPT["majority"]


def test_a_setting_trains_on_a_consensus(built: Study) -> None:
    """Its labels are those of the chosen method; without one, four are several."""
    data = built.dataset("E")
    assert isinstance(data, TrainingData)
    labels = [case.label for case in data.cases]
    assert len(labels) == PATIENTS
    for path in labels:
        assert np.count_nonzero(nib.load(path).get_fdata()) == sum(KEPT["intersection"])
    refused = run_cta("build", "--setting", "F", study=built.root)
    assert refused.code == 3 and "HAQintersection" in refused.text


def test_the_same_command_again_does_nothing(built: Study) -> None:
    """No unit runs, nothing is committed, and the decisions are printed again."""
    head = (built.root / ".git" / "logs" / "HEAD").read_text("utf-8")
    again = run_cta("consensus", "--method", "majority", study=built.root)
    assert again.code == 0 and f"{PATIENTS} not needed" in again.text
    assert again.text.count("5 candidate lesions of 3 readers, 4 kept") == PATIENTS
    assert (built.root / ".git" / "logs" / "HEAD").read_text("utf-8") == head


def test_too_many_readers_are_refused(built: Study) -> None:
    """One error and exit code 1, before anything is asked for."""
    before = built.table("consensus_requests")
    for number in ("0", "4"):
        words = ("consensus", "--method", "union", "--min-readers", number)
        refused = run_cta(*words, study=built.root)
        assert refused.code == 1 and refused.err.count("rror") <= 1, refused.text
    assert Study(built.root).table("consensus_requests").equals(before)


def test_what_changes_an_annotation_makes_its_consensus_again(built: Study) -> None:
    """Conversion keeps the rows; the consensus of the one patient that changed is another one."""
    before = units_that_ran(Study(built.root))
    again = run_cta("convert", "--recompute", study=built.root)
    assert again.code == 0, again.text
    assert units_that_ran(Study(built.root)) == before
    card = built.root / "datasets" / "own" / "card.toml"
    text = card.read_text("utf-8").replace("lesion_values = [1]", "lesion_values = [1, 2]")
    card.write_text(text.replace('other_values.2 = "cyst"\n', ""), "utf-8")
    again = run_cta("convert", study=built.root)
    assert again.code == 0, again.text
    now = units_that_ran(Study(built.root))
    changed = {unit for unit in now if unit[0] == "consensus" and now[unit] != before[unit]}
    found = lesions_of_union(built)
    assert sorted(found.values()) == [5, 5, 6]
    assert changed == {("consensus", subject) for subject, n in found.items() if n == 6}
    assert run_cta("transfer", study=built.root).code == 0
    lesions = Study(built.root).table("variants")
    union = lesions[(lesions["annotation"] == "HAQunion") & (lesions["grid"] == "SPACE")]
    assert dict(zip(union["subject"], union["n_drawn"], strict=True)) == found


def test_another_number_of_readers_replaces_the_earlier(built: Study) -> None:
    """Of the selected sessions alone."""
    before = lesions_of_union(built)
    subject = next(name for name, n in before.items() if n == 5)
    words = ("consensus", "--method", "union", "--min-readers", "3", "--subject", subject)
    outcome = run_cta(*words, "--json", study=built.root)
    assert outcome.code == 0, outcome.text
    found = json.loads(outcome.out)["consensus"]
    assert [(one["subject"], one["n_kept"]) for one in found] == [(subject, 2)]
    assert lesions_of_union(built) == before | {subject: 2}


def test_one_reader_gives_no_consensus(built: Study) -> None:
    """The patient of one reader has none, and asking for that one alone is exit code 2."""
    rows = Study(built.root).table("annotations")
    (subject,) = subjects(built, "NAQ")
    assert set(rows[rows["subject"] == subject]["origin"]) == {"delivered"}
    alone = run_cta("consensus", "--method", "union", "--subject", subject, study=built.root)
    assert alone.code == 2 and "annotations" in alone.err
