"""Units of work and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from cta_data.engine.inputs import files_and_parameters
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.unit_id import UnitId
from cta_data.versioning.keys import content_key, digest, unit_key

if TYPE_CHECKING:
    from cta_data.engine.staging import Workspace
    from cta_data.study.study import Study
    from cta_data.study.tables import TableRow


Given = TypeVar("Given")
"""The inputs of a step."""


class Input(NamedTuple):
    """A file that a unit reads: its role, its path from the top of the study, its content key."""

    role: str
    path: str
    key: str


@dataclass(frozen=True)
class Unit(Generic[Given]):
    """Something to do: everything that its result depends on, and nothing else.

    Attributes
    ----------
    inputs, parameters
        What is hashed: all of `given`, the files with their content keys.
    given
        The inputs of the step, as its `run` reads them.
    """

    id: UnitId
    version: int
    inputs: tuple[Input, ...]
    parameters: Mapping[str, Any]
    given: Given = cast(Any, None)

    @classmethod
    def of(
        cls,
        unit: UnitId,
        version: int,
        given: Given,
        keys: Mapping[str, str],
        split: tuple[Mapping[str, str], Mapping[str, Any]] | None = None,
    ) -> Unit[Given]:
        """Return a unit from the inputs of its step and the content keys of its files.

        `split` are the files and parameters of the inputs, where they are known already.
        """
        files, parameters = split or files_and_parameters(given)
        inputs = (Input(role, path, keys[path]) for role, path in files.items())
        ordered = tuple(sorted(inputs))  # by role, then by path
        return cls(unit, version, ordered, parameters, given)

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

    @cached_property
    def keys(self) -> dict[str, str]:
        """Content keys of the files that it reads, by their paths."""
        return {one.path: one.key for one in self.inputs}


@dataclass(frozen=True)
class Blocked:
    """Something that is not done, known before trying, and why.

    `expected` tells what is simply not called for, such as a transfer where nothing was drawn,
    from what should have been possible. What an earlier run made is removed, unless
    `keeps_results`: then the unit is reported, and its files and rows stay as they are.
    """

    id: UnitId
    version: int
    reason: Reason
    expected: bool = False
    keeps_results: bool = False


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
    refused: Reason | None = None


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


def existing_files(root: Path, paths: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the content keys of files of a study, and the paths that are not there."""
    keys: dict[str, str] = {}
    missing: list[str] = []
    top = str(root)
    for path in dict.fromkeys(paths):
        key = content_key(f"{top}/{path}")
        if key is None:
            missing.append(path)
        else:
            keys[path] = key
    return keys, missing
