"""One process that has loaded nnU-Net's libraries, for all commands that a test process runs.

Each command starts one of its own, five seconds of processor time for jobs of less than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cta_data.training.nnunet import loaded
from cta_data.training.nnunet.environment import nnunet_environment
from cta_data.training.nnunet.loaded import Loaded


@contextmanager
def one_loaded_process(folder: Path) -> Iterator[None]:
    """Have jobs done, one at a time, by copies of one process; a command that dies may not use it.

    Parameters
    ----------
    folder
        Takes the log of the process.
    """
    places = {"raw": folder, "preprocessed": folder, "results": folder}
    environment = nnunet_environment(**places, processes=1, device="cpu", threads=1)
    shared = Loaded(environment, folder / "loaded.log")
    alone = Loaded.can_take

    def can_take(self: Loaded, wanted: Mapping[str, str]) -> bool:
        # Commands work in copies of this process, which did not start it and cannot wait for it.
        if self is shared:
            return self._started_with == loaded._read_at_start(wanted)
        return alone(self, wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loaded, "can_take", can_take)
        patch.setattr(loaded, "_idle", [shared])
        yield
    shared.end()
