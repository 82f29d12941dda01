"""Predict a fold's own validation cases after its training, and judge them as nnU-Net does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.inference.export_prediction import export_prediction_from_logits

from cta_data.errors import CtaError
from cta_data.training.nnunet.ensemble import ProbabilityEnsemble
from cta_data.training.nnunet.jobs import CaseToPredict, LearningOptions, TrainJob
from cta_data.training.nnunet.pools import FEW_PROCESSES, pools_of_threads
from cta_data.training.nnunet.prediction import predict_cases

FOLDER = "validation"
SUMMARY = "summary.json"


def validate(trainer: Any, job: TrainJob) -> None:
    """Write `validation/<case>.nii.gz` and summary.json into the fold's folder.

    nnU-Net's own validation tiles and mirrors in one fixed way, and starts processes that import
    torch anew; its predictor, its export and its metrics are used here as they are.

    Raises
    ------
    CtaError
        A case could not be predicted.
    """
    folder = Path(trainer.output_folder) / FOLDER
    if (folder / SUMMARY).is_file():
        return
    folder.mkdir(exist_ok=True)
    failed: dict[str, str] = {}
    predict_cases(_predictor(trainer, job.options), _cases(trainer, job, folder), failed, _write)
    if failed:
        case, why = next(iter(failed.items()))
        raise CtaError("validation_case_failed", where=case, why=why)
    labels = trainer.label_manager
    with pools_of_threads(job.processes <= FEW_PROCESSES):
        compute_metrics_on_folder(
            str(Path(trainer.preprocessed_dataset_folder_base) / "gt_segmentations"),
            str(folder),
            str(folder / SUMMARY),
            trainer.plans_manager.image_reader_writer_class(),
            trainer.dataset_json["file_ending"],
            labels.foreground_labels,
            labels.ignore_label,
            chill=True,  # the folder of labels holds those of all folds
            num_processes=job.processes,
        )


def _predictor(trainer: Any, learning: LearningOptions) -> ProbabilityEnsemble:
    trainer.set_deep_supervision_enabled(False)
    predictor = ProbabilityEnsemble(
        tile_step_size=learning.tile_step,
        use_mirroring=learning.mirroring,
        device=trainer.device,
        allow_tqdm=False,
    )
    network = trainer.network
    weights = getattr(network, "_orig_mod", network).state_dict()
    predictor.manual_initialization(
        network.eval(),
        trainer.plans_manager,
        trainer.configuration_manager,
        [weights],
        trainer.dataset_json,
        type(trainer).__name__,
        trainer.inference_allowed_mirroring_axes,
    )
    return predictor


def _cases(trainer: Any, job: TrainJob, folder: Path) -> list[CaseToPredict]:
    raw = job.raw_dataset
    known = json.loads((raw / "dataset.json").read_text("utf-8"))["dataset"]
    return [
        CaseToPredict(
            case=case,
            images=tuple(raw / image for image in known[case]["images"]),
            output=folder / case,
        )
        for case in sorted(trainer.do_split()[1])
    ]


def _write(
    predictor: Any, case: CaseToPredict, logits: torch.Tensor, properties: dict[str, Any]
) -> None:
    export_prediction_from_logits(
        logits.numpy(),
        properties,
        predictor.configuration_manager,
        predictor.plans_manager,
        predictor.dataset_json,
        str(case.output),
        save_probabilities=False,
        num_threads_torch=1,
    )
