"""Where units run: in this process, on local cores, on a dask cluster or under Slurm."""

from __future__ import annotations

import os
import re
import signal
import tomllib
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError, CtaError


@dataclass(frozen=True)
class ExecutorOptions:
    """Which executor, and how many units at a time."""

    jobs: int = 1
    scheduler: str = ""
    slurm_profile: Path | None = None
    log_folder: Path | None = None
    """Where jobs of a batch system write what they print; else where they start."""


class WorkersNotStarted(CtaError):
    """Processes that were to share the work did not start: nothing of it was tried."""


class SerialExecutor(Executor):
    """Runs each unit at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        """Run the call and return a future that is already done."""
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def open_executor(options: ExecutorOptions) -> Iterator[Executor]:
    """Open the executor that the options name and close it afterwards.

    Raises
    ------
    ConfigurationError
        The scheduler or the profile is none.
    WorkersNotStarted
        A worker of this machine died at once.
    """
    if options.scheduler:
        with _client(options.scheduler) as client:
            yield client.get_executor(retries=0, pure=False)
    elif options.slurm_profile:
        with _slurm_cluster(options) as cluster, _client(cluster) as client:
            yield client.get_executor(retries=0, pure=False)
    elif options.jobs > 1:
        with _interrupts_held_back():
            cluster = _local_cluster(options.jobs)
        with cluster, _client(cluster) as client:
            yield client.get_executor(retries=0, pure=False)
    else:
        yield SerialExecutor()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes and threads that Ctrl-C does not reach: who started them ends them.

    A terminal interrupts all processes of a command at once, and each would print what it makes
    of it. For this thread an interrupt waits until the end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The first process that is spawned would start it, and let interrupts through afterwards.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _configure_dask() -> None:
    # Workers set up their logging when they start, before dask hands them its configuration. What
    # they lose when a command is interrupted is told by the driver.
    os.environ.setdefault("DASK_DISTRIBUTED__LOGGING__DISTRIBUTED", "critical")
    import dask

    dask.config.set(
        {
            # A crash costs the culprit alone: its neighbours on that worker get a second try.
            "distributed.scheduler.allowed-failures": 1,
            "distributed.worker.memory.target": False,
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.pause": False,
            "distributed.worker.memory.terminate": False,
            "distributed.worker.daemon": True,
            # It looks at itself a hundred times a second: a sixth of a core for two workers.
            "distributed.worker.profile.enabled": False,
            "distributed.admin.tick.interval": "500ms",
            "distributed.admin.system-monitor.interval": "10s",
            "distributed.admin.system-monitor.disk": False,
            "distributed.admin.large-graph-warning-threshold": "1GB",
            "distributed.comm.timeouts.connect": "60s",
            "distributed.logging": {"distributed": "error", "distributed.worker": "critical"},
        }
    )


def _local_cluster(jobs: int) -> Any:
    _configure_dask()
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            # Any free port of this machine alone: the default one may be taken, with a warning.
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            env={
                "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
        )
    except (RuntimeError, OSError) as error:  # a worker died, or had no memory to start in
        raise WorkersNotStarted("worker_start_failed", error=str(error)) from error


def _client(target: Any) -> Any:
    _configure_dask()
    from distributed import Client

    try:
        return Client(target, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError("scheduler_unreachable", where=target, error=str(error)) from error


def require_executor(options: ExecutorOptions) -> None:
    """Check what a cluster needs, before anything is planned or run.

    Raises
    ------
    ConfigurationError
        The scheduler's address is none, the profile cannot be read, or dask-jobqueue is absent.
    """
    if options.scheduler and not _ADDRESS.fullmatch(options.scheduler):
        raise ConfigurationError("scheduler_address_invalid", where=options.scheduler)
    if options.slurm_profile:
        _slurm_profile(options.slurm_profile)
        _slurm_cluster_class()


_ADDRESS = re.compile(r"[a-z]+://(?:[^\s/:\[\]]+|\[[0-9a-fA-F:.%]+\]):[0-9]{1,5}/?")
"""An address of dask: its protocol, a host or an IPv6 address in brackets, and a port."""


def _slurm_profile(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            "slurm_profile_unreadable", where=path, error=str(error)
        ) from error


def _slurm_cluster_class() -> Any:
    _configure_dask()
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ConfigurationError("slurm_extra_not_installed") from error
    return SLURMCluster


def _slurm_cluster(options: ExecutorOptions) -> Any:
    assert options.slurm_profile is not None
    profile = _slurm_profile(options.slurm_profile)
    settings: dict[str, Any] = {"cores": 1, "processes": 1, "memory": "4GiB"} | profile
    if options.log_folder is not None:
        options.log_folder.mkdir(parents=True, exist_ok=True)
        settings.setdefault("log_directory", str(options.log_folder))
    try:
        cluster = _slurm_cluster_class()(**settings)
    except (TypeError, ValueError) as error:
        where = options.slurm_profile
        raise ConfigurationError("slurm_profile_invalid", where=where, error=str(error)) from error
    cluster.scale(jobs=max(options.jobs, 1))
    return cluster
