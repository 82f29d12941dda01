"""One setting trained, predicted and evaluated for real, with a model that learns in seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.one_loaded_process import one_loaded_process
from helpers.read_page import check_page

from cta_data.engine import Report
from cta_data.study.study import Study
from cta_data.versioning.datasets import save
from cta_data.versioning.keys import content_key

pytestmark = [pytest.mark.slow, pytest.mark.train, pytest.mark.thorough]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

NOTICE = "These are digital phantoms"
TRAINING = """
[training]
epochs = 2
iterations_per_epoch = 2
validation_iterations = 1
reproducible = true
patch_size = [16, 16, 16]
features = [4, 8, 8]
batch_size = 2
mirroring = false
tile_step = 1.0
"""
COMMAND = ("experiment", "paper", "--setting", "B", "--device", "cpu")
MODEL = "models/Dataset502_CTAB/nnUNetTrainer__nnUNetPlans__3d_fullres"


def commits(study: Path) -> list[str]:
    done = subprocess.run(
        ["git", "log", "--format=%s"], cwd=study, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture(scope="module", autouse=True)
def loaded_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The libraries of nnU-Net, loaded once for all commands."""
    with one_loaded_process(tmp_path_factory.mktemp("loaded")):
        yield


@pytest.fixture(scope="module")
def trained(built: tuple[Study, Report], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose setting B went through the whole experiment."""
    root = tmp_path_factory.mktemp("experiment") / "study"
    shutil.copytree(built[0].root, root, symlinks=True)
    path = root / "study.toml"
    text = path.read_text("utf-8").replace("[study]\n", f'[study]\nnotice = "{NOTICE}"\n', 1)
    path.write_text(text + TRAINING, "utf-8")
    save(root, "tiny", [path])
    outcome = run_cta(*COMMAND, study=root)
    assert outcome.code == 0, outcome.text
    return root


def test_every_fold_is_trained_and_its_card_tells_from_what(trained: Path) -> None:
    """Two folds, their own cases validated once, and the annex keys of all that was learnt from."""
    cards = [json.loads((trained / MODEL / f"fold_{n}/card.json").read_text()) for n in range(2)]
    assert [card["epochs"] for card in cards] == [2, 2]
    build = json.loads((trained / "builds/Dataset502_CTAB/build.json").read_text())
    learnt = {case["case"] for case in build["cases"] if case["partition"] == "train"}
    for card in cards:
        images = {role for role in card["data"] if role.startswith("image:")}
        assert images == {f"image:{case}" for case in learnt}
        assert all(key.startswith("MD5E-") for role, key in card["data"].items() if role in images)
    validated = [
        path.name.removesuffix(".nii.gz")
        for n in range(2)
        for path in (trained / MODEL / f"fold_{n}/validation").glob("*.nii.gz")
    ]
    assert sorted(validated) == sorted(learnt)
    chosen = trained / MODEL / "crossval_results_folds_0_1/postprocessing.json"
    assert "postprocessing_fns" in json.loads(chosen.read_text())


def test_predictions_lie_on_the_grid_of_what_judges_them(trained: Path) -> None:
    """B reads MPRAGE in both internal sets; each mask is on the grid of its reference."""
    top = trained / "evaluation/predictions/B"
    assert sorted(path.name for path in top.iterdir()) == ["internal-HAQ", "internal-NAQ"]
    for folder in sorted(top.iterdir()):
        record = json.loads((folder / "prediction.json").read_text("utf-8"))
        assert record["technique"] == "MPRAGE" and sorted(record["folds"]) == ["0", "1"]
        assert all("acq-mprage" in image["path"] for image in record["images"].values())
        assert record["refused"] == {} and set(record["masks"]) == set(record["images"])
        for case, key in record["masks"].items():
            mask = folder / f"{case}.nii.gz"
            assert content_key(mask) == key  # as git-annex calls it, too
            reference = trained / "evaluation/references" / folder.name / "MPRAGE" / mask.name
            first, second = sitk.ReadImage(str(mask)), sitk.ReadImage(str(reference))
            assert first.GetSize() == second.GetSize()
            assert first.GetOrigin() == pytest.approx(second.GetOrigin(), abs=1e-4)
        table = pd.read_csv(folder / "lesions.tsv", sep="\t")
        assert set(table["case"]) <= set(record["images"])


def test_scores_name_patients_and_the_study_s_lesions(trained: Path) -> None:
    """One row a lesion of the reference, with its id; nobody who trained is among the patients."""
    folder = trained / "evaluation/article"
    lesions = pd.read_parquet(folder / "scores.lesions.parquet")
    cases = pd.read_parquet(folder / "scores.parquet")
    assert len(lesions) == cases["n_reference"].sum() + cases["fp"].sum()
    known = lesions[lesions["status"] != "false"]
    assert known["lesion_ids"].map(len).min() >= 1
    study = Study(trained)
    splits = study.table("splits")
    trains = set(splits[splits["partition"] == "train"]["subject"])
    assert not set(cases["subject"]) & trains
    by_id = pd.read_csv(folder / "lesions_by_models.csv")
    of_study = study.lesions().query("grid == 'MPRAGE' and n_voxels > 0")
    tested = of_study[of_study["subject"].isin(set(cases["subject"]))]
    assert len(by_id) == len(tested)


def test_every_page_begins_with_the_notice(trained: Path) -> None:
    """Nobody takes figures of phantoms for those of patients."""
    for words in (("report", "table1"), ("pictures",), ("audit", "--all")):
        assert run_cta(*words, study=trained).code in (0, 2), words
    pages = [p for p in sorted(trained.rglob("*.html")) if ".git" not in p.parts]
    names = {page.name for page in pages}
    assert {"report.html", "table_2.html", "table_1.html", "index.html"} <= names
    assert (trained / "index.html") in pages
    for page in pages:
        html = page.read_text("utf-8")
        check_page(html)
        assert f"<strong>{NOTICE}</strong>" in html.split("<main", 1)[0], page


def test_what_is_kept_names_no_place_of_this_machine(trained: Path) -> None:
    """Models are given to others: no folder of the machine is in their files."""
    place = str(trained.parent).encode()
    kept = [
        path
        for folder in (trained / "models", trained / "evaluation/predictions")
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    ]
    assert len(kept) > 10
    assert [path.name for path in kept if place in path.read_bytes()] == []


def test_the_status_counts_folds_and_predictions(trained: Path) -> None:
    """What was trained and predicted stands below the builds."""
    outcome = run_cta("status", study=trained)
    assert "B 2 folds trained, cross-validated, 2 test sets predicted" in outcome.text


def test_a_second_run_does_nothing(trained: Path) -> None:
    """All units are notneeded, and nothing is committed."""
    before = commits(trained)
    outcome = run_cta(*COMMAND, study=trained)
    assert outcome.code == 0
    assert commits(trained) == before


def test_a_model_goes_through_an_archive_and_predicts_the_same(
    trained: Path, tmp_path: Path
) -> None:
    """Exported and used from the zip on a folder, it gives the masks that it gave in the study."""
    assert run_cta("model", "export", "--setting", "B", tmp_path / "b.zip", study=trained).code == 0
    predicted = trained / "evaluation/predictions/B/internal-HAQ"
    manifest = json.loads((predicted / "prediction.json").read_text())
    source = tmp_path / "images"
    source.mkdir()
    for case in manifest["images"]:
        subject = case.split("sub-")[1].split("_")[0]
        [image] = (trained / f"datasets/internal/derivatives/cta/sub-{subject}").rglob(
            "*acq-mprageLate*desc-brain_T1w.nii.gz"
        )
        (source / f"{case}.nii.gz").write_bytes(image.read_bytes())
    outcome = run_cta(
        "predict", "--model", tmp_path / "b.zip", "--input", source, "--output",
        tmp_path / "out", "--stripped", "--device", "cpu", study=trained,
    )  # fmt: skip
    assert outcome.code == 0, outcome.text
    for case in manifest["images"]:
        mine = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / f"{case}.nii.gz")))
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(predicted / f"{case}.nii.gz")))
        assert (mine == theirs).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "--setting", "B", "--fold", "7", "--device", "cpu"), "there is no fold 7"),
        (("train", "--setting", "B", "--fold", "x", "--device", "cpu"), "is not a list of folds"),
        (("train", "--setting", "B", "--fold", "2-1", "--device", "cpu"), "is not a list of folds"),
        (("train", "--setting", "B", "--fold", "0-7", "--device", "cpu"), "there is no fold"),
        (("train", "--setting", "Z", "--device", "cpu"), "there is no setting 'Z'"),
        (
            ("train", "--setting", "B", "--configuration", "2d", "--device", "cpu"),
            "training.patch_size [16, 16, 16] needs 2 axes for 2d",
        ),
        (("predict", "--setting", "B", "--on", "mars", "--device", "cpu"), "no test set 'mars'"),
        (("predict", "--setting", "B", "--lesion", "x", "--device", "cpu"), "needs --input"),
        (("experiment", "poster"), "there is no experiment"),
    ],
)
def test_what_is_not_there_is_told(trained: Path, words: tuple[str, ...], told: str) -> None:
    """Exit code 1, with what the study has instead; nothing is done."""
    before = commits(trained)
    outcome = run_cta(*words, study=trained)
    assert outcome.code == 1 and told in outcome.text
    assert commits(trained) == before
