"""Units of work and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cta_data.study.session_id import SessionId
from cta_data.study.unit_id import UnitId
from cta_data.versioning.keys import content_key, digest, unit_key

if TYPE_CHECKING:
    from cta_data.engine.staging import Workspace
    from cta_data.study.study import Study
    from cta_data.study.tables import TableRow


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a unit reads: its role, its path from the top of the study, its content key."""

    role: str
    path: str
    key: str


@dataclass(frozen=True)
class Unit:
    """Something to do: everything that its result depends on, and nothing else."""

    id: UnitId
    version: int
    inputs: tuple[Input, ...]
    parameters: Mapping[str, Any]

    @property
    def session(self) -> SessionId:
        """Session that the unit is about."""
        return self.id.session

    @cached_property
    def parameters_digest(self) -> str:
        """Hash of the parameters alone."""
        return digest(self.parameters)

    @cached_property
    def key(self) -> str:
        """Hash of everything the result depends on."""
        return unit_key(
            {f"{i.role}:{i.path}": i.key for i in self.inputs}, self.parameters_digest, self.version
        )

    def path(self, role: str) -> str:
        """Return the path of the one input with a role."""
        return next(i.path for i in self.inputs if i.role == role)

    def paths(self, prefix: str) -> dict[str, str]:
        """Return the paths of the inputs whose roles start with `prefix`, by the rest of it."""
        found = [i for i in self.inputs if i.role.startswith(prefix)]
        return {i.role.removeprefix(prefix): i.path for i in found}


@dataclass(frozen=True)
class Blocked:
    """Something that is not done, known before trying: the reason says why.

    `expected` tells what is simply not called for, such as a transfer where nothing was drawn,
    from what should have been possible.
    """

    id: UnitId
    version: int
    reason: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A unit that was planned and need not run: its inputs are not kept, as there are many."""

    id: UnitId
    version: int


@dataclass
class Outcome:
    """What a unit made: rows for tables, notes for the log, and warnings for people.

    A warning is shown on the screen and kept with the unit: the result counts, and somebody should
    look at it. `refused` says why the subject stops here although rows and files tell what was
    found, as for a registration that is not accepted.
    """

    rows: list[TableRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: str = ""


@dataclass(frozen=True)
class Selection:
    """What the user asked for; empty means all."""

    cohorts: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    def takes(self, cohort: str, subject: str) -> bool:
        """Tell whether a subject was asked for."""
        return (not self.cohorts or cohort in self.cohorts) and (
            not self.subjects or subject in self.subjects
        )


Scope = dict["type[TableRow]", dict[str, Any]]
"""Rows that a unit owns: their type, and the values of columns that tell them."""


@dataclass(frozen=True)
class RunOf:
    """The function `run` of a module that is loaded when the first unit runs.

    Planning is frequent, and needs nothing of what reads and computes images.
    """

    module: str

    def __call__(self, unit: Unit, workspace: Workspace) -> Outcome:
        """Run one unit."""
        outcome: Outcome = import_module(self.module).run(unit, workspace)
        return outcome


@dataclass(frozen=True)
class Step:
    """One step: a pure plan, and a run for one unit in a worker.

    `plan(study, selection)` lists units and what is blocked; it reads tables, cards and links,
    never content. `run(unit, workspace)` reads inputs and writes into its own staging folder.
    `owns(unit_id)` tells which rows the unit's result replaces.
    """

    name: str
    plan: Callable[[Study, Selection], Iterable[Unit | Blocked]]
    run: Callable[[Unit, Workspace], Outcome]
    owns: Callable[[UnitId], Scope]


def session_scope(*row_types: type[TableRow], **fixed: Any) -> Callable[[UnitId], Scope]:
    """Return an `owns` for steps whose units own the rows of their subject-session."""

    def owns(unit: UnitId) -> Scope:
        where = {**unit.session.columns(), **fixed}
        return dict.fromkeys(row_types, where)

    return owns


def existing_inputs(root: Path, paths: Mapping[str, str]) -> tuple[tuple[Input, ...], list[str]]:
    """Return the inputs (role to path) with their keys, and the paths that are not there."""
    found, missing = [], []
    top = f"{root}/"
    for role, path in paths.items():
        key = content_key(top + path)
        if key is None:
            missing.append(path)
        else:
            found.append(Input(role, path, key))
    return tuple(found), missing
