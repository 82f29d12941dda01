"""Conversion of NIfTI and NRRD cohorts against copying their files, and 200 subjects at once.

The peer copies every file through one decompress and one compress with isal, the fastest gzip
library here: what a converter that changes every header would cost at the least. Both run in one
process, file by file, on the same files, after each was read once.

    python benchmarks/cohorts.py             # 6 subjects a cohort, then 200 of YNHH
    python benchmarks/cohorts.py --subjects 20
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from isal import igzip_lib, isal_zlib

from cta_data.engine import ExecutorOptions, RunOptions
from cta_data.engine.driver import plan_steps
from cta_data.engine.log import read_timings
from cta_data.engine.staging import Workspace
from cta_data.formats.nifti.image import write_voxels
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.pipeline.convert.step import CONVERT
from cta_data.pipeline.runner import execute
from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.study import Study
from cta_data.versioning.tools import use_environment_tools

SHAPE = (240, 240, 155)
LEVEL = 2
REPEATS = 3


def smooth_head(rng: np.random.Generator) -> np.ndarray:
    """An int16 volume (x, y, z) that compresses about as a skull-stripped MR image does."""
    x, y, z = np.ogrid[-1:1:240j, -1:1:240j, -1:1:155j]
    inside = (x / 0.6) ** 2 + (y / 0.75) ** 2 + (z / 0.8) ** 2 < 1
    noise = rng.normal(600, 90, SHAPE)
    return np.where(inside, noise, 0).astype(np.int16)


def lesion_mask(rng: np.random.Generator) -> np.ndarray:
    """Labels 1 to 3: a few metastases with a core, a rim and oedema."""
    mask = np.zeros(SHAPE, np.uint8)
    for _ in range(5):
        centre = [int(rng.integers(70, n - 60)) for n in SHAPE]
        for radius, value in ((9, 2), (5, 3), (2, 1)):
            box = tuple(slice(c - radius, c + radius) for c in centre)
            mask[box] = value
    return mask


def write_ynhh(folder: Path, subjects: int) -> None:
    """Subjects as YNHH distributes them; two volumes serve for all, under new intensities."""
    rng = np.random.default_rng(0)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:3, 3] = [0, 239, 0]
    heads = [smooth_head(rng) for _ in range(2)]
    for number in range(subjects):
        case = f"BraTS-MET-{number:05d}-000"
        place = folder / case
        place.mkdir(parents=True)
        for suffix in ("t1c", "t1n", "t2f", "t2w"):
            voxels = np.roll(heads[number % 2], number, axis=2)
            write_voxels(voxels.T, affine, place / f"{case}-{suffix}.nii.gz")
        write_voxels(lesion_mask(rng).T, affine, place / f"{case}-seg.nii.gz")


def write_ummc(folder: Path, subjects: int) -> None:
    """Courses as the processed NRRD package holds them, three lesions each."""
    rng = np.random.default_rng(1)
    for number in range(subjects):
        course = f"GK.{100 + number}_1"
        (folder / course).mkdir(parents=True)
        arrays = {"MR_t1": smooth_head(rng)}
        for lesion in range(3):
            mask = np.zeros(SHAPE, np.uint8)
            start = 60 + 30 * lesion
            mask[start : start + 8, 90:98, 70:78] = 1
            arrays[f"LLesion {lesion}"] = mask
        for name, voxels in arrays.items():
            image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
            sitk.WriteImage(image, str(folder / course / f"{course}_{name}.nrrd"), True)


def through_gzip(folder: Path, into: Path) -> None:
    """The peer: decompress and compress every file once."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        start = content.index(b"\x1f\x8b")
        voxels = igzip_lib.decompress(content[start:], flag=igzip_lib.DECOMP_GZIP)
        packer = isal_zlib.compressobj(level=LEVEL, wbits=31)
        packed = packer.compress(voxels) + packer.flush()
        (into / f"{path.name}.gz").write_bytes(packed)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def make_study(root: Path, cohort: str, raw: Path) -> Study:
    """A study with one cohort added."""
    create_study(root, "benchmark", ())
    study = ensure_cohort(Study(root), cohort)
    with open_addition(study, cohort, study.card(cohort), raw, AdditionOptions()) as plan:
        add_source(study, cohort, plan)
    return Study(root)


def convert_all(study: Study, into: Path) -> None:
    """Run the step's own function for every unit, in this process, without any commit."""
    for number, decision in enumerate(plan_steps(study, [CONVERT], RunOptions())):
        outcome = CONVERT.run(decision.unit, Workspace(study.root, into / str(number)))  # type: ignore[arg-type]
        assert not outcome.refused, outcome.refused


def against_copying(work: Path, cohort: str, write: Callable[[Path, int], None], n: int) -> None:
    """Print the ratio of conversion to the peer, the best of several runs each."""
    raw = work / f"{cohort}-raw"
    write(raw, n)
    study = make_study(work / f"{cohort}-study", cohort, raw)
    files = study.root / study.sourcedata_path(cohort)
    originals = [p for p in raw.rglob("*") if p.is_file()]
    ours, peers = [], []
    for repeat in range(REPEATS):
        peer = work / f"{cohort}-peer-{repeat}"
        peer.mkdir()
        peers.append(timed(lambda peer=peer: through_gzip(raw, peer)))  # type: ignore[misc]
        into = work / f"{cohort}-ours-{repeat}"
        ours.append(timed(lambda into=into: convert_all(study, into)))  # type: ignore[misc]
    assert files.is_dir()
    wall, cpu = (min(run[i] for run in ours) / min(run[i] for run in peers) for i in (0, 1))
    size = sum(p.stat().st_size for p in originals) / 1e6
    print(
        f"{cohort}: {n} subjects, {len(originals)} files, {size:.0f} MB: conversion "
        f"{min(o[0] for o in ours) / n:.2f} s a subject, {wall:.2f} times the copy's wall, "
        f"{cpu:.2f} times its CPU"
    )


def many_subjects(work: Path, n: int) -> None:
    """Convert many subjects with a worker a core; print use of cores, memory and the second run."""
    raw = work / "many-raw"
    write_ynhh(raw, n)
    study = make_study(work / "many-study", "ynhh", raw)
    jobs = os.cpu_count() or 1
    options = RunOptions(executor=ExecutorOptions(jobs), command=("cta-data", "convert"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    report = execute(study, [CONVERT], options)
    wall = time.perf_counter() - wall
    timings = read_timings(study.root)
    busy = sum(one["seconds"] for one in timings.values())
    peak = max(one.get("peak_memory_mb", 0.0) for one in timings.values())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"ynhh: {n} subjects, {jobs} workers: {wall:.1f} s with the commit, workers busy "
        f"{busy:.1f} s, CPU of all child processes {children:.1f} s, peak of a worker "
        f"{peak:.0f} MB, {report.counts()}"
    )
    command = [sys.executable, "-m", "cta_data", "convert", "--study", str(study.root)]
    wall = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"ynhh: second run, a new process: {time.perf_counter() - wall:.2f} s")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--few", type=int, default=6)
    options = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    with tempfile.TemporaryDirectory(prefix="cta-cohorts-") as folder:
        work = Path(folder)
        against_copying(work, "ynhh", write_ynhh, options.few)
        against_copying(work, "ummc", write_ummc, options.few)
        if options.subjects:
            many_subjects(work, options.subjects)
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


if __name__ == "__main__":
    main()
