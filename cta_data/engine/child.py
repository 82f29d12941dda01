"""One child of this process that does one piece of work after the other.

What ends the child (a crash in compiled code, too little memory) costs the piece under way alone.
The child is a copy of this process, so that it starts at once and shares what is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TextIO

from cta_data.processes import die_with_parent

_END_SECONDS = 5


class ChildDied(Exception):
    """The child ended during a piece of work; the message says how."""


class Child:
    """Starts with the first piece of work, and anew after it died."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Have a piece of work done and return what it returns; what it raises is raised.

        Raises
        ------
        ChildDied
            It ended before there was an answer.
        """
        import cloudpickle

        pipe = self._pipe or self._start()
        try:
            pipe.send_bytes(cloudpickle.dumps((work, arguments)))
            answer, error = cloudpickle.loads(pipe.recv_bytes())
        except (EOFError, OSError) as lost:
            raise ChildDied(self._end()) from lost
        if error is not None:
            raise error
        return answer

    def close(self) -> None:
        """End the child, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def _start(self) -> Connection:
        context = get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._pipe, os.getpid()))
        # Ctrl-C reaches all processes of a terminal: this one ends the child.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return self._pipe

    def _end(self) -> str:
        """Forget the child; return how it ended."""
        assert self._process is not None and self._pipe is not None
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        pipe.close()
        process.join(_END_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit code {code}"


def _line_by_line(number: int) -> TextIO:
    return open(number, "w", buffering=1, closefd=False)


def _serve(pipe: Connection, others: Connection, parent: int) -> None:
    """Do what comes through the pipe until it closes, or the parent is gone."""
    # The parent hears of these as well, and ends this process. Programs that work starts heed them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    others.close()
    # Another thread of the parent may have been printing, and its locks are held here for ever.
    sys.stdout, sys.stderr = map(_line_by_line, (1, 2))
    import cloudpickle

    while True:
        try:
            work, arguments = cloudpickle.loads(pipe.recv_bytes())
        except EOFError:
            os._exit(0)
        answer: tuple[Any, BaseException | None]
        try:
            answer = work(*arguments), None
        except BaseException as error:  # noqa: BLE001 - it is raised in the parent
            answer = None, error
        pipe.send_bytes(cloudpickle.dumps(answer))
