"""Where units run: mistakes in the options are told as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from cta_data.engine.executors import ExecutorOptions, open_executor
from cta_data.errors import ConfigurationError


@pytest.mark.parametrize("address", ["nonsense", "http://host:1"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    """What is no scheduler's address is a mistake of the command line, named at once."""
    with (
        pytest.raises(ConfigurationError, match=r"does not answer.*--scheduler"),
        open_executor(ExecutorOptions(scheduler=address)),
    ):
        pass


def test_a_slurm_profile_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The profile is named, or the extra that Slurm needs where it is not installed."""
    options = ExecutorOptions(slurm_profile=tmp_path / "profile.toml")
    with pytest.raises(ConfigurationError, match=r"profile\.toml|extra"), open_executor(options):
        pass


def test_one_job_runs_at_once_in_this_process() -> None:
    """Without workers a call is done when its future is returned."""
    with open_executor(ExecutorOptions()) as executor:
        future = executor.submit(divmod, 7, 2)
        assert future.done()
        assert future.result() == (3, 1)
