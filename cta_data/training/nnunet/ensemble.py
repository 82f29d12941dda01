"""Several folds as one predictor, averaged by probability.

This module imports nnU-Net and torch: import it in a job only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from cta_data.errors import DataRefused
from cta_data.files import read_json_object
from cta_data.study.layout import CHECKPOINT
from cta_data.training.nnunet.checkpoints import read_checkpoint
from cta_data.training.nnunet.model_facts import cascade_refused
from cta_data.training.nnunet.own_trainer import load_trainer
from cta_data.training.nnunet.plans import TRAINER, trainer_name
from cta_data.training.nnunet.tiles import TilesAtOnce

_LEAST_PROBABILITY = 1e-7


class ProbabilityEnsemble(TilesAtOnce):
    """nnU-Net's predictor, whose folds are averaged after the softmax instead of before it.

    So did nnU-Net v1, which the paper used; v2 averages what goes into the softmax.
    """

    @torch.inference_mode()
    def predict_logits_from_preprocessed_data(self, data: torch.Tensor) -> torch.Tensor:
        """Return logarithms of the mean probabilities: their softmax is that mean."""
        total = torch.zeros(())
        for parameters in self.list_of_parameters:
            self.network.load_state_dict(parameters)
            logits = self.predict_sliding_window_return_logits(data).to("cpu", torch.float32)
            if len(self.list_of_parameters) == 1:
                return logits
            total = total + torch.softmax(logits, dim=0)
        mean = total / len(self.list_of_parameters)
        return mean.clamp(min=_LEAST_PROBABILITY).log()


def load_ensemble(
    model: Path,
    folds: Sequence[str],
    device: str,
    *,
    mirroring: bool,
    tile_step: float,
    trainer: str = TRAINER,
) -> ProbabilityEnsemble:
    """Return a predictor of the folds of a model, of which nothing is executed.

    Parameters
    ----------
    model
        Folder with plans.json, dataset.json and `fold_<name>`.
    trainer
        The user's own class, which may build another network than the plan says; it is loaded
        where the model was trained by a class of that name.

    Raises
    ------
    DataRefused
        A file is missing or damaged, holds more than weights, or the folds do not fit together.
    """
    dataset = _read_json(model / "dataset.json")
    plans = PlansManager(_read_json(model / "plans.json"))
    checkpoints = _checkpoints(model, folds)
    first = checkpoints[0]
    own = trainer if trainer_name(trainer) == first["trainer_name"] else ""
    if not own and not first["trainer_name"].startswith(TRAINER):
        raise DataRefused("trainer_unknown", trainer_name=first["trainer_name"])
    configuration = plans.get_configuration(first["init_args"]["configuration"])
    if configuration.previous_stage_name:
        raise cascade_refused(model.name)
    labels = plans.get_label_manager(dataset)
    given = (plans, configuration, dataset, labels.num_segmentation_heads)
    is_own = own not in ("", TRAINER)
    network = _own_network(own, *given) if is_own else _network(*given)
    try:
        network.load_state_dict(first["network_weights"])
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise DataRefused("weights_off_plans", where=model.name, why=why) from error
    predictor = ProbabilityEnsemble(
        tile_step_size=tile_step,
        use_mirroring=mirroring,
        device=torch.device(device),
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network.to(device),
        plans,
        configuration,
        [content["network_weights"] for content in checkpoints],
        dataset,
        first["trainer_name"],
        first["inference_allowed_mirroring_axes"],
    )
    return predictor


def _checkpoints(model: Path, folds: Sequence[str]) -> list[dict[str, Any]]:
    """Return the checkpoints of the folds, which are of one configuration and one trainer."""
    checkpoints = [read_checkpoint(model / f"fold_{fold}" / CHECKPOINT) for fold in folds]
    first = checkpoints[0]
    for fold, content in zip(folds, checkpoints, strict=True):
        same = content["init_args"]["configuration"] == first["init_args"]["configuration"]
        if not same or content["trainer_name"] != first["trainer_name"]:
            raise DataRefused("fold_models_differ", where=f"fold_{fold}")
    return checkpoints


def _own_network(
    trainer: str, plans: PlansManager, configuration: Any, dataset: dict[str, Any], heads: int
) -> Any:
    """Return the network that the user's own trainer builds, without weights."""
    channels = determine_num_input_channels(plans, configuration, dataset)
    return load_trainer(trainer).build_network_architecture(
        plans, configuration, channels, heads, enable_deep_supervision=False
    )


def _network(
    plans: PlansManager, configuration: Any, dataset: dict[str, Any], heads: int
) -> torch.nn.Module:
    return get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        determine_num_input_channels(plans, configuration, dataset),
        heads,
        allow_init=True,
        deep_supervision=False,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except DataRefused as error:
        raise DataRefused("model_incomplete", where=path.name, why=error.why) from error
