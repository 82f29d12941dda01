"""The memory of a unit: what asks for more than is free fails, and alone."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.toy_steps import make_study, reasons, statuses, toy_step

from cta_data import memory
from cta_data.engine import RunOptions, Workspace, run_steps
from cta_data.engine.units import Outcome, Step, Unit
from cta_data.engine.worker import run_unit
from cta_data.errors import TooLarge
from cta_data.study.study import Study

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits data")


def greedy(unit: Unit, workspace: Workspace) -> Outcome:
    """Take memory where the input asks for it."""
    text = workspace.read(unit.inputs[0].path).read_text()
    if text == "greedy":
        np.ones(1 << 30, dtype=np.uint8)
    if text == "large":
        raise TooLarge("image_too_large", size="2 GiB", limit="1 GiB")
    return Outcome()


def step() -> Step:
    toy = toy_step()
    return Step(toy.name, toy.plan, greedy, toy.owns)


def test_a_unit_that_takes_too_much_is_a_record_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one job, too: the command survives, and the next one tries the unit again."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 256 << 20)
    study = make_study(tmp_path, s1="one", s2="greedy", s3="three")
    report = run_steps(study, [step()], RunOptions())
    assert statuses(report) == {"s1": "ok", "s2": "error", "s3": "ok"}
    assert reasons(report)["s2"].code == "out_of_memory"
    monkeypatch.undo()
    again = run_steps(Study(tmp_path), [step()], RunOptions())
    assert statuses(again) == {"s1": "notneeded", "s2": "ok", "s3": "notneeded"}


def test_what_a_limit_refuses_is_tried_again(tmp_path: Path) -> None:
    """A limit can be raised: unlike data that is wrong, the unit is not done with for ever."""
    study = make_study(tmp_path, s1="large")
    [unit] = step().plan(study, RunOptions().selection)
    assert isinstance(unit, Unit)
    assert run_unit(step(), unit, str(tmp_path)).record.status == "error"


def test_the_limit_is_gone_afterwards() -> None:
    """Whatever happens inside, the process has the limit again that it had before."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(KeyError), memory.memory_bounded():
        assert resource.getrlimit(resource.RLIMIT_DATA) != before
        raise KeyError
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_processes_of_their_own_can_lift_it() -> None:
    """A training is not held to what was free when a unit began."""
    code = (
        "import resource as r; from cta_data import memory as m; m.lift_memory_bound();"
        "soft, hard = r.getrlimit(r.RLIMIT_DATA); print(soft == hard)"
    )
    with memory.memory_bounded():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("itk::ERROR: Failed to allocate memory for image."), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("Inputs do not occupy the same physical space"), False),
        (ValueError("allocate memory"), False),
    ],
)
def test_it_is_known_whoever_says_it(error: Exception, is_it: bool) -> None:
    """ITK and PyTorch raise what they raise for other mistakes."""
    assert memory.is_out_of_memory(error) is is_it


FREED_AGAIN = """
import resource, sys
import numpy as np
from cta_data.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(2):  # the second time, all of it has been held before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(100 << 20, dtype=np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_used_again_where_it_is_kept() -> None:
    """A large array that is made again costs no pages of the system: each of them is a fault."""

    def faults(how: str) -> int:
        command = [sys.executable, "-c", FREED_AGAIN, how]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    assert faults("give back") > 30
    assert faults("keep") < 10
