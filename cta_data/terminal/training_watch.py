"""Watches the trainings of a study while a command runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from cta_data.engine.running import RunningTraining, running_work

_PAUSE_SECONDS = 1.0


class TrainingWatch:
    """Reads again and again which folds are trained, in a thread.

    Parameters
    ----------
    root
        The study.
    show
        Is called with all folds that are trained at the moment.
    """

    def __init__(self, root: Path, show: Callable[[list[RunningTraining]], None]) -> None:
        self._root, self._show = root, show
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="training-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self.now()  # what it needs is loaded before the thread, and before processes are forked
        self._thread.start()

    def stop(self) -> list[RunningTraining]:
        """End watching; return what is trained at the moment."""
        self._ended.set()
        self._thread.join()
        return self.now()

    def now(self) -> list[RunningTraining]:
        """Return what is trained at the moment."""
        return [one for one in running_work(self._root) if isinstance(one, RunningTraining)]

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self._show(self.now())
