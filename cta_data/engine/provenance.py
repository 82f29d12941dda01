"""One `datalad run` record a command, so that `datalad rerun` reproduces it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cta_data.engine.committed import require_committed
from cta_data.engine.datasets import datalad_errors, quiet_datalad, require_space
from cta_data.errors import CtaError

FAILED = "the work is done but could not be committed"
REPLAY = "--replay"
"""Option of the recorded command: recompute all, and leave the commit to who runs it."""


def commit_run(
    root: Path, command: list[str], message: str, paths: Iterable[str], exit_code: int
) -> None:
    """Commit what a command made, with the record of the command.

    The record is the one `datalad run` writes. The command has already run, in this process, so
    that nothing is recorded when nothing had to be done. It names no outputs: every output is
    replaced by renaming, so that a rerun needs none of them to be here. (DataLad unlocks or
    removes what the commit had changed all the same.)

    Parameters
    ----------
    command
        The command line to record, as a list of arguments.
    paths
        Files and folders of the study that the command may have changed.
    exit_code
        What the command returns; a rerun expects the same.

    Raises
    ------
    CtaError
        DataLad could not commit, or git left something out of the commit.
    """
    places = sorted({str(root / path) for path in paths})
    require_space(root)
    quiet_datalad(root)
    from datalad.core.local.run import run_command
    from datalad.distribution.dataset import Dataset

    next_step = "Mend the cause and run the same command again: nothing will be redone"
    with datalad_errors(FAILED, next_step):
        results = list(
            run_command(
                shlex.join([*command, REPLAY]),
                dataset=Dataset(str(root)),
                outputs=places,
                explicit=True,
                message=message,
                inject=True,
                extra_info={"exit": exit_code, "outputs": [], "pwd": "."},
            )
        )
    failed = [result for result in results if result["status"] in ("error", "impossible")]
    if failed:
        where = str(failed[0].get("path", root))
        raise CtaError(FAILED, where=where, why=_text(failed[0]), next_step=next_step)
    require_committed(root, map(Path, places))


def _text(result: dict[str, Any]) -> str:
    message = result.get("message") or result.get("error_message") or ""
    if isinstance(message, tuple):
        message = message[0] % message[1:]
    return str(message)
