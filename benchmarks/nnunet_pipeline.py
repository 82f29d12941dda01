"""A hospital's export to images and masks: processor time beside med-imagetools.

    python benchmarks/nnunet_pipeline.py [--patients 12] [--source DIR] [--imgtools PROGRAM]

`cta-data add` and `cta-data convert` take a phantom trial in (or the export in ``--source``), and
so does `imgtools nnunet-pipeline` (med-imagetools, in an environment of its own), which takes the
image that the structure sets refer to, the planning CT. Printed are processor seconds, the patients
and series that arrive, and the quotient of the two. A patient arrives with an image and a mask; the
series are the images, structure sets and registrations of those who do.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cta_data.phantom import VoxelSizes, write_trial
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.versioning.tools import use_environment_tools

COHORT = "internal"
VOXEL_MM, CT_SLICE_MM = 1.25, 1.5
GOAL = 0.4
"""Of the peer's processor time for each series that arrives."""
ARRIVING_KINDS = ("MR", "CT", "RTSTRUCT", "REG")
OF_ALL_REGIONS = "lesion: ['.*']\n"


class Arrived(NamedTuple):
    """What a program took and what came out of it."""

    cpu_seconds: float
    patients: int
    series: int

    @property
    def each(self) -> float:
        """Processor seconds for each series that arrived."""
        return self.cpu_seconds / self.series if self.series else float("inf")


def main() -> int:
    """Print the table; exit with 1 above the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--source", type=Path, help="An export, instead of a new phantom trial.")
    parser.add_argument("--imgtools", type=Path, help="The program of med-imagetools.")
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = chosen.source or new_trial(folder / "trial", chosen.patients)
        found = {"cta-data add, convert": ours(source, folder / "study")}
        if chosen.imgtools:
            found["imgtools nnunet-pipeline"] = peer(source, folder / "peer", chosen.imgtools)
        for path in [folder, *folder.rglob("*")]:  # git-annex protects what it keeps
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
    print(f"{'program':26}{'CPU s':>8}{'patients':>10}{'series':>8}{'s a series':>12}")
    for name, one in found.items():
        print(f"{name:26}{one.cpu_seconds:8.1f}{one.patients:10}{one.series:8}{one.each:12.2f}")
    if not chosen.imgtools:
        return 0
    mine, other = found.values()
    print(f"of the peer's time for a series: {mine.each / other.each:.2f} (goal {GOAL})")
    return mine.each > GOAL * other.each


def new_trial(folder: Path, patients: int) -> Path:
    """Write a phantom trial as the demonstration does; return the export."""
    sizes = VoxelSizes(VOXEL_MM, VOXEL_MM, VOXEL_MM, CT_SLICE_MM)
    half = patients // 2
    write_trial(folder, n_naq=half, n_haq=patients - half, voxel_sizes=sizes, workers=2)
    return folder / "raw"


def ours(source: Path, folder: Path) -> Arrived:
    """Take an export into a new study and convert it."""
    create_study(folder, "benchmark", (COHORT,))
    program = str(Path(sys.executable).with_name("cta-data"))
    seconds = cpu_seconds([program, "add", COHORT, str(source), "--study", str(folder)])
    seconds += cpu_seconds([program, "convert", "--study", str(folder)])
    study = Study(folder)
    units = study.tables.index(UnitRow, ("step",))[("convert",)]
    arrived = {row.id.session for row in units if row.status == "ok"}
    inventory = study.inventory(COHORT)
    sessions = {(one.subject, one.session) for one in arrived}
    series = [
        row
        for row in (inventory.series if inventory else ())
        if row.kind in ARRIVING_KINDS and (row.subject, row.session) in sessions
    ]
    return Arrived(seconds, len({one.subject for one in arrived}), len(series))


def peer(source: Path, folder: Path, program: Path) -> Arrived:
    """Have the peer make images and masks of the same files."""
    out, crawled = folder / "out", folder / "crawled"
    out.mkdir(parents=True)
    crawled.mkdir()
    regions = folder / "regions.yaml"
    regions.write_text(OF_ALL_REGIONS, encoding="utf-8")
    command = [str(program), "nnunet-pipeline", str(source.absolute()), str(out)]
    command += ["-m", "CT,RTSTRUCT", "-ryaml", str(regions), "-j", "1"]
    seconds = cpu_seconds([*command, "--crawl-directory", str(crawled)])
    masks = list(out.rglob("labelsTr/*.nii.gz"))
    images = list(out.rglob("imagesTr/*.nii.gz"))
    shutil.rmtree(out)
    # A mask is a structure set that arrived.
    return Arrived(seconds, len(masks), len(masks) + len(images))


def cpu_seconds(command: Sequence[str]) -> float:
    """Run a command, which may fail for some patients; return the processor time of it and all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
