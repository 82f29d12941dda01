"""Train one fold, from where it stopped if it was begun before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.files import json_text, locked, write_text
from cta_data.memory import keep_freed_memory
from cta_data.study.layout import CHECKPOINT
from cta_data.training.nnunet.jobs import FoldResult, Prepared, TrainJob
from cta_data.training.nnunet.loggers import attach_logger
from cta_data.training.nnunet.news import TrainingNews
from cta_data.training.nnunet.own_trainer import find_trainer, load_trainer
from cta_data.training.nnunet.planning import prepare
from cta_data.training.nnunet.plans import model_folder

SESSIONS = "sessions.json"
"""What each process that worked on a fold did: it outlives the process, as the checkpoint does."""


def train_job(content: Mapping[str, Any]) -> dict[str, Any]:
    """Do a `TrainJob`: return the content of its `FoldResult`."""
    return train(TrainJob.model_validate(content)).content()


def train(job: TrainJob) -> FoldResult:
    """Prepare the data where that is not done, then train and validate one fold."""
    results, learning = job.results, job.options
    results.mkdir(parents=True, exist_ok=True)
    with _alone(results / "lock"), closing(TrainingNews(job.news)) as news:
        news.phase("preparing", epochs=learning.epochs)
        prepared = prepare(job)
        from cta_data.training.nnunet.validation import validate

        _settle_torch(job)
        trainer = _trainer(job, prepared)
        fold_folder = Path(trainer.output_folder)
        _train(trainer, job, fold_folder, news)
        news.phase("validating", epoch=trainer.num_epochs, seconds_left=None)
        validate(trainer, job)
    name = model_folder(job.dataset, job.planner, job.configuration, learning.trainer)
    return FoldResult(
        folder=results / name,
        fold_folder=fold_folder,
        sessions=_sessions(fold_folder),
        hardware=hardware(job.device),
        trainer=find_trainer(learning.trainer).told(),
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with locked(path, wait=False) as alone:
        if not alone:
            raise CtaError("fold_locked")
        yield


def _settle_torch(job: TrainJob) -> None:
    import torch

    if job.device == "cpu":
        keep_freed_memory()
    if job.options.reproducible:
        # In the process: what other processes draw depends on which of them is faster.
        os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112 - its name
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.set_num_threads(1)
    elif job.device == "cuda":
        torch.backends.cudnn.benchmark = True


def _trainer(job: TrainJob, prepared: Prepared) -> Any:
    import torch

    from cta_data.training.nnunet.trainer import seeded

    own = load_trainer(job.options.trainer)
    plans = json.loads(prepared.plans.read_text("utf-8"))
    plans["continue_training"] = False
    dataset = json.loads((prepared.folder / "dataset.json").read_text("utf-8"))
    device = torch.device(job.device)
    trainer = seeded(own)(plans, job.configuration, job.fold, dataset, device)
    trainer.prepare(job.options, seed=job.options.seed + job.fold)
    return trainer


def _train(trainer: Any, job: TrainJob, folder: Path, news: TrainingNews) -> None:
    from cta_data.training.nnunet.trainer import LATEST

    if (folder / CHECKPOINT).is_file():
        trainer.load_checkpoint(folder / CHECKPOINT)
        # Mirroring axes and data loaders belong to a start that does not come any more.
        trainer.current_epoch = trainer.num_epochs
        return
    if (folder / LATEST).is_file():
        trainer.load_checkpoint(folder / LATEST)
    first, started = trainer.current_epoch, time.time()
    trainer.kept_epoch = first
    news.phase("training", epoch=first, kept_epoch=first)
    session: dict[str, Any] = {"first_epoch": first, "device": job.device}

    def keep(_: Any = None) -> None:
        session["epochs"] = trainer.current_epoch - first
        session["seconds"] = round(time.time() - started, 1)
        energy = energy_joules()
        if energy is not None and energy_at_start is not None:
            session["gpu_energy_joules"] = round(energy - energy_at_start)
        _keep_session(folder, session)

    energy_at_start = energy_joules() if job.device == "cuda" else None
    original = trainer.on_epoch_end

    def on_epoch_end() -> None:
        original()
        keep()
        news.epoch_ended(trainer)

    trainer.on_epoch_end = on_epoch_end
    end_logging = attach_logger(trainer, job.curves)
    try:
        trainer.run_training()
    finally:
        end_logging()
    keep()


def _keep_session(folder: Path, session: dict[str, Any]) -> None:
    """Write what this process did; what a killed one did beyond its last checkpoint is cut off."""
    earlier = [one for one in _sessions(folder) if one["first_epoch"] < session["first_epoch"]]
    if earlier:
        earlier[-1]["epochs"] = session["first_epoch"] - earlier[-1]["first_epoch"]
    text = json_text([*earlier, session], indent=1, sorted_keys=False, escaped=True)
    write_text(text, folder / SESSIONS)


def _sessions(folder: Path) -> list[dict[str, Any]]:
    path = folder / SESSIONS
    return list(json.loads(path.read_text("utf-8"))) if path.is_file() else []


def hardware(device: str) -> dict[str, Any]:
    """Return what a model was trained on, without the machine's name."""
    import platform

    import torch

    told: dict[str, Any] = {
        "device": device,
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        told |= {
            "gpu": properties.name,
            "gpu_memory_gib": round(properties.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
            "gpu_memory_peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        }
    return told


def energy_joules() -> float | None:
    """Return the GPU's energy counter, or None where the machine does not tell (NVML)."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        named = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        if named.isdigit():
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(named))
        else:
            handle = pynvml.nvmlDeviceGetHandleByUUID(named)
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
    except pynvml.NVMLError:
        return None
