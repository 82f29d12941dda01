"""What happens when a user or a batch system stops a command."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

MESSAGE = "Interrupted: what was finished is kept; run the command again."
_EXIT_OF_SIGNAL = 128
_AGAIN_SECONDS = 0.02


class _Stopped(KeyboardInterrupt):
    """A signal that came.

    A plain KeyboardInterrupt in code that is run from a string, as imports make classes, ends
    `python -m` by SIGINT in place of the exit code, though it was caught.
    """


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end what runs inside in order, with one line and their exit code."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # What libraries say of workers that end with the command is no news.
        logging.disable()
        raise _Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        # A command in the background of a script is not to be stopped by Ctrl-C.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    others_hook = sys.unraisablehook

    def again(ignored: sys.UnraisableHookArgs) -> None:
        if not isinstance(ignored.exc_value, _Stopped):
            others_hook(ignored)
            return
        # It came in a callback of Python's own, which no exception can leave.
        Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), received[0])).start()

    sys.unraisablehook = again
    try:
        yield
    except BaseException as error:
        # Libraries turn the exception into others of their own.
        if not received and not isinstance(error, KeyboardInterrupt):
            raise
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print(MESSAGE, file=sys.stderr, flush=True)
        raise SystemExit(_EXIT_OF_SIGNAL + (received or [signal.SIGINT])[0]) from None
    finally:
        sys.unraisablehook = others_hook
