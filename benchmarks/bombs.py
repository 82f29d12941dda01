"""How much memory do files take that are small on disk and large, or said to be large, inside?

Run ``python benchmarks/bombs.py [--gib 2] [--only NAME ...] [--most-gib 8]``. Every file is made in
a temporary folder and read by a process of its own, whose address space is limited
(``--most-gib``), so that the machine survives a reader without bounds. What is printed is the
file's size on disk, the size that it would take in memory, the peak of the reading process (with
Python and the libraries that it needs: 60 MiB, 300 with torch), and how the reading ended. The exit
code is 1 where a file was taken that should be refused, where a reader ended in a traceback, or
where one took more than 1 GiB.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bomb_files as files

GIBIBYTE = 1 << 30
GOAL_MIB = 1024


@dataclass(frozen=True)
class Bomb:
    """A file: how it is made, and what reads it."""

    name: str
    make: Callable[[Path, int], Path]
    read: Callable[[Path], str]


def main() -> int:
    """Make, read and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2.0, help="Size that most files claim.")
    parser.add_argument("--most-gib", type=float, default=8.0, help="Address space of a reader.")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--read", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.read:
        return _read(*chosen.read)
    names = chosen.only or list(BOMBS)
    failed = False
    print("| file | bytes on disk | would take | peak MiB | outcome |\n|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = BOMBS[name].make(Path(folder), int(chosen.gib * GIBIBYTE))
            peak, outcome, wanted = _in_child(name, path, chosen.most_gib)
            on_disk = sum(f.stat().st_blocks * 512 for f in [path, *path.rglob("*")])
        print(
            f"| {name} | {on_disk:,} | {chosen.gib:g} GiB | {peak:,.0f} | {outcome} |", flush=True
        )
        failed |= not wanted or peak > GOAL_MIB
    return int(failed)


def _in_child(name: str, path: Path, most_gib: float) -> tuple[float, str, bool]:
    """Peak memory (MiB), how the reading ended, and whether that is how it should."""

    def limited() -> None:
        most = int(most_gib * GIBIBYTE)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    child = subprocess.Popen(
        [sys.executable, __file__, "--read", name, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=limited,
    )
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss / 1024
    outcome = printed.decode().strip().rpartition("\n")[2] or f"died ({child.returncode})"
    return peak, outcome[:150], outcome.startswith("refused")


def _read(name: str, file: str) -> int:
    from cta_data.errors import CtaError

    warnings.simplefilter("ignore")
    try:
        print(f"TAKEN: {BOMBS[name].read(Path(file))}")
    except CtaError as error:
        print(f"refused: {str(error).replace(file, Path(file).name)}")
    except BaseException as error:  # noqa: BLE001 - how it ended is what is measured
        print(f"TRACEBACK: {type(error).__name__}: {str(error)[:80]}")
    return 0


def _nifti(path: Path) -> str:
    from cta_data.formats.nifti.copy import place_nifti

    placed = place_nifti(path, path.with_name("placed.nii.gz"))
    return f"image, {'; '.join(placed.notes)}"


def _mask(path: Path) -> str:
    from cta_data.scoring.mask_files import read_mask

    return f"mask of {len(read_mask(path).index)} voxels"


def _nrrd(path: Path) -> str:
    from cta_data.formats.nrrd import read_nrrd_voxels

    return f"image of {read_nrrd_voxels(path)[1].GetSize()}"


def _numbers(path: Path) -> str:
    from cta_data.formats.png_stack import slice_numbers

    return f"{len(slice_numbers(path.read_text().split()))} slices"


def _stack(path: Path) -> str:
    from cta_data.formats.png_stack import read_png_stack

    slices = ((file.name, file.read_bytes()) for file in path.glob("*.png"))
    return f"image of {read_png_stack(slices, (1, 1, 1)).GetSize()}"


def _added(path: Path) -> str:
    from cta_data.errors import DataRefused
    from cta_data.intake import AdditionOptions, plan_addition

    with plan_addition(path, path.parent / "sourcedata", AdditionOptions()) as plan:
        if plan.counts["subjects_refused"] or plan.problems:
            told = [str(one.reason) for one in (*plan.subjects, *plan.problems) if one.reason]
            raise DataRefused("source_without_dicom", where=path, why="; ".join(told))
        return f"{len(plan.series)} series"


def _each_image(path: Path) -> str:
    from cta_data.intake.archives import UnpackBudget, UnpackLimits, unpack

    into = path.parent / "unpacked"
    taken = 0
    for file in unpack(path, into, UnpackBudget(UnpackLimits()), name=path.name):
        named = file.path.rename(file.path.with_suffix(".nii.gz"))
        taken += bool(_nifti(named))
    return f"{taken} images"


def _series(path: Path) -> str:
    from cta_data.formats.reference_image import read_reference_image

    return f"image of {read_reference_image(path)[0].GetSize()}"


def _table(path: Path) -> str:
    from cta_data.cohorts.clinical.sheets import read_sheet

    return f"sheet of {len(read_sheet(path).columns)} columns"


def _weights(path: Path) -> str:
    from cta_data.training.nnunet.checkpoints import read_checkpoint

    return str(read_checkpoint(path).keys())


BOMBS = {
    bomb.name: bomb
    for bomb in (
        Bomb("nifti-zeros-behind", files.zeros_behind, _nifti),
        Bomb("nifti-members-behind", files.many_members, _nifti),
        Bomb("nifti-zeros", files.honest_zeros, _mask),
        Bomb("nifti-dimensions", files.huge_dimensions, _nifti),
        Bomb("nifti-sparse", files.sparse_behind, _nifti),
        Bomb("nifti-gz-sparse", files.sparse_packed, _nifti),
        Bomb("nrrd-gzip", files.nrrd_gzip, _nrrd),
        Bomb("nrrd-bzip2", files.nrrd_bzip2, _nrrd),
        Bomb("nrrd-sizes-raw", files.nrrd_sizes("raw"), _nrrd),
        Bomb("nrrd-sizes-gzip", files.nrrd_sizes("gzip"), _nrrd),
        Bomb("png-numbers", files.png_numbers, _numbers),
        Bomb("png-stack", files.png_stack, _stack),
        Bomb("zip-link", files.zip_link, _added),
        Bomb("zip-bzip2", files.zip_bzip2, _added),
        Bomb("tar-name", files.tar_name, _added),
        Bomb("dicom-deflated", files.deflated, _added),
        Bomb("dicom-deflated-object", files.deflated, _series),
        Bomb("dicom-sparse", files.sparse_dicom, _added),
        Bomb("dicom-run-length", files.run_length, _series),
        Bomb("workbook", files.workbook, _table),
        Bomb("checkpoint", files.checkpoint, _weights),
        Bomb("many", files.many, _each_image),
    )
}

if __name__ == "__main__":
    sys.exit(main())
