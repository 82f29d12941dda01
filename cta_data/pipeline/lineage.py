"""Where a file of a study comes from: every step back to the raw series.

What each unit read stands in the table `units`, and what each command read in the records of the
history. Both are in git, so that nothing has to be fetched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError, NotAvailable
from cta_data.files import read_json_object
from cta_data.pipeline.lineage_order import levels
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.versioning.keys import content_key, is_fetched, linked_to
from cta_data.versioning.run_records import RunRecord, run_records

RAW, MADE, KEPT = "raw", "made", "kept"
"""A raw file, what a step made, and what somebody put into the study."""
DETAILS = {
    "card.json": ("parameters", "epochs", "software"),
    "prediction.json": ("options", "folds", "postprocessing"),
    "build.json": ("definition", "partition", "software"),
}
"""Files beside a step's results that tell its parameters, and what of them is shown."""


@dataclass(frozen=True)
class LineageFile:
    """One file.

    Attributes
    ----------
    key
        Of its content as it is in the study now; empty where its dataset is not available here.
    fetched
        Whether its content is here.
    step
        Number of the step that made it, in `Lineage.steps`; None for what no step made.
    """

    path: str
    origin: str
    key: str
    fetched: bool
    step: int | None = None


@dataclass
class LineageStep:
    """One step: a unit of work, or a whole command.

    Attributes
    ----------
    number
        Place in the order of `Lineage.steps`: after all steps that use what it made.
    commit, command
        Of the record that holds the step; empty where the history has none.
    parameters
        `digest` of all of them, and what files beside the results tell.
    inputs
        Path to the content key that was read.
    changed
        Inputs whose content is another one in the study now.
    level
        1 for what made the file itself, more for what made its inputs, and so on.
    """

    number: int
    name: str
    commit: str
    command: str
    software: dict[str, str]
    version: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    level: int = 1

    @property
    def kind(self) -> str:
        """The step without the session that it was for."""
        return self.name.split(" ", 1)[0]


@dataclass(frozen=True)
class Lineage:
    """A file or folder, all files that it goes back to, and all steps in between."""

    path: str
    files: dict[str, LineageFile]
    steps: list[LineageStep]


def trace(study: Study, path: str) -> Lineage:
    """Return where a file, or every file of a folder, comes from.

    Parameters
    ----------
    path
        From the top of the study.

    Raises
    ------
    ConfigurationError
        There is no such file.
    NotAvailable
        Its dataset cannot be installed here.
    """
    study.require(path)
    return _Tracer(study).trace(path)


def path_from_top(study: Study, path: Path) -> str:
    """Return a path from the top of the study; given from there, or from the working directory.

    Raises
    ------
    ConfigurationError
        It leads out of the study.
    """
    top = Path(os.path.realpath(study.root))
    for start in (Path.cwd(), study.root):
        # Of the last name no link is followed: an annexed file is a link.
        named = Path(os.path.normpath(start / path))
        whole = Path(os.path.realpath(named.parent)) / named.name
        if whole.is_relative_to(top) and (start == study.root or os.path.lexists(whole)):
            return whole.relative_to(top).as_posix()
    raise ConfigurationError("file_outside_study", where=path, root=study.root)


class _Tracer:
    """Follows files to what made them; each file and each step is looked at once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._files: dict[str, LineageFile] = {}
        self._links: dict[str, str] = {}
        self._steps: dict[UnitId | str, LineageStep] = {}
        """By the unit, or by the commit of a command."""

    def trace(self, path: str) -> Lineage:
        known = {*self._unit_of, *self._record_of}
        starts = [one for one in sorted(known) if one == path or one.startswith(f"{path}/")]
        if not starts and os.path.lexists(self._study.root / path):
            starts = [path]
        if not starts:
            raise ConfigurationError("study_file_not_found", where=path)
        waiting = deque(starts)
        while waiting:
            waiting += self._look_at(waiting.popleft())
        return self._in_order(path, starts)

    def _in_order(self, path: str, starts: list[str]) -> Lineage:
        """Return what was found, with the steps in the order of what depends on what."""
        steps = {step.number: step for step in self._steps.values()}
        before = {
            number: [made for one in step.inputs if (made := self._maker(one)) is not None]
            for number, step in steps.items()
        }
        first = [made for one in starts if (made := self._maker(one)) is not None]
        ordered: list[LineageStep] = []
        renumbered: dict[int | None, int] = {}
        for number, level in levels(before, first).items():
            renumbered[number] = len(ordered) + 1
            steps[number].number, steps[number].level = renumbered[number], level
            ordered.append(steps[number])
        files = {
            name: replace(file, step=renumbered.get(file.step))
            for name, file in sorted(self._files.items())
        }
        return Lineage(path, files, ordered)

    def _maker(self, path: str) -> int | None:
        """Return the number of the step that made a file, or what a link of ours points to."""
        file = self._files.get(self._links.get(path, path))
        return file.step if file else None

    @cached_property
    def _unit_of(self) -> dict[str, UnitRow]:
        rows = self._study.tables.rows(UnitRow)
        return {path: row for row in rows for path in row.outputs}

    @cached_property
    def _record_of(self) -> dict[str, RunRecord]:
        """The newest record that made each file."""
        found: dict[str, RunRecord] = {}
        for record in run_records(self._study.root):
            for path in record.outputs:
                found.setdefault(path, record)
        return found

    def _look_at(self, path: str) -> list[str]:
        """Take a file into the lineage; return the files that it was made of."""
        if path in self._files:
            return []
        link = self._link_target(path)
        raw = "/sourcedata/" in path
        step = None if link or raw else self._step_of(path)
        origin = RAW if raw else MADE if step or link else KEPT
        key, fetched = self._content(path)
        self._files[path] = LineageFile(path, origin, key, fetched, step.number if step else None)
        if link:
            self._links[path] = link
            return [link]
        return list(step.inputs) if step else []

    def _link_target(self, path: str) -> str:
        """Return the file of the study that a link of ours points to; empty for any other file."""
        target = linked_to(self._study.root / path)
        return os.path.relpath(target, self._study.root) if target else ""

    def _content(self, path: str) -> tuple[str, bool]:
        file = self._study.root / path
        try:
            self._study.require(path)
        except NotAvailable:
            return "", False
        key = content_key(file)
        return key or "", key is not None and is_fetched(file)

    def _step_of(self, path: str) -> LineageStep | None:
        unit, record = self._unit_of.get(path), self._record_of.get(path)
        if unit is not None:
            return self._steps.get(unit.id) or self._unit_step(unit, record)
        if record is not None:
            return self._steps.get(record.commit) or self._record_step(record)
        return None

    def _unit_step(self, row: UnitRow, record: RunRecord | None) -> LineageStep:
        made = self._new(row.id, str(row.id), record)
        made.version = row.step_version
        made.inputs = dict(zip(row.inputs, row.input_keys, strict=False))
        made.outputs = sorted(row.outputs)
        made.parameters = {"digest": row.parameters, **self._details(made.outputs)}
        made.changed = [path for path, key in made.inputs.items() if self._is_other(path, key)]
        return made

    def _record_step(self, record: RunRecord) -> LineageStep:
        made = self._new(record.commit, record.command.split(" ")[1], record)
        made.inputs = {path: self._content(path)[0] for path in record.inputs}
        made.outputs = sorted(record.outputs)
        return made

    def _new(self, key: UnitId | str, name: str, record: RunRecord | None) -> LineageStep:
        about = (record.commit, record.command, record.software) if record else ("", "", {})
        made = LineageStep(len(self._steps) + 1, name, *about)
        self._steps[key] = made
        return made

    def _is_other(self, path: str, key: str) -> bool:
        now = self._content(path)[0]
        return bool(now) and now != key

    def _details(self, outputs: list[str]) -> dict[str, Any]:
        return {name: value for path in outputs for name, value in self._told_by(path)}

    def _told_by(self, path: str) -> Iterator[tuple[str, Any]]:
        names = DETAILS.get(path.rpartition("/")[2], ())
        file = self._study.root / path
        if names and file.is_file():
            content = read_json_object(file)
            yield from ((name, content[name]) for name in names if name in content)
