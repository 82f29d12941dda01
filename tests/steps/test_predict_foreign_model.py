"""A model of someone else's on a folder of images: channels, labels, orientation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.foreign_model import LABELS, write_foreign_model

pytestmark = [pytest.mark.slow, pytest.mark.train]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

SIZE = (26, 22, 18)
# Right to left, and the axes exchanged: a reader that turns images has to turn masks back.
DIRECTION = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


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
    import torch
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


def test_labels_that_nobody_named_are_not_guessed(model: Path, tmp_path: Path) -> None:
    """Exit code 1 with the model's labels, before an image is read."""
    write_case(tmp_path / "images", "p1")
    outcome = predict(model, tmp_path / "images", tmp_path / "out")
    assert outcome.code == 1
    assert "the model predicts 3 labels" in outcome.text and "'necrosis'" in outcome.text
    outcome = predict(model, tmp_path / "images", tmp_path / "out", "--lesion", "metastasis")
    assert outcome.code == 1 and "predicts no 'metastasis'" in outcome.text


def test_a_case_with_other_channels_costs_itself_alone(model: Path, tmp_path: Path) -> None:
    """Too few channels, one twice, channels on different grids; the other case is predicted."""
    source = tmp_path / "images"
    write_case(source, "whole")
    write_case(source, "single", channels=1)
    write_case(source, "shifted")
    write_case(source, "twice")
    (source / "twice.nii.gz").write_bytes((source / "twice_0000.nii.gz").read_bytes())
    moved = sitk.ReadImage(str(source / "shifted_0001.nii.gz"))
    moved.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(moved, str(source / "shifted_0001.nii.gz"))
    outcome = predict(model, source, tmp_path / "out", "--lesion", "necrosis")
    assert outcome.code == 3
    assert "single" in outcome.text and "1 of the 2 channels" in outcome.text
    assert "T1 after contrast, FLAIR" in outcome.text
    assert "shifted" in outcome.text and "different grids" in outcome.text
    assert "same channel" in outcome.text and "twice.nii.gz, twice_0000.nii.gz" in outcome.text
    assert [p.name for p in (tmp_path / "out").glob("*.nii.gz")] == ["whole.nii.gz"]
