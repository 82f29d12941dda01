"""A folder where a file is wanted, and the other way round, is told in one line: which to give."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.given_paths import require_given_file, require_given_folder

WANTS_FILE, WANTS_FOLDER = "Give the file that holds", "Give the folder that holds"


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    """What is there passes; what is not, or not here, is another error."""
    file = tmp_path / "a.txt"
    file.write_text("x", "utf-8")
    require_given_file(file, "it")
    require_given_folder(tmp_path, "it")
    with pytest.raises(ConfigurationError, check=has_reason("given_file_is_a_folder")):
        require_given_file(tmp_path, "it")
    with pytest.raises(ConfigurationError, check=has_reason("given_folder_is_a_file")):
        require_given_folder(file, "it")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigurationError, check=has_reason("link_content_not_fetched")):
        require_given_file(tmp_path / "link", "it")
    for check, code in (
        (require_given_file, "given_file_not_found"),
        (require_given_folder, "given_folder_not_found"),
    ):
        with pytest.raises(ConfigurationError, check=has_reason(code)):
            check(tmp_path / "gone", "it")


def test_commands_say_which_to_give(tmp_path: Path) -> None:
    """Before anything is read or written, and without a traceback."""
    folder, file = tmp_path / "folder", tmp_path / "file.csv"
    folder.mkdir()
    file.write_text("x", "utf-8")
    root = tmp_path / "study"
    assert run_cta("init", root, "--empty").code == 0
    mask = folder / "new.nii.gz"
    for words, study in (
        (("rasterize", folder, folder, mask), None),
        (("transfer-mask", folder, folder, folder, mask), None),
        (("transfer-mask", file, folder, folder, mask, "--transform", folder), None),
        (("compare", folder, file, "--model", "A"), None),
        (("add", "mine", folder, "--card", folder), root),
        (("add", "internal", folder, "--subject-map", folder), root),
        (("evaluate", "--references", file, "--predictions", folder), None),
        (("evaluate", "--references", folder, "--predictions", file), None),
    ):
        told = run_cta(*words, study=study)
        wanted = WANTS_FOLDER if words[0] == "evaluate" else WANTS_FILE
        assert told.code == 1 and wanted in told.text, (words, told.text)
    assert [one.name for one in folder.iterdir()] == []
