"""How a command shows its progress: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cta_data.engine.records import in_words
from cta_data.engine.running import RunningTraining
from cta_data.reasons import counted
from cta_data.terminal.output import error_console, print_errors
from cta_data.terminal.running_lines import fold_name, kept_text, short_training_text, training_text
from cta_data.terminal.training_watch import TrainingWatch

if TYPE_CHECKING:
    from cta_data.engine import Decision, Observer, Record

_BAR_WIDTH = 20
_LINE_EVERY_SECONDS = 60.0
"""Between two lines about one fold, where the output is not a terminal."""


class ProgressObserver:
    """Shows a bar a step on a terminal, and lines elsewhere; of a training each fold.

    Parameters
    ----------
    watched
        A study whose trainings are shown.
    """

    def __init__(self, *, quiet: bool = False, watched: Path | None = None) -> None:
        self._console = error_console()
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        if not quiet and sys.stderr.isatty():
            self._bars = Progress(
                TextColumn("{task.description:<10}"),
                BarColumn(bar_width=_BAR_WIDTH),
                MofNCompleteColumn(),
                TextColumn("{task.fields[last]}"),
                console=self._console,
            )
        self._quiet = quiet
        self._step, self._units = "", 0
        self._counts: Counter[str] = Counter()
        self._folds = _Folds(self._console, self._bars)
        self._watch = TrainingWatch(watched, self._folds.show) if watched and not quiet else None

    def observer(self) -> Observer:
        """Return the callbacks for the engine."""
        from cta_data.engine import Observer

        return Observer(self._planned, self._recorded, self._fetched, self._noted)

    def __enter__(self) -> ProgressObserver:
        if self._bars:
            self._bars.start()
        if self._watch:
            self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        in_training = self._folds.last
        if self._watch:
            self._watch.stop()
        if self._bars:
            self._bars.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            print_errors(*map(kept_text, in_training))

    def _planned(self, step: str, decisions: list[Decision]) -> None:
        self._step, self._units, self._counts = step, len(decisions), Counter()
        if self._bars:
            self._task = self._bars.add_task(step, total=len(decisions), last="")
        elif not self._quiet:
            to_run = sum(decision.action == "run" for decision in decisions)
            if to_run:
                self._console.print(f"{step}: {to_run} of {counted(len(decisions), 'unit')} to run")

    def _recorded(self, record: Record) -> None:
        self._counts[record.status] += 1
        if self._bars and self._task is not None:
            not_done = {s: n for s, n in self._counts.items() if s in ("error", "impossible")}
            last = f"sub-{record.unit.subject}" if record.unit.subject else ""
            text = "  ".join(filter(None, (in_words(not_done), last)))
            self._bars.update(self._task, advance=1, last=text)
        elif not self._quiet and self._counts.total() == self._units:
            self._console.print(f"{self._step}: {in_words(self._counts)}")

    def _fetched(self, paths: list[str]) -> None:
        if not self._quiet:
            self._console.print(f"fetched the content of {len(paths)} files")

    def _noted(self, message: str) -> None:
        if not self._quiet:
            self._console.print(f"note: {message}", soft_wrap=True, markup=False)


class _Folds:
    """Shows the folds that are trained."""

    def __init__(self, console: Console, bars: Progress | None) -> None:
        self._console, self._bars = console, bars
        self._tasks: dict[str, TaskID] = {}
        self._shown: dict[str, tuple[float, int, str]] = {}
        self.last: Sequence[RunningTraining] = ()

    def show(self, running: Sequence[RunningTraining]) -> None:
        """Show how far each of these folds is; those that are not among them have ended."""
        self.last = running
        for one in running:
            if self._bars:
                self._bar(self._bars, one)
            else:
                self._line(one)
        names = {fold_name(one) for one in running}
        for name in set(self._tasks) - names:
            assert self._bars
            self._bars.remove_task(self._tasks.pop(name))

    def _bar(self, bars: Progress, one: RunningTraining) -> None:
        name = fold_name(one)
        if name not in self._tasks:
            self._say(f"{name}: log {one.log}")
            self._tasks[name] = bars.add_task(name, total=one.epochs, last="")
        bars.update(
            self._tasks[name], completed=one.epoch, total=one.epochs, last=short_training_text(one)
        )

    def _line(self, one: RunningTraining) -> None:
        name, now = fold_name(one), time.monotonic()
        said, epoch, phase = self._shown.get(name, (0.0, -1, ""))
        if not phase:
            self._say(f"{name}: log {one.log}")
        if phase == one.phase and (epoch == one.epoch or now - said < _LINE_EVERY_SECONDS):
            return
        self._shown[name] = now, one.epoch, one.phase
        self._say(f"{name}: {training_text(one)}")

    def _say(self, text: str) -> None:
        # Through the console of the bars, which draws them again below it.
        self._console.print(text, soft_wrap=True)
