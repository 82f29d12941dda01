"""Metrics of all folds together, and the postprocessing that nnU-Net determines from them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

from cta_data.training.nnunet.jobs import Postprocessed, PostprocessJob
from cta_data.training.nnunet.pools import FEW_PROCESSES, pools_of_threads


def postprocess_job(content: Mapping[str, Any]) -> dict[str, Any]:
    """Do a `PostprocessJob`: return the content of what was `Postprocessed`."""
    return postprocess(PostprocessJob.model_validate(content)).content()


def postprocess(job: PostprocessJob) -> Postprocessed:
    """Judge predictions of every training case, and choose their postprocessing."""
    from nnunetv2.postprocessing.remove_connected_components import determine_postprocessing

    predicted = job.predicted
    with pools_of_threads(job.processes <= FEW_PROCESSES):
        determine_postprocessing(
            str(predicted),
            str(job.labels),
            str(job.plans),
            str(job.dataset),
            num_processes=job.processes,
            keep_postprocessed_files=False,
        )
    summary = json.loads((predicted / "summary.json").read_text("utf-8"))
    chosen = json.loads((predicted / "postprocessing.json").read_text("utf-8"))
    # The pickle beside it says the same, and nothing here loads pickles.
    os.remove(predicted / "postprocessing.pkl")
    shutil.rmtree(predicted / "postprocessed", ignore_errors=True)
    return Postprocessed(summary=summary, postprocessing=chosen)
