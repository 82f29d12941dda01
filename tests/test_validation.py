"""TOML into models: every mistake names its key, its file and the nearest right key."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason
from pydantic import Field

from cta_data.errors import ConfigurationError
from cta_data.validation import StrictModel, parse_toml, read_toml


class Leaf(StrictModel):
    """Innermost model."""

    minimum: float = 0.0
    pattern: str = ""


class Branch(StrictModel):
    """A model with every kind of nesting."""

    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = {}
    either: dict[str, str | Leaf] = {}


class Tree(StrictModel):
    """The top."""

    branch: Branch = Branch()
    branches: list[Branch] = []
    seed: int = Field(default=1, ge=0)


def message(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_toml(text, Tree, where="tree.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("[brnch]", "brnch", "branch"),
        ("[branch]\nleafs = 1", "branch.leafs", "leaf"),
        ("[branch.leaf]\nminimun = 1", "branch.leaf.minimun", "minimum"),
        ("[[branch.leaves]]\n[[branch.leaves]]\npatern = ''", "branch.leaves.1.patern", "pattern"),
        ("[branch.named.X]\nminmum = 1", "branch.named.X.minmum", "minimum"),
        ("[branch.either]\nX = {minmum = 1}", "minmum", "minimum"),
        ("[[branches]]\n[branches.leaf]\nptatern = ''", "branches.0.leaf.ptatern", "pattern"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(text: str, wrong: str, right: str) -> None:
    """At every depth, through optionals, lists, dictionaries and unions, the right key is named."""
    said = message(text)
    assert f"{wrong}'" in said
    assert f"did you mean {right!r}?" in said
    assert said.startswith("tree.toml: ")


def test_a_key_like_nothing_gets_the_list_of_keys() -> None:
    """Where no key is near, all keys of that place are named."""
    assert "the keys here are minimum, pattern" in message("[branch.leaf]\nxyzzy = 1")


def test_every_mistake_is_told_at_once() -> None:
    """Two mistakes give one error that names both."""
    said = message("seed = 'x'\n[brnch]")
    assert "seed: " in said and "'brnch'" in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("seed = 'many'", "seed"),
        ("seed = -1", "seed"),
        ("branch = 3", "branch"),
        ("[branch]\nleaves = 3", "branch.leaves"),
        ("[[branch.leaves]]\nminimum = 'low'", "branch.leaves.0.minimum"),
        ("[branch.named]\nX = 1", "branch.named.X"),
    ],
)
def test_a_wrong_type_names_its_key(text: str, key: str) -> None:
    """A value of the wrong type or range is reported under the full name of its key."""
    assert f"tree.toml: {key}: " in message(text)


def test_text_that_is_no_toml_names_the_file_and_the_place() -> None:
    """A syntax error gives the file and the line."""
    said = message("seed = 1\nbranch = [")
    assert "tree.toml: not valid TOML" in said
    assert "line" in said or "end of document" in said


def test_a_file_that_is_missing_or_a_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """Whatever keeps a file from being read names the file."""
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigurationError, check=has_reason("toml_file_unreadable")) as caught:
            read_toml(path, Tree)
        assert str(path) in str(caught.value)


def test_a_file_in_another_encoding_is_a_configuration_error(tmp_path: Path) -> None:
    """TOML is UTF-8; a file saved as Latin-1 is refused by name, not with a traceback."""
    path = tmp_path / "tree.toml"
    path.write_bytes("# Universitätsklinik\nseed = 1\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, check=has_reason("toml_not_utf8")):
        read_toml(path, Tree)


def test_what_was_read_cannot_be_changed() -> None:
    """Configuration is passed down, never modified on the way."""
    tree = parse_toml("seed = 3", Tree, where="tree.toml")
    assert tree.seed == 3
    with pytest.raises(ValueError, match="frozen"):
        tree.seed = 4


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 20000 + "]" * 20000])
def test_a_value_that_python_cannot_hold_is_an_error_of_the_file(value: str) -> None:
    """Numbers of thousands of digits, and nesting without end."""
    with pytest.raises(ConfigurationError, check=has_reason("toml_unreadable")) as caught:
        parse_toml(f"seed = {value}", Tree, where="tree.toml")
    assert caught.value.where == "tree.toml"
