"""A step's inputs are a type, and the engine hashes all of them and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cta_data.engine import Unit, UnitId
from cta_data.engine.inputs import ABSENT, File, Files, files_and_parameters, files_of, role


@dataclass(frozen=True)
class Part:
    """Inputs that several steps have in common."""

    splits: File
    technique: str


@dataclass(frozen=True)
class Whole:
    """Inputs of a step."""

    part: Part
    sigma: float
    image: Files[str]
    pair: Files[tuple[str, str]]
    raw: Files[tuple[str, str]] = field(metadata=role(""))
    optional: File = File("")
    told: str | None = field(default=None, metadata=ABSENT)


GIVEN = Whole(
    Part(File("splits.json"), "MPRAGE"),
    1.5,
    Files({"SPACE": "b", "MPRAGE": "a"}),
    Files({("MPRAGE", "SPACE"): "t"}),
    Files({("MR", "1f"): "r.tar"}),
)


def key(given: Whole, **keys: str) -> str:
    """Return the key of a unit with these inputs, whose files hold what they are called."""
    return Unit.of(
        UnitId("toy"), 1, given, {p: keys.get(p, p) for p in files_of(given).values()}
    ).key


def test_files_and_parameters_are_told_apart() -> None:
    """By the type of a field; parts count as fields of the whole, names are joined."""
    assert files_of(GIVEN) == {
        "splits": "splits.json",
        "image:MPRAGE": "a",
        "image:SPACE": "b",
        "pair:MPRAGE:SPACE": "t",
        "MR:1f": "r.tar",
    }
    assert files_and_parameters(GIVEN)[1] == {"technique": "MPRAGE", "sigma": 1.5}


def test_files_are_in_the_order_of_their_names() -> None:
    """However they were found, so that rows and notes of a result keep their order."""
    assert list(GIVEN.image) == ["MPRAGE", "SPACE"]


def test_whatever_is_given_is_hashed() -> None:
    """Another path, another content, another parameter: another unit."""
    changes: list[dict[str, Any]] = [
        {"sigma": 2.0},
        {"image": Files({"MPRAGE": "b", "SPACE": "a"})},
        {"part": replace(GIVEN.part, technique="SPACE")},
        {"part": replace(GIVEN.part, splits=File("other.json"))},
        {"optional": File("more")},
        {"told": "something"},
    ]
    keys = [
        key(GIVEN),
        key(GIVEN, a="another content"),
        *(key(replace(GIVEN, **c)) for c in changes),
    ]
    assert len(set(keys)) == len(keys)


def test_what_is_absent_leaves_no_trace() -> None:
    """A question that a study does not ask changes no unit of it."""
    assert "told" not in files_and_parameters(GIVEN)[1] and "optional" not in files_of(GIVEN)
