"""Headers of many files, read by one process or several."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.dying import DEADLY, read_batch_or_die

from cta_data.intake import headers
from cta_data.intake.archives import UnpackBudget, UnpackLimits
from cta_data.intake.discover import discover
from cta_data.intake.headers import DIED, HeaderFile, read_headers
from cta_data.intake.plain_files import FilePlace


def plain(path: Path) -> HeaderFile:
    path.write_bytes(path.name.encode())
    place = FilePlace("subject", path.name, path.name, "NIFTI", ".nii.gz", "anna", is_image=True)
    return HeaderFile(path, path.name, place)


def place_of(name: str) -> FilePlace | None:
    return FilePlace("subject", name, name, "NIFTI", ".nii.gz", "anna")


@pytest.mark.parametrize("jobs", [1, 2])
def test_several_processes_find_what_one_finds(tmp_path: Path, jobs: int) -> None:
    """Order, instances, problems and counts are the same however many processes read."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(headers.FEWEST_FILES + 3):
        (source / f"{number:04d}.nii.gz").write_bytes(b"x" * (number % 7))
    found = discover(
        source, tmp_path / "work", UnpackBudget(UnpackLimits()), (), place_of, jobs=jobs
    )
    names = [one.name for one in found.instances]
    assert names == sorted(names) and len(names) == headers.FEWEST_FILES + 3
    empty = {one.file for one in found.problems}
    assert empty == {one.name for one in found.instances if one.fault}
    assert {k: n for k, n in found.counts.items() if n} == {
        "files": len(names),
        "recognised": len(names),
    }


def test_a_process_that_dies_costs_the_file_that_it_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of its batch are read all the same, and the file is named with the reason."""
    monkeypatch.setattr(headers, "FEWEST_FILES", 2)
    monkeypatch.setattr(headers, "_read_batch", read_batch_or_die)
    files = [plain(tmp_path / name) for name in ("a", "b", DEADLY, "e")]
    found = {one.name: one for one in read_headers(files, (), jobs=2)}
    assert found.pop(DEADLY).reason == DIED
    assert sorted(found) == ["a", "b", "e"]
    assert all(one.instance is not None for one in found.values())


def test_few_files_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where starting would cost more than it saves, one process reads."""
    monkeypatch.setattr(headers, "open_workers", None)
    [found] = read_headers([plain(tmp_path / "a.nii.gz")], (), jobs=8)
    assert found.kind == "recognised"
