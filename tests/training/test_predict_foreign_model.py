"""A model of someone else's on a folder of images: channels, labels, orientation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import Outcome, run_cta
from helpers.foreign_model import LABELS, write_foreign_model
from helpers.one_loaded_process import one_loaded_process

from cta_data.scoring import ARTICLE, find_instances
from cta_data.scoring.probabilities.calibration import with_temperature
from cta_data.scoring.probabilities.candidates import candidate_scores
from cta_data.training.nnunet.jobs import PointInUse
from cta_data.training.nnunet.operating import mask_at
from cta_data.training.operating_points import EnsembleCard, FittedTemperature, OperatingPoint
from cta_data.versioning.keys import content_key

pytestmark = [pytest.mark.slow, pytest.mark.train]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

SIZE = (26, 22, 18)
ONE_TILE = (15, 13, 11)
"""Smaller than the model's patch: 48 cases of one tile each."""
# Right to left, and the axes exchanged: a reader that turns images has to turn masks back.
DIRECTION = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture(scope="module", autouse=True)
def loaded_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The libraries of nnU-Net, loaded once for all commands."""
    with one_loaded_process(tmp_path_factory.mktemp("loaded")):
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign") / "model"
    write_foreign_model(folder)
    return folder


def write_case(folder: Path, case: str, channels: int = 2, size: tuple = SIZE) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for channel in range(channels):
        rng = np.random.default_rng([channel, len(case)])
        image = sitk.GetImageFromArray(rng.normal(100, 30, size[::-1]).astype(np.float32))
        image = sitk.DiscreteGaussian(image, 2.0)
        image.SetSpacing((1.0, 1.2, 0.9))
        image.SetOrigin((-20.0, 15.0, 40.0))
        image.SetDirection(DIRECTION)
        paths.append(folder / f"{case}_{channel:04}.nii.gz")
        sitk.WriteImage(image, str(paths[-1]))
    return paths


def predict(model: Path, source: Path, out: Path, *words: str) -> Any:
    return run_cta(
        "predict", "--model", model, "--input", source, "--output", out,
        "--stripped", "--device", "cpu", *words,
    )  # fmt: skip


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_masks_are_nnunets_own_where_the_chosen_labels_are(model: Path, tmp_path: Path) -> None:
    """Voxel by voxel on the file's own grid, with two channels and images turned for the model."""
    import torch  # here: a process that only collects this file would load it, too
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    files = write_case(tmp_path / "images", "p1")
    outcome = predict(
        model, tmp_path / "images", tmp_path / "out", "--lesion", "necrosis",
        "--lesion", "enhancing tumour", "--probabilities",
    )  # fmt: skip
    assert outcome.code == 0, outcome.text
    theirs = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    theirs.initialize_from_trained_model_folder(str(model), (0,), "checkpoint_final.pth")
    theirs.predict_from_files_sequential(
        [[str(path) for path in files]], [str(tmp_path / "theirs")]
    )
    expected = voxels(tmp_path / "theirs.nii.gz")
    chosen = [LABELS["necrosis"], LABELS["enhancing tumour"]]
    assert len(np.unique(expected)) > 2, "the model has to predict several labels to be a test"
    mine = voxels(tmp_path / "out" / "p1.nii.gz")
    assert mine.shape == SIZE[::-1]
    assert np.array_equal(mine, np.isin(expected, chosen).astype(mine.dtype))
    probability = voxels(tmp_path / "out" / "probabilities" / "p1.nii.gz")
    assert probability.shape == mine.shape
    # Two labels together may be likelier than any other without one of them being the likeliest.
    assert probability[mine > 0].min() > 1 / len(LABELS)
    assert probability[mine > 0].mean() > probability[mine == 0].mean()


def test_nothing_earlier_stands_for_what_is_not_predicted_now(model: Path, tmp_path: Path) -> None:
    """A case that fails now keeps no mask of before, nor a mask the probabilities of another."""
    for case in ("good", "bad"):
        write_case(tmp_path / "images", case)
    used = (model, tmp_path / "images", tmp_path / "out", "--lesion", "necrosis")
    assert predict(*used, "--probabilities").code == 0
    before = {path for path in (tmp_path / "out").rglob("*bad*")}
    assert {path.parent.name for path in before} >= {"out", "instances", "previews"}
    mine = tmp_path / "out" / "notes.txt"
    mine.write_text("mine", "utf-8")
    (tmp_path / "images" / "bad_0001.nii.gz").write_bytes(b"damaged")
    assert predict(*used, "--overwrite").code == 3
    left = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    kept = {"good.nii.gz", "instances/good_dseg.nii.gz", "previews/good.png", "lesions.tsv"}
    assert left == {*kept, "notes.txt"}


def test_a_point_of_the_card_and_its_temperature_are_used(model: Path, tmp_path: Path) -> None:
    """The mask is that of the map as the network has it; the kept map is scaled; by known rules."""
    own = shutil.copytree(model, tmp_path / "model")
    write_case(tmp_path / "images", "p1")
    words = ("--lesion", "necrosis", "--lesion", "enhancing tumour", "--probabilities")
    used = (own, tmp_path / "images", tmp_path / "plain", *words)
    assert "calibrate" in predict(*used, "--at", "2").text
    assert predict(*used).code == 0
    plain = voxels(tmp_path / "plain" / "probabilities" / "p1.nii.gz")
    least = float(np.quantile(plain, 0.97))
    every = PointInUse(candidates_from=least, convention="article", score="mean", threshold=0)
    known = find_instances(mask_at(plain, every), ARTICLE)
    scores = candidate_scores(known, plain[plain >= least].astype(np.float64))["mean"]
    threshold = float(np.median(scores))
    point = {"false_positives_per_case": 2.0, "threshold": threshold, "is_reached": True}
    nothing = dict.fromkeys(("sensitivity", "low", "high")) | {"found": 0, "false_positives": 0}
    card = EnsembleCard(
        model="theirs",
        checkpoints={"0": str(content_key(own / "fold_0" / "checkpoint_final.pth"))},
        convention="article",
        candidates_from=least,
        score="mean",
        average_precision={},
        **dict.fromkeys(("cases", "patients", "lesions", "candidates"), 1),
        points=[OperatingPoint.model_validate(point | nothing)],
        temperature=FittedTemperature(temperature=2.0, error_before=0.2, error_after=0.1),
    )
    place = own / "crossval_results_folds_0" / "card.json"
    place.parent.mkdir()
    place.write_text(card.text(), "utf-8")
    out = tmp_path / "out"
    outcome = predict(own, tmp_path / "images", out, *words, "--at", "2", "--calibrated")
    assert outcome.code == 0, outcome.text
    mask = voxels(out / "p1.nii.gz")
    assert np.array_equal(
        mask > 0, mask_at(plain, every.model_copy(update={"threshold": threshold}))
    )
    assert 0 < mask.sum() < (plain >= least).sum()
    scaled = voxels(out / "probabilities" / "p1.nii.gz")
    assert scaled == pytest.approx(with_temperature(plain, 2.0), abs=1e-6)


def test_labels_that_nobody_named_are_not_guessed(model: Path, tmp_path: Path) -> None:
    """Exit code 1 with the model's labels, before an image is read."""
    write_case(tmp_path / "images", "p1")
    outcome = predict(model, tmp_path / "images", tmp_path / "out")
    assert outcome.code == 1
    assert "the model predicts 3 labels" in outcome.text and "'necrosis'" in outcome.text
    outcome = predict(model, tmp_path / "images", tmp_path / "out", "--lesion", "metastasis")
    assert outcome.code == 1 and "no label 'metastasis'" in outcome.text


@pytest.fixture(scope="module")
def mixed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A folder of whole cases, damaged ones and what is no image: predicted once, and its masks."""
    folder = tmp_path_factory.mktemp("mixed")
    source = folder / "images"
    write_case(source, "whole")
    write_case(source, "single", channels=1)
    write_case(source, "shifted")
    write_case(source, "twice")
    (source / "twice.nii.gz").write_bytes((source / "twice_0000.nii.gz").read_bytes())
    moved = sitk.ReadImage(str(source / "shifted_0001.nii.gz"))
    moved.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(moved, str(source / "shifted_0001.nii.gz"))
    first, second = write_case(source, "a")
    for channel, path in enumerate((first, second)):
        image = sitk.ReadImage(str(path))
        sitk.WriteImage(image, str(source / f"b_{channel:04}.nii"))
        (source / f"c_{channel:04}.NII.GZ").write_bytes(path.read_bytes())
    sitk.WriteImage(sitk.ReadImage(str(first)), str(source / "a_0000.nii"))
    sitk.WriteImage(sitk.ReadImage(str(first)), str(source / "d.nrrd"))
    (source / "a.json").write_text("{}", "utf-8")
    return predict(model, source, folder / "out", "--lesion", "necrosis"), folder / "out"


def test_a_case_with_other_channels_costs_itself_alone(mixed: tuple[Outcome, Path]) -> None:
    """Too few channels, one twice, channels on different grids; the other cases are predicted."""
    outcome, out = mixed
    assert outcome.code == 3
    assert "single" in outcome.text and "1 of the 2 input channels" in outcome.text
    assert "T1 after contrast, FLAIR" in outcome.text
    assert "shifted" in outcome.text and "different grids" in outcome.text
    assert "same channel" in outcome.text and "twice.nii.gz, twice_0000.nii.gz" in outcome.text
    predicted = {path.name for path in out.glob("*.nii.gz")}
    assert "whole.nii.gz" in predicted
    assert not predicted & {f"{case}.nii.gz" for case in ("single", "shifted", "twice")}


def test_every_file_of_a_folder_is_predicted_or_listed(mixed: tuple[Outcome, Path]) -> None:
    """Plain NIfTI, capitals, two spellings of one case, other formats, and what is no image."""
    outcome, out = mixed
    assert "skipped, no image: a.json" in outcome.text
    assert "not predicted: d.nrrd" in outcome.text
    assert "same channel" in outcome.text and "a_0000.nii, a_0000.nii.gz" in outcome.text
    found = sorted(path.name for path in out.glob("*.nii.gz"))
    assert found == ["b.nii.gz", "c.nii.gz", "whole.nii.gz"]
    assert "3 cases predicted, 5 not" in outcome.text
    assert (voxels(out / "b.nii.gz") == voxels(out / "c.nii.gz")).all()


@pytest.mark.thorough
def test_a_case_in_any_orientation_is_predicted_the_same(model: Path, tmp_path: Path) -> None:
    """All 48 ways to store a volume: each mask is on its file's grid, and the same in RAS."""
    files = [nibabel.load(path) for path in write_case(tmp_path / "made", "p1", size=ONE_TILE)]
    names = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        name = "".join(map(str, order)) + "".join("p" if s > 0 else "n" for s in signs)
        names.append(name)
        for channel, file in enumerate(files):
            stored = file.as_reoriented(np.array(list(zip(order, signs, strict=True))))
            path = tmp_path / "images" / f"{name}_{channel:04}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            nibabel.save(stored, path)
    words = ("--lesion", "necrosis", "--lesion", "enhancing tumour")
    outcome = predict(model, tmp_path / "images", tmp_path / "out", *words)
    assert outcome.code == 0, outcome.text
    masks = []
    for name in names:
        mask = nibabel.load(tmp_path / "out" / f"{name}.nii.gz")
        image = nibabel.load(tmp_path / "images" / f"{name}_0000.nii.gz")
        assert mask.shape == image.shape and np.allclose(mask.affine, image.affine, atol=1e-4)
        masks.append(np.asarray(nibabel.as_closest_canonical(mask).dataobj))
    assert len(names) == 48 and masks[0].any()
    assert all(np.array_equal(masks[0], other) for other in masks[1:])


def test_a_second_stage_of_a_cascade_is_refused_before_anything_is_read(
    model: Path, tmp_path: Path
) -> None:
    """By the name of its folder, and by its checkpoint where the folder was renamed."""
    import torch

    write_case(tmp_path / "images", "p1")
    for name in ("nnUNetTrainer__nnUNetPlans__3d_cascade_fullres", "renamed"):
        folder = tmp_path / name
        shutil.copytree(model, folder)
        plans = json.loads((folder / "plans.json").read_text("utf-8"))
        own = plans["configurations"].pop("3d_fullres") | {"previous_stage": "3d_lowres"}
        plans["configurations"] = {"3d_cascade_fullres": own, "3d_lowres": own}
        (folder / "plans.json").write_text(json.dumps(plans), "utf-8")
        checkpoint = folder / "fold_0/checkpoint_final.pth"
        content = torch.load(checkpoint, weights_only=False)
        content["init_args"]["configuration"] = "3d_cascade_fullres"
        torch.save(content, checkpoint)
        out = tmp_path / f"out_{name}"
        outcome = predict(folder, tmp_path / "images", out, "--lesion", "necrosis")
        assert outcome.code in (1, 3) and "second stage of a cascade" in outcome.text, name
        assert "RuntimeError" not in outcome.text
        assert not list(out.glob("*.nii.gz"))
