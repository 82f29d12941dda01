"""What is written whole is there whole, or as it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cta_data.files import locked, try_lock, written_whole


def test_a_file_takes_the_place_of_another_at_the_end(tmp_path: Path) -> None:
    """Until the block ends, a reader sees the old content."""
    path = tmp_path / "table.tsv"
    path.write_text("old", "utf-8")
    with written_whole(path) as unfinished:
        unfinished.write_text("new", "utf-8")
        assert path.read_text("utf-8") == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["table.tsv"]
    assert path.read_text("utf-8") == "new"


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The old content stays, and nothing unfinished is left."""
    path = tmp_path / "table.tsv"
    path.write_text("old", "utf-8")
    with pytest.raises(OSError, match="full"), written_whole(path) as unfinished:
        unfinished.write_text("half", "utf-8")
        raise OSError("the disk is full")
    assert [one.name for one in tmp_path.iterdir()] == ["table.tsv"]
    assert path.read_text("utf-8") == "old"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """git-annex's files are links into its store, which must never be written to."""
    kept = tmp_path / "annexed"
    kept.write_text("content", "utf-8")
    path = tmp_path / "link"
    path.symlink_to(kept)
    with written_whole(path) as unfinished:
        unfinished.write_text("new", "utf-8")
    assert not path.is_symlink() and kept.read_text("utf-8") == "content"


def test_a_file_can_be_made_in_another_folder(tmp_path: Path) -> None:
    """What was begun beside is gone, and the folder of the file is made."""
    (tmp_path / "staging").mkdir()
    path = tmp_path / "sub-1" / "series.tar"
    with written_whole(path, beside=tmp_path / "staging") as unfinished:
        assert unfinished.parent == tmp_path / "staging"
        unfinished.write_bytes(b"content")
    assert path.read_bytes() == b"content" and not list((tmp_path / "staging").iterdir())


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    """Who does not wait is told that another has it; after the block it is free."""
    path = tmp_path / "lock"
    with locked(path, wait=True) as first, locked(path, wait=False) as second:
        assert (first, second) == (True, False)
    with locked(path, wait=False) as third:
        assert third


def test_a_copied_process_has_no_share_in_a_lock(tmp_path: Path) -> None:
    """A child that outlives its parent for a moment does not keep others from what it held."""
    path = tmp_path / "lock"
    file = path.open("w", encoding="utf-8")
    assert try_lock(file)
    (begun, begin), (ended, end) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.write(begin, b".")
        os.close(end)
        os.read(ended, 1)
        os._exit(0)
    try:
        os.read(begun, 1)
        with path.open("w", encoding="utf-8") as other:
            assert not try_lock(other)
            file.close()
            assert try_lock(other)
    finally:
        os.close(end)
        os.waitpid(child, 0)
