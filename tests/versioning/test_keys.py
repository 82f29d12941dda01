"""Content keys are git-annex's; unit keys change with whatever a result depends on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.engine import Input, Unit, UnitId, content_key, digest
from cta_data.study.session_id import SessionId
from cta_data.versioning.keys import is_fetched, unit_key

NAMES = (
    *("sub-01_T1w.nii.gz", "a", "a.tar", "a.b.c.d", "a.longer.gz", "x.json", "T.NII.GZ", ".tar"),
    *(".x.tar", "a.nii.", "a..gz", "a b.c d", "a.c.a-b.gz", "1.2.840.1133.5", "a.gz.12345"),
    *("a.ä", "a.äöü.gz", "...a.b", "a.nii.gz.part"),
)


def annex(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "annex", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git-annex repository with back end MD5E and one file of every name."""
    folder = tmp_path_factory.mktemp("annex")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    annex(folder, "init", "--quiet")
    (folder / ".gitattributes").write_text("* annex.backend=MD5E\n")
    for name in NAMES:
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def test_a_file_has_the_key_that_git_annex_gives_it(repository: Path) -> None:
    """Before and after `git annex add`, and after its content was dropped, the key is the same."""
    told = {name: content_key(repository / name) for name in NAMES}
    for name in NAMES:
        assert told[name] == annex(repository, "calckey", "--backend=MD5E", name)
    annex(repository, "add", "--quiet", "--force-large", ".")
    assert {name: content_key(repository / name) for name in NAMES} == told
    assert all((repository / name).is_symlink() for name in NAMES)
    annex(repository, "drop", "--force", "--quiet", "a.tar")
    assert not (repository / "a.tar").exists()
    assert content_key(repository / "a.tar") == told["a.tar"]
    assert not is_fetched(repository / "a.tar")
    assert is_fetched(repository / "x.json")
    annex(repository, "unlock", "x.json", "a.tar")
    assert content_key(repository / "x.json") == told["x.json"]
    assert is_fetched(repository / "x.json")
    assert (repository / "a.tar").read_bytes().startswith(b"/annex/objects/")
    assert content_key(repository / "a.tar") == told["a.tar"]
    assert not is_fetched(repository / "a.tar")


def test_there_is_no_key_where_there_is_no_content(tmp_path: Path) -> None:
    """A file that is gone, or a link that leads nowhere, has none; both are told from each other.

    Only links into an annex know their content without having it.
    """
    (tmp_path / "file").write_text("x")
    (tmp_path / "astray").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dropped").symlink_to(".git/annex/objects/aa/bb/KEY/MD5E-s3--abc.nii.gz")
    assert content_key(tmp_path / "absent") is None
    assert content_key(tmp_path / "file" / "below") is None
    assert content_key(tmp_path / "astray") is None
    assert content_key(tmp_path / "dropped") == "MD5E-s3--abc.nii.gz"


def test_a_file_that_changes_changes_its_key(tmp_path: Path) -> None:
    """Also where the new content has the same size, and whatever was asked before."""
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = content_key(path)
    replacement = tmp_path / "new"
    replacement.write_text("two")
    os.replace(replacement, path)
    assert content_key(path) != first
    (tmp_path / "link").symlink_to("a.txt")
    assert content_key(tmp_path / "link").split(".")[0] == content_key(path).split(".")[0]


KEYS = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=4)


@given(KEYS, KEYS, st.text(max_size=3), st.text(max_size=3), st.integers(1, 3), st.integers(1, 3))
def test_a_unit_s_key_tells_its_inputs_parameters_and_version(
    inputs: dict, others: dict, parameters: str, other: str, version: int, later: int
) -> None:
    """Two units have one key exactly when all that their results depend on is equal."""
    same = (inputs, parameters, version) == (others, other, later)
    assert (unit_key(inputs, parameters, version) == unit_key(others, other, later)) is same


def unit(*inputs: Input, version: int = 1, **parameters: object) -> Unit:
    return Unit(UnitId("toy", SessionId("c", "1", "1")), version, inputs, parameters)


def test_the_order_of_inputs_and_parameters_does_not_count() -> None:
    """The same inputs and parameters in another order are the same unit."""
    one, two = Input("a", "x", "K1"), Input("b", "y", "K2")
    assert unit(one, two, p=1, q=2).key == unit(two, one, q=2, p=1).key
    assert unit(one, two).key != unit(one).key
    assert unit(one).key != unit(Input("b", "x", "K1")).key
    assert unit(one).key != unit(Input("a", "x", "K2")).key
    assert unit(one, p=1).key != unit(one, p=2).key
    assert unit(one, version=2).key != unit(one).key


def test_roles_that_swap_their_files_are_another_unit() -> None:
    """A moving and a fixed image that change places give another result."""
    straight = unit(Input("fixed", "x", "K1"), Input("moving", "y", "K2"))
    swapped = unit(Input("fixed", "y", "K2"), Input("moving", "x", "K1"))
    assert straight.key != swapped.key


@given(st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s), max_leaves=5))
def test_a_digest_is_a_short_name_of_its_content(content: object) -> None:
    """32 hexadecimal digits, fit for a folder's name, the same for the same content."""
    assert len(digest(content)) == 32
    assert int(digest(content), 16) >= 0
    assert digest({"a": content, "b": 1}) == digest({"b": 1, "a": content})


def test_the_digest_does_not_change_between_versions() -> None:
    """Keys are stored in studies: the way they are made is pinned by a known answer."""
    assert digest({"a": [1, 2.5, None, "ä"]}) == "ab9637b9f95171d6730d62198eff47b9"
