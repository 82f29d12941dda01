"""Plans of nnU-Net: their names, and the changes that a study asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cta_data.errors import ConfigurationError

AXES = {"3d_fullres": 3, "2d": 2}
PLANS_OF_PLANNER = {
    "ExperimentPlanner": "nnUNetPlans",
    "nnUNetPlannerResEncM": "nnUNetResEncUNetMPlans",
    "nnUNetPlannerResEncL": "nnUNetResEncUNetLPlans",
    "nnUNetPlannerResEncXL": "nnUNetResEncUNetXLPlans",
}
"""The name under which each planner of nnU-Net keeps its plans."""

TRAINER = "nnUNetTrainer"
"""The trainer's name in folders and checkpoints: any nnU-Net then loads what is trained here."""


def trainer_name(trainer: str) -> str:
    """Return the name of a trainer's class, of `NAME` or `module:NAME`."""
    return trainer.rpartition(":")[2]


def model_folder(dataset: str, planner: str, configuration: str, trainer: str = TRAINER) -> str:
    """Return where nnU-Net keeps a model, below its folder of results."""
    plans = PLANS_OF_PLANNER[planner]
    return f"{dataset}/{trainer_name(trainer)}__{plans}__{configuration}"


def require_fitting_patch(
    configuration: str, patch_size: Sequence[int], features: Sequence[int]
) -> None:
    """Refuse a patch that no network of this configuration and these stages can take.

    Raises
    ------
    ConfigurationError
        The patch has other axes than the configuration, or cannot be halved by each stage but the
        first.
    """
    axes, halved = AXES[configuration], 2 ** (max(1, len(features)) - 1)
    if patch_size and len(patch_size) != axes:
        raise ConfigurationError(
            "patch_axes_wrong",
            where="study.toml",
            patch_size=str(list(patch_size)),
            n_axes=axes,
            configuration=configuration,
        )
    if any(size % halved for size in patch_size):
        raise ConfigurationError(
            "patch_not_divisible",
            where="study.toml",
            patch_size=str(list(patch_size)),
            divisor=halved,
            n_stages=len(features),
        )


def adapted(
    plans: dict[str, Any],
    configuration: str,
    *,
    patch_size: Sequence[int] = (),
    features: Sequence[int] = (),
    batch_size: int = 0,
) -> dict[str, Any]:
    """Return plans with a smaller network, where a study asks for one.

    Each stage of `features` but the first halves the resolution; convolutions are 3 wide, two a
    stage.

    Raises
    ------
    ConfigurationError
        The patch, nnU-Net's own where none is asked for, does not fit the stages.
    """
    own = dict(plans["configurations"][configuration])
    axes = AXES[configuration]
    if patch_size:
        own["patch_size"] = list(patch_size)
    require_fitting_patch(configuration, own["patch_size"], features)
    if features:
        architecture = dict(own["architecture"])
        arguments = dict(architecture["arch_kwargs"])
        arguments["n_stages"] = len(features)
        arguments["features_per_stage"] = list(features)
        arguments["kernel_sizes"] = [[3] * axes for _ in features]
        arguments["strides"] = [[1] * axes] + [[2] * axes for _ in features[1:]]
        encoder = "n_blocks_per_stage" if "n_blocks_per_stage" in arguments else "n_conv_per_stage"
        arguments[encoder] = [2] * len(features)
        arguments["n_conv_per_stage_decoder"] = [2] * (len(features) - 1)
        architecture["arch_kwargs"] = arguments
        own["architecture"] = architecture
    if batch_size:
        own["batch_size"] = batch_size
    return plans | {"configurations": plans["configurations"] | {configuration: own}}
