"""Predict cases: one thread reads ahead, the device computes, one thread writes behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.training.nnunet.jobs import CaseToPredict, Predicted, PredictJob

READ_AHEAD = 2
"""Cases that are preprocessed before they are asked for."""
WRITE_BEHIND = 3
"""Predicted cases that may wait to be written; each holds its probabilities in memory."""


def predict_job(content: Mapping[str, Any]) -> dict[str, Any]:
    """Do a `PredictJob`: return the content of what was `Predicted`."""
    return predict(PredictJob.model_validate(content)).content()


def predict(job: PredictJob) -> Predicted:
    """Predict cases with the folds of one model."""
    import torch

    from cta_data.training.nnunet.ensemble import load_ensemble

    if job.device == "cpu":
        torch.set_num_threads(max(1, job.threads or torch.get_num_threads()))
    predictor = load_ensemble(
        job.model,
        job.folds,
        job.device,
        mirroring=job.mirroring,
        tile_step=job.tile_step,
        trainer=job.trainer,
    )
    failed: dict[str, str] = {}
    write = partial(_write, job=job, largest=_keeps_largest(job.postprocessing))
    waited = predict_cases(predictor, job.cases, failed, write)
    return Predicted(failed=failed, waited_seconds=round(waited, 3))


def _keeps_largest(postprocessing: Path | None) -> bool:
    """Tell whether nnU-Net's choice is to keep the largest component alone."""
    if postprocessing is None:
        return False
    return bool(json.loads(postprocessing.read_text("utf-8"))["postprocessing_fns"])


def predict_cases(
    predictor: Any,
    cases: Sequence[CaseToPredict],
    failed: dict[str, str],
    write: Callable[[Any, CaseToPredict, Any, dict[str, Any]], None],
) -> float:
    """Predict cases one after the other; return how long the device waited for a file (s).

    Parameters
    ----------
    predictor
        Whose `predict_logits_from_preprocessed_data` is called.
    failed
        Takes a case and what was wrong with it; all others are written.
    write
        Called in a thread with the predictor, the case, its logits and nnU-Net's properties.
    """
    import time

    waited = 0.0
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        writing: list[tuple[str, Future]] = []
        started = time.perf_counter()
        for number, (case, read) in enumerate(_ahead(reader, cases, _reading(predictor))):
            content = _result(case.case, read, failed)
            waited += time.perf_counter() - started if number else 0.0
            if content is not None:
                data, properties = content
                logits = predictor.predict_logits_from_preprocessed_data(data)
                done = writer.submit(write, predictor, case, logits, properties)
                writing.append((case.case, done))
            while len(writing) > WRITE_BEHIND:
                _result(*writing.pop(0), failed)
            started = time.perf_counter()
        for name, future in writing:
            _result(name, future, failed)
    return waited


def _ahead(
    reader: ThreadPoolExecutor, cases: Sequence[CaseToPredict], read: Callable
) -> Iterator[tuple[CaseToPredict, Future]]:
    queue: list[tuple[CaseToPredict, Future]] = []
    for case in cases:
        queue.append((case, reader.submit(read, case)))
        if len(queue) > READ_AHEAD:
            yield queue.pop(0)
    yield from queue


def _result(case: str, future: Future, failed: dict[str, str]) -> Any:
    """Return what a thread made; what is wrong with a case costs that case alone."""
    try:
        return future.result()
    except CtaError as error:
        failed[case] = str(error)
    except (OSError, RuntimeError, ValueError, AssertionError, KeyError) as error:
        failed[case] = f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def _reading(predictor: Any) -> Callable:
    preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)

    def read(case: CaseToPredict) -> tuple[Any, dict[str, Any]]:
        import torch

        data, _, properties = preprocessor.run_case(
            [str(image) for image in case.images],
            None,
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.dataset_json,
        )
        return torch.from_numpy(data), properties

    return read


def _write(
    predictor: Any,
    case: CaseToPredict,
    logits: Any,
    properties: dict[str, Any],
    *,
    job: PredictJob,
    largest: bool,
) -> None:
    import numpy as np
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape as convert,
    )
    from nnunetv2.postprocessing.remove_connected_components import (
        remove_all_but_largest_component_from_segmentation as keep_largest,
    )

    from cta_data.scoring.probabilities.calibration import with_temperature
    from cta_data.training.nnunet.operating import mask_at
    from cta_data.training.nnunet.orientation import as_in_the_file
    from cta_data.training.nnunet.prediction_files import write_prediction

    labels = predictor.label_manager
    made = convert(
        logits.numpy(),
        predictor.plans_manager,
        predictor.configuration_manager,
        labels,
        properties,
        return_probabilities=True,
        num_threads_torch=1,
    )
    mask = keep_largest(made[0], labels.foreground_labels) if largest else made[0]
    lesion_values = list(job.lesion_values)
    lesion = as_in_the_file(np.isin(mask, lesion_values), properties)
    total = made[1][lesion_values].sum(0, dtype=np.float32)
    # Probabilities of several labels may add up to a little more than 1.
    probability = as_in_the_file(np.minimum(total, 1), properties)
    if job.operating_point:
        # The thresholds were chosen on maps, which nnU-Net's postprocessing does not change.
        lesion = mask_at(probability, job.operating_point)
    if job.temperature:
        probability = with_temperature(probability, job.temperature)
    kept = probability if job.probabilities else None
    write_prediction(case.case, case.images[0], lesion, case.output, kept)
