"""No command writes onto, into or above what it reads, or over files unasked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.refusals import has_reason

from cta_data.destinations import require_file_place, require_folder_place
from cta_data.errors import ConfigurationError
from cta_data.formats.nifti.image import write_voxels


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with one mask."""
    folder = tmp_path / "images"
    folder.mkdir()
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[2:4, 2:4, 2:4] = 1
    write_voxels(mask, np.eye(4), folder / "c1.nii.gz")
    return folder


def linked(folder: Path) -> Path:
    link = folder.parent / "link"
    if not link.is_symlink():
        link.symlink_to(folder)
    return link


def roundabout(folder: Path) -> Path:
    return folder / ".." / folder.name


@pytest.mark.parametrize("way", [Path, linked, roundabout, os.path.relpath])
@pytest.mark.parametrize("below", ["", "more", "more/deeper"])
def test_a_folder_that_is_read_is_not_written_to(
    images: Path, way: Callable[[Path], str | Path], below: str
) -> None:
    """Neither itself nor a folder in it, whatever the way that leads there, asked or not."""
    out = Path(way(images)) / below
    for overwrite in (False, True):
        with pytest.raises(ConfigurationError):
            require_folder_place(out, [images], overwrite=overwrite)


@pytest.mark.parametrize("way", [Path, linked, roundabout])
def test_a_folder_above_what_is_read_is_not_written_to(
    images: Path, way: Callable[[Path], Path]
) -> None:
    """What is written would lie around the input; a folder beside it is free."""
    with pytest.raises(ConfigurationError):
        require_folder_place(images.parent, [way(images)])
    require_folder_place(images.parent / "out", [way(images)], ["c1.nii.gz"])


def test_a_file_is_not_written_onto_or_into_what_is_read(images: Path) -> None:
    """By name, by symbolic or by hard link, and in a folder that is read."""
    own = images / "c1.nii.gz"
    places = [own, images / "scores.parquet", images.parent / "soft", images.parent / "hard"]
    places[2].symlink_to(own)
    os.link(own, places[3])
    for out in places:
        with pytest.raises(ConfigurationError):
            require_file_place(out, [own, images, None], overwrite=True)


def test_a_link_in_the_input_is_the_file_that_it_leads_to(images: Path, tmp_path: Path) -> None:
    """A folder of links is read; what they lead to is not replaced, even when asked."""
    links = tmp_path / "links"
    links.mkdir()
    (links / "c1.nii.gz").symlink_to(images / "c1.nii.gz")
    with pytest.raises(ConfigurationError, check=has_reason("output_linked_to_input")):
        require_folder_place(images, [links], ["c1.nii.gz"], overwrite=True)


def test_what_is_there_is_replaced_when_asked_alone(images: Path, tmp_path: Path) -> None:
    """A file, one beside it, one in a folder, and a link that leads nowhere are there."""
    (tmp_path / "out.csv").write_text("mine")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for out, beside in (("out.csv", ()), ("out.parquet", ("out.csv",)), ("gone", ())):
        with pytest.raises(ConfigurationError, check=has_reason("output_exists")):
            require_file_place(tmp_path / out, [images], beside)
        require_file_place(tmp_path / out, [images], beside, overwrite=True)
    with pytest.raises(ConfigurationError, check=has_reason("output_exists")):
        require_folder_place(tmp_path, [], ["out.csv"])
    with pytest.raises(ConfigurationError, check=has_reason("output_not_a_folder")):
        require_folder_place(tmp_path / "out.csv", [], overwrite=True)


def test_the_commands_ask(images: Path, tmp_path: Path) -> None:
    """Exit code 1, nothing written, and the input as it was."""
    mask = images / "c1.nii.gz"
    before = mask.read_bytes()
    model = tmp_path / "model"
    model.mkdir()
    (model / "plans.json").write_text("{}")
    predict = ("predict", "--model", model, "--device", "cpu", "--input", images, "--output")
    of_folders = ("--references", tmp_path, "--predictions", tmp_path)
    for words in (
        ("transfer-mask", mask, mask, mask, mask, "--overwrite"),
        ("score", images, images, "--out", images / "scores.parquet"),
        (*predict, images),
        (*predict, linked(images)),
        (*predict, tmp_path),
        ("evaluate", *of_folders, "--out", tmp_path),
        ("init", tmp_path / "study" / "inner"),
    ):
        (tmp_path / "study").mkdir(exist_ok=True)
        (tmp_path / "study" / "study.toml").write_text("")
        done = run_cta(*words)
        assert done.code == 1, (words, done.text)
        assert sorted(path.name for path in images.iterdir()) == ["c1.nii.gz"]
    out = tmp_path / "scores.parquet"
    for words, code in (((), 0), ((), 1), (("--overwrite",), 0)):
        assert run_cta("score", images, images, "--out", out, *words).code == code
    assert mask.read_bytes() == before
    other = tmp_path / "other.parquet"
    assert run_cta("score", images, images, "--out", other).code == 0
    done = run_cta("compare", out, other, "--out", out, "--overwrite")
    assert done.code == 1 and "an input" in done.err


@pytest.mark.parametrize("deep", [["e" * 256], ["d" * 200] * 30])
def test_a_path_that_no_file_system_has_is_refused_at_once(tmp_path: Path, deep: list[str]) -> None:
    """Before anything is worked on, with how long it is."""
    out = tmp_path.joinpath(*deep)
    for check in (require_file_place, require_folder_place):
        with pytest.raises(ConfigurationError, check=has_reason("path_too_long")):
            check(out, [])


def test_a_place_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a file, and in a folder without permission: before anything is worked on."""
    (tmp_path / "file").write_text("", "utf-8")
    for check in (require_file_place, require_folder_place):
        with pytest.raises(
            ConfigurationError,
            check=has_reason("output_not_a_folder", where=str(tmp_path / "file")),
        ):
            check(tmp_path / "file" / "new" / "out", [])
        check(tmp_path / "new" / "out", [])
        with monkeypatch.context() as patch:
            patch.setattr("os.access", lambda path, mode: False)  # as root, all can be written
            with pytest.raises(ConfigurationError, check=has_reason("output_not_writable")):
                check(tmp_path / "new" / "out", [])
