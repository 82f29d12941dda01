"""What a process of nnU-Net finds in its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cta_data.errors import ConfigurationError

DEVICES = ("cuda", "cpu", "mps")


def nnunet_environment(
    *, raw: Path, preprocessed: Path, results: Path, processes: int, device: str, threads: int
) -> dict[str, str]:
    """Return the variables of one piece of work.

    Parameters
    ----------
    raw, preprocessed, results
        nnU-Net's three folders.
    processes
        Processes that preprocess and export.
    threads
        Threads of torch's arithmetic; 0 for as many as there are cores.
    """
    variables = {
        "nnUNet_raw": str(raw),
        "nnUNet_preprocessed": str(preprocessed),
        "nnUNet_results": str(results),
        "nnUNet_def_n_proc": str(processes),
        # Compiling costs minutes, which only a long training on a GPU gives back.
        "nnUNet_compile": "t" if device == "cuda" else "f",
        "MPLBACKEND": "agg",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    }
    if threads:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        variables |= {name: str(threads) for name in names}
    return variables


def require_training_packages() -> None:
    """Tell how to install torch and nnU-Net where they are missing.

    Raises
    ------
    ConfigurationError
        One of them is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("torch", "nnunetv2") if find_spec(name) is None]
    if missing:
        raise ConfigurationError("training_extra_not_installed", missing=tuple(missing))


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs of this process as CUDA_VISIBLE_DEVICES names them, without torch.

    A driver that is there without a usable device is found by the process that starts torch.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip() not in ("", "-1")]
    proc = Path("/proc/driver/nvidia/gpus")
    return [str(n) for n in range(len(list(proc.iterdir())))] if proc.is_dir() else []


def require_device(device: str) -> None:
    """Refuse a device that is not here.

    Raises
    ------
    ConfigurationError
        The device is none of nnU-Net's, or this machine has none.
    """
    if device not in DEVICES:
        raise ConfigurationError("device_unknown", device=device, devices=tuple(DEVICES))
    if device == "cuda" and not _has_cuda():
        raise ConfigurationError("cuda_unavailable", why_no_cuda=_why_no_cuda())
    if device == "mps":
        import torch

        if not torch.backends.mps.is_available():
            raise ConfigurationError("mps_unavailable")


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _why_no_cuda() -> str:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build without CUDA"
    return "torch finds no usable GPU"
