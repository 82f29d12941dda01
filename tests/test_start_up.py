"""What a command loads: only what it needs, so that help and answers come at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.table_study import make_table_study

READERS_AND_ARITHMETIC = {
    *("SimpleITK", "cc3d", "dicom2nifti", "highdicom", "matplotlib", "nibabel", "nilearn"),
    *("nnunetv2", "openpyxl", "PIL", "pydicom", "scipy", "skimage", "sklearn", "torch"),
}
"""What reads, computes and draws images: no command that only looks at tables needs it."""
VERSIONING_AND_CLUSTERS = {"dask", "datalad", "distributed"}
TABLES = {"duckdb", "numpy", "pandas", "pyarrow", "pydantic"}

LOADED = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the packages that a new process has loaded after running a line of code."""
    command = [sys.executable, "-c", LOADED.format(code), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def loaded_by_command(*arguments: str) -> set[str]:
    """Return the packages that a new process has loaded after a command of the command line."""
    return loaded_by("from cta_data.cli import main; main()", *arguments)


def test_the_package_alone_loads_none_of_its_libraries() -> None:
    """`import cta_data` costs nearly nothing: what it names is loaded when it is used."""
    loaded = loaded_by("import cta_data")
    assert "cta_data" in loaded
    assert not loaded & (READERS_AND_ARITHMETIC | VERSIONING_AND_CLUSTERS | TABLES)
    assert not loaded & {"typer", "rich", "psutil", "regex"}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_loads_no_library_but_those_of_the_terminal(arguments: tuple[str, ...]) -> None:
    """Help names all commands, and none of what they do is loaded for it."""
    loaded = loaded_by_command(*arguments)
    assert "typer" in loaded
    assert not loaded & (READERS_AND_ARITHMETIC | VERSIONING_AND_CLUSTERS | TABLES)
    assert not loaded & {"psutil", "regex"}


def test_the_list_of_a_review_loads_no_plots_and_no_tables_of_pandas(tmp_path: Path) -> None:
    """The page comes at once: what draws figures and computes statistics is for other commands."""
    study = str(make_table_study(tmp_path / "study", sessions=2).root)
    code = (
        "from pathlib import Path; from cta_data.review.commands import Asked, worklist; "
        "import cta_data.review.server.serve; from cta_data.study.study import Study; "
        "worklist(Study(Path(sys.argv[1])), Asked())"
    )
    loaded = loaded_by(code, study)
    assert {"tornado", "pyarrow", "SimpleITK"} <= loaded
    assert not loaded & {"matplotlib", "pandas", "duckdb", "highdicom", "datalad", "dask"}


def test_status_and_query_load_nothing_that_reads_images(tmp_path: Path) -> None:
    """What only looks at tables loads what reads tables: no images, no network, no DataLad."""
    study = str(make_table_study(tmp_path / "study", sessions=2).root)
    asked = ("query", "select count(*) from images", "--study", study)
    for arguments in (("status", "--study", study), asked):
        loaded = loaded_by_command(*arguments)
        assert "pyarrow" in loaded
        assert not loaded & (READERS_AND_ARITHMETIC | VERSIONING_AND_CLUSTERS)
