"""A small study and a step whose input files say what is to happen to them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.engine import (
    Blocked,
    Decision,
    ExecutorOptions,
    Observer,
    Outcome,
    Record,
    Report,
    RunOptions,
    Selection,
    Step,
    Unit,
    UnitId,
    Workspace,
    existing_files,
    run_steps,
    session_scope,
)
from cta_data.engine.inputs import File
from cta_data.errors import DataRefused
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow


def make_study(root: Path, **texts: str) -> Study:
    """Return a study of plain folders, with one input file a subject."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.toml").write_text('[study]\nname = "toy"\n')
    (root / "in").mkdir()
    for subject, text in texts.items():
        (root / "in" / f"{subject}.txt").write_text(text)
    return Study(root)


@dataclass(frozen=True)
class ToyInputs:
    """What a toy step reads, and its parameter."""

    text: File
    suffix: str


def plan(
    study: Study, selection: Selection, *, name: str, version: int, suffix: str, source: str
) -> Iterator[Unit | Blocked]:
    """List one unit an input file; what a file `blocked` says keeps its subject back."""
    for path in sorted((study.root / "in").iterdir()):
        unit = UnitId(name, SessionId("c", path.stem, "1"))
        if not selection.takes("c", path.stem):
            continue
        if os.path.exists(path) and path.read_text().startswith("blocked"):
            yield Blocked(unit, version, Reason("step_not_done", step="convert"))
            continue
        given = ToyInputs(text=File(f"{source}/{path.name}"), suffix=suffix)
        keys, missing = existing_files(study.root, [given.text])
        if missing:
            yield Blocked(unit, version, Reason("input_missing", missing=missing[0]))
        else:
            yield Unit.of(unit, version, given, keys)


def run(unit: Unit[ToyInputs], workspace: Workspace, *, folder: str) -> Outcome:
    """Do what the text says; without a word that means something, write it in capitals."""
    subject, text = unit.id.subject, workspace.read(unit.given.text).read_text()
    target = workspace.write(f"{folder}/{subject}/text.txt")
    target.write_text(text.upper() + unit.given.suffix)
    if text == "crash":
        os._exit(1)
    if text == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "fail":
        raise ValueError("this text fails")
    if text == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    if text == "refuse":
        raise DataRefused("slices_missing", where=subject, why="gap 4 mm")
    if text == "two":
        workspace.write(f"{folder}/{subject}/more/second.txt").write_text("2")
    row = SessionRow(session=unit.session, sex=text, age_years=float(len(text)))
    refused = Reason("on_hold", findings=("the text is doubtful",)) if text == "doubt" else None
    return Outcome([row], notes=[f"read {text}"], refused=refused)


def toy_step(
    name: str = "toy",
    version: int = 1,
    suffix: str = "",
    source: str = "in",
    folder: str = "out",
    owns: Callable[[UnitId], Any] | None = None,
) -> Step:
    """Return the step; `folder` holds its outputs."""
    planned = partial(plan, name=name, version=version, suffix=suffix, source=source)
    return Step(name, planned, partial(run, folder=folder), owns or session_scope(SessionRow))


@dataclass
class Seen:
    """What an observer heard."""

    planned: list[tuple[str, list[Decision]]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def observer(self) -> Observer:
        """Return the observer that fills it."""
        return Observer(
            lambda step, decisions: self.planned.append((step, decisions)),
            self.records.append,
            self.fetched.extend,
        )


def execute(
    study: Study,
    *steps: Step,
    seen: Seen | None = None,
    jobs: int = 1,
    recompute: bool = False,
    subjects: tuple[str, ...] = (),
) -> Report:
    """Run steps on a study opened anew, as every command does."""
    options = RunOptions(
        selection=Selection((), subjects),
        executor=ExecutorOptions(jobs=jobs),
        recompute=recompute,
        command=("cta-data", "toy"),
    )
    observer = seen.observer() if seen else None
    return run_steps(Study(study.root), steps or (toy_step(),), options, observer)


def statuses(report: Report) -> dict[str, str]:
    """Return how each subject ended."""
    return {record.unit.subject: record.status for record in report.records}


def reasons(report: Report) -> dict[str, Reason | None]:
    """Return why each subject ended so."""
    return {record.unit.subject: record.reason for record in report.records}


def files(root: Path) -> dict[str, str]:
    """Return every file of the study but those that are its own, with its text or link."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith((".cta", "manifests", "in/", "study.toml")) or path.is_dir():
            continue
        found[name] = os.readlink(path) if path.is_symlink() else path.read_text()
    return found


def tables(root: Path) -> dict[str, bytes]:
    """Return the bytes of every table."""
    return {path.name: path.read_bytes() for path in sorted((root / "manifests").glob("*"))}
