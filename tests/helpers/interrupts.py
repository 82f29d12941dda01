"""Interrupts of processes that a test starts."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Undo what a shell does to jobs in the background: they and their children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
