"""nnU-Net's other plans, made small: its residual encoders and its 2d networks are trained too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import has_reason
from helpers.tiny_training_set import CASES, environment_of, image_of, job_of, write_training_set

from cta_data.errors import ConfigurationError
from cta_data.training.nnunet.plans import adapted, require_fitting_patch
from cta_data.training.nnunet.prediction import predict_job
from cta_data.training.nnunet.process import run_job

PLANS = {
    "residual": {"planner": "nnUNetPlannerResEncM"},
    "2d": {"configuration": "2d", "patch_size": [16, 16]},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("nnunetv2", reason="needs the extra `train`")
    folder = tmp_path_factory.mktemp("plans")
    write_training_set(folder)
    return folder


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.train
@pytest.mark.parametrize(
    ("name", "network", "axes"),
    [("residual", "ResidualEncoderUNet", 3), ("2d", "PlainConvUNet", 2)],
)
def test_other_plans_train_and_predict(place: Path, name: str, network: str, axes: int) -> None:
    """The planner's own kind of network is trained, validated and predicts from its checkpoint."""
    job = job_of(place, name, epochs=1) | PLANS[name]
    job["prepared"] += name
    done = run_job("train", job, place / f"{name}.jobs", environment_of(job))
    prepared = Path(job["prepared"])
    plans = json.loads(next(prepared.rglob("nnUNet*Plans.json")).read_text("utf-8"))
    own = plans["configurations"][job["configuration"]]
    assert own["architecture"]["network_class_name"].endswith(network)
    assert own["patch_size"] == [16] * axes
    fold = Path(done["fold_folder"])
    assert [p.name for p in (fold / "validation").glob("*.nii.gz")] == ["c4.nii.gz"]
    # In this process: other tests predict in one of its own, and importing nnU-Net takes longest.
    told = predict_job(prediction_of(place, done, prepared))
    assert told["failed"] == {}
    assert {p.name for p in (place / f"{name}.out").glob("c?.nii.gz")} == {
        f"{case}.nii.gz" for case in CASES
    }


def prediction_of(place: Path, done: dict[str, Any], prepared: Path) -> dict[str, Any]:
    """Return the job of predicting all cubes, the model's shared files put beside its fold."""
    model = Path(done["folder"])
    for pattern, to in (("nnUNet*Plans.json", "plans.json"), ("dataset.json", "dataset.json")):
        (model / to).write_bytes(next(prepared.rglob(pattern)).read_bytes())
    raw, out = place / "raw" / "Dataset901_Tiny", place / f"{model.parents[1].name}.out"
    return {
        "model": str(model),
        "folds": ["0"],
        "lesion_values": [1],
        "cases": [
            {"case": case, "images": [str(raw / image_of(case))], "output": str(out)}
            for case in CASES
        ],
        "device": "cpu",
        "mirroring": False,
        "tile_step": 1.0,
        "probabilities": False,
    }


@pytest.mark.parametrize(
    ("configuration", "patch", "features", "code"),
    [
        ("2d", (16, 16, 16), (), "patch_axes_wrong"),
        ("3d_fullres", (16, 16), (4, 8, 8), "patch_axes_wrong"),
        ("3d_fullres", (16, 18, 16), (4, 8, 8), "patch_not_divisible"),
    ],
)
def test_a_patch_that_fits_no_network_is_refused(
    configuration: str, patch: tuple[int, ...], features: tuple[int, ...], code: str
) -> None:
    """The message names the key of study.toml and what it needs to be."""
    with pytest.raises(
        ConfigurationError, check=has_reason(code, patch_size=str(list(patch)))
    ) as caught:
        require_fitting_patch(configuration, patch, features)
    assert "training.patch_size" in caught.value.what


def test_nnunets_own_patch_and_network_are_left_alone() -> None:
    """A study that asks for nothing gets the plan as it is."""
    plans = {"configurations": {"3d_fullres": {"patch_size": [112, 127, 96], "batch_size": 2}}}
    assert adapted(plans, "3d_fullres") == plans
