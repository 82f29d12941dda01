"""Metrics of all folds together, and the postprocessing that nnU-Net determines from them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from cta_data.training.nnunet.pools import FEW_PROCESSES, pools_of_threads


def postprocess_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return nnU-Net's `summary` and `postprocessing` for predictions of every training case.

    Parameters of the job: folders `predicted` and `labels` of `<case>.nii.gz`, files `plans` and
    `dataset`, `processes`.
    """
    from nnunetv2.postprocessing.remove_connected_components import determine_postprocessing

    predicted = Path(job["predicted"])
    with pools_of_threads(job["processes"] <= FEW_PROCESSES):
        determine_postprocessing(
            job["predicted"],
            job["labels"],
            job["plans"],
            job["dataset"],
            num_processes=job["processes"],
            keep_postprocessed_files=False,
        )
    summary = json.loads((predicted / "summary.json").read_text("utf-8"))
    chosen = json.loads((predicted / "postprocessing.json").read_text("utf-8"))
    # The pickle beside it says the same, and nothing here loads pickles.
    os.remove(predicted / "postprocessing.pkl")
    shutil.rmtree(predicted / "postprocessed", ignore_errors=True)
    return {"summary": summary, "postprocessing": chosen}
