"""How fast does one DICOM series become a BIDS image, beside dcm2niix and dicom2nifti?

Run: python benchmarks/conversion.py [--rounds 5] [--series FOLDER]

The contenders take turns on the same files, so that a busy machine slows all of them. Ours and
dicom2nifti run in a process that has already imported its libraries, as in a cohort's conversion;
dcm2niix is started for each series, which costs it a few milliseconds. The last table is
throughput: 8 series with one and with two worker processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import dicom2nifti
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from cta_data.bids.sidecars import build_sidecar, write_sidecar
from cta_data.formats.dicom.series import convert_series
from cta_data.formats.nifti.image import write_image

REPOSITORY = Path(__file__).resolve().parent.parent
THROUGHPUT_SERIES = 8


def ours(source: Path, target: Path) -> None:
    """DICOM files to NIfTI and sidecar with this package."""
    datasets = [pydicom.dcmread(path) for path in sorted(source.iterdir())]
    converted = convert_series(datasets)
    write_image(converted.image, target / "ours.nii.gz")
    records = [deviation.as_record() for deviation in converted.deviations]
    write_sidecar(build_sidecar(converted.header, deviations=records), target / "ours.json")


def dcm2niix(source: Path, target: Path) -> None:
    """The same with dcm2niix, gzip and sidecar on."""
    beside = Path(sys.executable).parent / "dcm2niix"
    program = str(beside) if beside.is_file() else "dcm2niix"
    command = [program, "-z", "y", "-b", "y", "-f", "dcm2niix", "-o", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)


def plain_dicom2nifti(source: Path, target: Path) -> None:
    """Voxels alone (no sidecar) with dicom2nifti as its documentation calls it."""
    dicom2nifti.dicom_series_to_nifti(str(source), str(target / "plain.nii.gz"))


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours,
    "dcm2niix -z y": dcm2niix,
    "dicom2nifti": plain_dicom2nifti,
}


def cpu_seconds() -> float:
    """User and system time of this process and of children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    return cpu_seconds() - cpu, time.perf_counter() - wall


def synthetic_series(folder: Path, slices: int = 176) -> Path:
    """A sagittal 3-D series of 256 × 256: a noisy ellipsoid, one file a slice."""
    folder.mkdir()
    numbers = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:256j, -1:1:256j]
    study, series, frame = (generate_uid(entropy_srcs=[word]) for word in ("a", "b", "c"))
    for index in range(slices):
        inside = rows**2 + columns**2 + (2 * index / slices - 1) ** 2 < 0.7
        pixels = (inside * 400 + np.abs(numbers.normal(0, 8, inside.shape))).astype(np.uint16)
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = MRImageStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"slice {index}"])
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = frame
        dataset.Modality, dataset.Manufacturer = "MR", "SIEMENS"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        dataset.ScanningSequence, dataset.MRAcquisitionType = ["GR", "IR"], "3D"
        dataset.SeriesNumber, dataset.InstanceNumber = 2, index + 1
        dataset.AcquisitionNumber = 1
        dataset.RepetitionTime, dataset.EchoTime, dataset.InversionTime = 2000, 2.44, 900
        dataset.FlipAngle, dataset.MagneticFieldStrength = 9, 3
        dataset.SliceThickness, dataset.PixelSpacing = 1, [1, 1]
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [index - slices / 2, -128, 128]
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 256, 256, 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelRepresentation = 0
        dataset.PixelData = pixels.tobytes()
        dataset.save_as(folder / f"{index:04d}.dcm", enforce_file_format=True)
    return folder


def real_series(folder: Path) -> Path | None:
    """The real MPRAGE unpacked, or None where it is absent."""
    configured = os.environ.get("CTA_SHARED_DATA")
    data = Path(configured) if configured else REPOSITORY.parent / "shared" / "data"
    archive = data / "mr_siemens_mprage_sag" / "dicoms.tar.xz"
    if not archive.is_file():
        return None
    folder.mkdir()
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member)
            if content is not None:
                (folder / Path(member.name).name).write_bytes(content.read())
    return folder


def compare(name: str, source: Path, scratch: Path, rounds: int) -> None:
    """Print medians of the contenders on one series, and their ratios to dcm2niix."""
    times: dict[str, list[tuple[float, float]]] = {contender: [] for contender in CONTENDERS}
    for turn in range(rounds + 1):
        for contender, convert in CONTENDERS.items():
            target = scratch / "out"
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            spent = timed(partial(convert, source, target))
            if turn:  # the first round warms caches
                times[contender].append(spent)
    print(f"\n{name}: {len(list(source.iterdir()))} files, median of {rounds} interleaved rounds")
    print(f"{'':16}{'CPU s':>8}{'wall s':>8}{'CPU ratio':>11}{'wall ratio':>11}")
    reference = times["dcm2niix -z y"]
    for contender, turns in times.items():
        cells = [statistics.median(pair[kind] for pair in turns) for kind in (0, 1)]
        ratios = [
            statistics.median(
                one[kind] / other[kind] for one, other in zip(turns, reference, strict=True)
            )
            for kind in (0, 1)
        ]
        print(f"{contender:16}{cells[0]:8.2f}{cells[1]:8.2f}{ratios[0]:11.2f}{ratios[1]:11.2f}")


def throughput(source: Path, scratch: Path) -> None:
    """Print wall seconds for 8 series with one and two workers."""
    targets = [scratch / f"many{number}" for number in range(THROUGHPUT_SERIES)]
    for target in targets:
        target.mkdir()
    print(f"\n{THROUGHPUT_SERIES} series, wall seconds with 1 and 2 workers")
    seconds: dict[str, list[float]] = {"ours": [], "dcm2niix -z y": []}
    for workers in (1, 2):
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(ours, [source] * workers, targets))  # imports are done before the clock
            spent = timed(partial(_convert_all, pool, ours, source, targets))
            seconds["ours"].append(spent[1])
        with ThreadPoolExecutor(workers) as threads:
            spent = timed(partial(_convert_all, threads, dcm2niix, source, targets))
            seconds["dcm2niix -z y"].append(spent[1])
    for contender, (one, two) in seconds.items():
        print(f"{contender:16}{one:8.2f}{two:8.2f}   {one / two:.2f} times the throughput")
    best, reference = seconds["ours"][1], seconds["dcm2niix -z y"][1]
    print(f"ours to dcm2niix, both with 2 workers: {best / reference:.2f}")


def _convert_all(
    pool: Executor, convert: Callable[[Path, Path], None], source: Path, targets: list[Path]
) -> None:
    list(pool.map(convert, [source] * len(targets), targets))


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--series", type=Path, help="a folder with the files of one series")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sources = {"synthetic": synthetic_series(scratch / "synthetic")}
        real = options.series or real_series(scratch / "real")
        if real is None:
            print("the real MPRAGE is not here (set CTA_SHARED_DATA): synthetic series only")
        else:
            sources = {"real MPRAGE" if options.series is None else real.name: real} | sources
        for name, source in sources.items():
            compare(name, source, scratch, options.rounds)
        throughput(next(iter(sources.values())), scratch)


if __name__ == "__main__":
    main()
