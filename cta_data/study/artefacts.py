"""The kinds of files that steps make: what makes the path of each, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

PathOf = TypeVar("PathOf", bound=Callable[..., str])


@dataclass(frozen=True)
class Artefact:
    """A kind of file: the function that makes its path, and the step that makes the file."""

    path: Callable[..., str]
    step: str

    @property
    def content(self) -> str:
        """What such a file holds: the docstring of the function."""
        return " ".join((self.path.__doc__ or "").split()).rstrip(".")


ARTEFACTS: list[Artefact] = []
"""All that steps make, in the order of the steps."""


def artefact(step: str) -> Callable[[PathOf], PathOf]:
    """Register a function as the one that makes the paths of files that a step makes."""

    def register(path: PathOf) -> PathOf:
        ARTEFACTS.append(Artefact(path, step))
        return path

    return register
