"""How commands grow: processor time and memory with sessions, files to add, and cases to score.

Run ``python benchmarks/scale.py``. Options: ``--sessions 1000 3000 10000`` (studies, made by
`scale_study`), ``--files 10000`` (DICOM files of 16 × 16 voxels to add), ``--cases 2000`` (masks to
evaluate), 0 to leave one out, ``--folder FOLDER`` to keep what is made. Every command runs in a
process of its own. Processor time is of the command and of all that it starts; memory is the most
that one of them held. The exponent is that of the growth of processor time beyond start-up: 1 is
linear. A study of 10,000 sessions is 600,000 files and takes a quarter of an hour to make.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from scale_study import make_study, run

from cta_data.versioning.tools import use_environment_tools

STEPS = ("convert", "register", "transfer", "strip", "measure")
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "query": ("query", "select count(*) from lesions"),
    **{f"{step} --dry-run": (step, "--dry-run") for step in STEPS},
    "build --dry-run": ("build", "--setting", "B", "--dry-run"),
    "build, nothing to do": ("build", "--setting", "B"),
}
SLICES = 50
SHAPE = (128, 128, 96)
LESIONS = 6
LEAST_GROWTH_S = 0.3
"""Growth of processor time that tells nothing of its exponent."""
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    code: int
    cpu_s: float
    wall_s: float
    peak_mib: float

    def __str__(self) -> str:
        told = f"{self.cpu_s:.1f} s {self.peak_mib:.0f} MiB"
        return told if self.code == 0 else f"{told} exit {self.code}"


def main() -> None:
    """Make what is measured, measure it, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="*", default=[1000, 3000, 10000])
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="keep what is made here")
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="cta-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    print_setting()
    if counts := [count for count in chosen.sessions if count]:
        print_sessions(folder, counts)
    if chosen.files:
        print_addition(folder, chosen.files)
    if chosen.cases:
        print_evaluation(folder, chosen.cases)
    if not chosen.folder:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder)


def print_setting() -> None:
    """Print what the figures depend on; a busy machine takes more processor time, too."""
    started = time.process_time()
    total = 0
    for number in range(10**7):
        total += number
    loop = time.process_time() - started
    load = os.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load "
        f"{load:.1f}; a loop of ten million turns takes {loop:.2f} s of processor time\n",
        flush=True,
    )


def print_sessions(folder: Path, counts: Sequence[int]) -> None:
    """Print processor time and memory of every command at every number of sessions."""
    startup = measure("--version")
    print(f"start-up (--version): {startup}")
    columns = [f"{count:,} sessions" for count in counts]
    print(f"{'command':<22}" + "".join(f"{name:>22}" for name in columns) + f"{'exponent':>10}")
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for count in counts:
        root = folder / f"study_{count}"
        if not root.exists():
            make_study(folder, root, count)
        for name, words in COMMANDS.items():
            costs[name].append(measure(*words, "--study", str(root)))
            print(f"{count}: {name}: {costs[name][-1]}", file=sys.stderr, flush=True)
    for name, found in costs.items():
        seconds = [cost.cpu_s - startup.cpu_s for cost in found]
        cells = "".join(f"{cost!s:>22}" for cost in found)
        print(f"{name:<22}{cells}{exponent(counts, seconds):>10}", flush=True)
    print()


def exponent(counts: Sequence[int], seconds: Sequence[float]) -> str:
    """Return how time grows from the first to the last count, as a power of it."""
    first, last = max(seconds[0], 1e-3), max(seconds[-1], 1e-3)
    if len(counts) < 2 or last - first < LEAST_GROWTH_S:
        return "-"
    return f"{math.log(last / first) / math.log(counts[-1] / counts[0]):.2f}"


def print_addition(folder: Path, files: int) -> None:
    """Print what it takes to add small files, with one process and with two."""
    raw = folder / f"dicom_{files}"
    if not raw.exists():
        write_slices(raw, files)
    for jobs in (1, 2):
        study = folder / f"add_{jobs}"
        shutil.rmtree(study, ignore_errors=True)
        run("init", str(study), "--cohort", "internal")
        words = ("add", "internal", str(raw), "--study", str(study), "-j", str(jobs))
        looked, added = measure(*words, "--dry-run"), measure(*words)
        print(f"add, {files:,} files, -j {jobs}: {added}, {added.wall_s:.1f} s on the clock; ")
        print(f"    of it --dry-run: {looked}, {looked.wall_s:.1f} s on the clock", flush=True)
    print()


def print_evaluation(folder: Path, cases: int) -> None:
    """Print what it takes to score masks and to make tables and figures of the scores."""
    masks = folder / f"masks_{cases}"
    if not masks.exists():
        write_masks(masks, cases)
    places = (
        "--references",
        str(masks / "references"),
        "--predictions",
        str(masks / "predictions"),
    )
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            cost = measure("evaluate", *places, "--out", out, "-j", str(jobs))
        told = f"{cost}, {cost.wall_s:.1f} s on the clock"
        print(f"evaluate, {cases:,} cases of {SHAPE}, -j {jobs}: {told}", flush=True)


def measure(*words: str) -> Cost:
    """Run one command in a process of its own, below one that counts what all of it takes."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "cta_data", *words]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.monotonic() - started
    code, seconds, kib = done.stdout.split()
    return Cost(int(code), float(seconds), wall, float(kib) / 1024)


def write_slices(folder: Path, files: int) -> None:
    """Write series of small slices, two series a patient: one T1 gradient echo, one spin echo."""
    for number in range(files // SLICES):
        target = folder / f"{number:04d}"
        target.mkdir(parents=True)
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID = MRImageStorage
        one.PatientID, one.PatientName = f"PAT{number // 2:04d}", f"Name^{number // 2}"
        one.StudyInstanceUID, series, one.FrameOfReferenceUID = (generate_uid() for _ in range(3))
        one.SeriesInstanceUID = series
        one.Modality = "MR"
        one.SeriesDescription = "t1_mprage_sag" if number % 2 else "t1_space_sag"
        one.StudyDate = one.AcquisitionDate = "20200101"
        one.AcquisitionTime = "120000"
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.PixelSpacing = [1, 1]
        one.Rows = one.Columns = 16
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 1
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        for index in range(SLICES):
            one.SOPInstanceUID = generate_uid()
            one.InstanceNumber = index + 1
            one.ImagePositionPatient = [0, 0, float(index)]
            one.PixelData = np.full(256, index + 1 + SLICES * number, np.int16).tobytes()
            one.save_as(target / f"{index:04d}.dcm", enforce_file_format=True)


def write_masks(folder: Path, cases: int) -> None:
    """Write five test sets with references, and predictions of two models for each."""
    random = np.random.default_rng(0)
    for number in range(cases // 2):
        mask = np.zeros(SHAPE, np.uint8)
        for _ in range(LESIONS):
            z, y, x = (int(random.integers(4, size - 12)) for size in SHAPE)
            mask[z : z + 6, y : y + 6, x : x + 6] = 1
        shifted = {model: np.roll(mask, int(random.integers(0, 4)), 0) for model in "AB"}
        test_set, name = f"set{number % 5}", f"case{number:05d}.nii.gz"
        for place, voxels in (
            (folder / "references" / test_set, mask),
            *((folder / "predictions" / model / test_set, own) for model, own in shifted.items()),
        ):
            place.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), place / name)


if __name__ == "__main__":
    main()
