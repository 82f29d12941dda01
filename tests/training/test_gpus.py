"""One GPU for each piece of work, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.training.nnunet import environment, gpus
from cta_data.training.nnunet.environment import (
    nnunet_environment,
    require_device,
    require_training_packages,
    visible_gpus,
)
from cta_data.training.nnunet.gpus import one_gpu

VARIABLE = "CUDA_VISIBLE_DEVICES"


def taken(folder: Path, count: int = 0) -> str:
    """Return which GPU the first comer gets now."""
    with one_gpu(folder, "cuda", count) as given:
        return given[VARIABLE]


def test_two_holders_never_have_the_same_gpu(tmp_path: Path) -> None:
    """Four processes share two GPUs: each says when it holds which, and no two overlap on one."""
    code = textwrap.dedent(f"""
        import os, pathlib, sys, time
        from cta_data.training.nnunet import gpus
        gpus._WAIT_SECONDS = 0.01
        log = os.open({str(tmp_path / "log")!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        pathlib.Path({str(tmp_path)!r}, f"ready{{os.getpid()}}").touch()
        while not os.path.exists({str(tmp_path / "go")!r}):
            time.sleep(0.01)
        for _ in range(5):
            with gpus.one_gpu(pathlib.Path({str(tmp_path)!r}), "cuda", 0) as given:
                gpu = given["CUDA_VISIBLE_DEVICES"]
                os.write(log, f"take {{gpu}} {{os.getpid()}}\\n".encode())
                time.sleep(0.01)
                os.write(log, f"give {{gpu}} {{os.getpid()}}\\n".encode())
    """)
    workers = [
        subprocess.Popen([sys.executable, "-c", code], env=os.environ | {VARIABLE: "0,1"})
        for _ in range(4)
    ]
    while len(list(tmp_path.glob("ready*"))) < len(workers):
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [worker.wait(timeout=120) for worker in workers] == [0] * 4
    lines = [line.split() for line in (tmp_path / "log").read_text("ascii").splitlines()]
    assert len(lines) == 4 * 5 * 2
    holder: dict[str, str] = {}
    for what, gpu, process in lines:
        assert gpu in ("0", "1")
        if what == "take":
            assert gpu not in holder
            holder[gpu] = process
        else:
            assert holder.pop(gpu) == process
    assert {gpu for _, gpu, _ in lines} == {"0", "1"}


def test_the_next_free_gpu_is_given_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second holder gets the second GPU; after an error inside, its GPU is free again."""
    monkeypatch.setenv(VARIABLE, "3,5")
    with one_gpu(tmp_path, "cuda", 0) as first:
        assert first == {VARIABLE: "3"}
        with pytest.raises(ZeroDivisionError), one_gpu(tmp_path, "cuda", 0) as second:
            assert second == {VARIABLE: "5"}
            _ = 1 / 0
        assert taken(tmp_path) == "5"
    assert taken(tmp_path) == "3"


def test_no_more_gpus_are_used_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of two GPUs to use, a second piece of work waits for it and then gets it."""
    monkeypatch.setenv(VARIABLE, "0,1")
    with one_gpu(tmp_path, "cuda", 1) as first:
        assert first[VARIABLE] == "0"

        def slept(seconds: float) -> None:
            raise TimeoutError

        monkeypatch.setattr(gpus.time, "sleep", slept)
        with pytest.raises(TimeoutError):
            taken(tmp_path, 1)
    assert taken(tmp_path, 1) == "0"


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_without_cuda_nothing_is_locked_and_no_gpu_is_seen(tmp_path: Path, device: str) -> None:
    """Work on a CPU takes no GPU from another, and its process sees none."""
    with one_gpu(tmp_path, device, 0) as given, one_gpu(tmp_path, device, 0) as again:
        assert given == again == {VARIABLE: ""}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("names", ["GPU-8f2f3a10-1", "MIG-5c6d7e8f", "MIG-GPU-8f2f3a10/1/0"])
def test_gpus_are_given_by_the_names_they_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    """A cluster names GPUs and their parts by identifiers: these are handed on as they are."""
    monkeypatch.setenv(VARIABLE, names)
    assert taken(tmp_path) == names


def test_a_machine_without_a_gpu_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is visible, nobody waits for one for ever."""
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ConfigurationError, check=has_reason("gpus_not_found")):
        taken(tmp_path)


@pytest.mark.parametrize(
    ("value", "expected"), [("0", ["0"]), (" 0, 2 ", ["0", "2"]), ("", []), ("-1", [])]
)
def test_visible_gpus_are_those_of_the_variable(value: str, expected: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES decides; an empty one, or -1, hides all."""
    assert visible_gpus({VARIABLE: value}) == expected


def test_an_unknown_device_is_refused() -> None:
    """The message names those that are known."""
    with pytest.raises(
        ConfigurationError, check=has_reason("device_unknown", device="gpu")
    ) as caught:
        require_device("gpu")
    assert all(name in caught.value.next_step for name in ("cuda", "cpu", "mps"))


@pytest.mark.parametrize(("built_for", "why"), [(None, "without CUDA"), ("12.8", "no usable GPU")])
def test_no_cuda_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, built_for: str | None, why: str
) -> None:
    """A build of torch without CUDA is told from a machine without a GPU; both know a way out."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    with pytest.raises(ConfigurationError) as caught:
        require_device("cuda")
    assert caught.value.what == "there is no GPU for --device cuda"
    assert why in caught.value.why
    assert "--device cpu" in caught.value.next_step


def test_a_cpu_is_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU is asked for, on a device that every machine has."""
    asked: list[bool] = []
    monkeypatch.setattr(environment, "_has_cuda", lambda: asked.append(True))
    require_device("cpu")
    assert asked == []


def test_missing_packages_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the extra, the message says which packages lack and the command that adds them."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError) as caught:
        require_training_packages()
    assert "torch and nnunetv2" in caught.value.what
    assert "cta_data[train]" in caught.value.next_step


def test_a_child_s_threads_are_as_asked(tmp_path: Path) -> None:
    """Every library's threads are limited to what is asked; with 0 they are left alone."""
    folders = {name: tmp_path / name for name in ("raw", "preprocessed", "results")}
    two = nnunet_environment(**folders, processes=3, device="cpu", threads=2)
    free = nnunet_environment(**folders, processes=3, device="cpu", threads=0)
    names = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert {two[name] for name in names} == {"2"}
    assert not names & free.keys()
    assert {two[f"nnUNet_{name}"] for name in folders} == {str(path) for path in folders.values()}
    assert two["nnUNet_def_n_proc"] == "3"
