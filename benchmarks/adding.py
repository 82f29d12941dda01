"""What share of `cta-data add` is DataLad's, when many series come in?

Writes series of a real size (classic DICOM, one file a slice), adds them to a new study, and
prints seconds of reading, packing (while git-annex hashes what is packed) and saving, and the
processor time of all of it for one file. Saving (git, git-annex, DataLad) is the share that one
goal is about, the processor time the other. A repeated addition, which changes nothing, is timed
beside it.

    python benchmarks/adding.py [--series 200] [--slices 120]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from cta_data.intake import AdditionOptions, execute_addition
from cta_data.intake.add import open_addition
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.versioning.datasets import annexing, save
from cta_data.versioning.tools import use_environment_tools

GOAL_SHARE = 0.10
GOAL_MILLISECONDS = 1.4
"""Of processor time for one file."""
SERIES_A_PATIENT = 5


def main() -> int:
    """Print the table; exit with 1 where DataLad's share is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--slices", type=int, default=120)
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary) / "raw"
        write_series(raw, chosen.series, chosen.slices)
        study = create_study(Path(temporary) / "study", "adding", ("internal",))
        before = cpu_seconds()
        read, pack, saved = add_once(study, raw)
        each = 1000 * (cpu_seconds() - before) / (chosen.series * chosen.slices)
        again = add_once(Study(study.root), raw)
    total = read + pack + saved
    print(f"{chosen.series} series of {chosen.slices} slices")
    print(f"{'':>12}{'read s':>9}{'pack s':>9}{'save s':>9}{'total s':>9}  DataLad's share")
    print(f"{'first':>12}{read:9.1f}{pack:9.1f}{saved:9.1f}{total:9.1f}  {saved / total:.1%}")
    print(f"{'again':>12}{again[0]:9.1f}{again[1]:9.1f}{again[2]:9.1f}{sum(again):9.1f}")
    print(f"goal: a share under {GOAL_SHARE:.0%}")
    print(f"processor time of one file: {each:.2f} ms (goal {GOAL_MILLISECONDS} ms)")
    return 0 if saved / total < GOAL_SHARE and each <= GOAL_MILLISECONDS else 1


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def add_once(study: Study, raw: Path) -> tuple[float, float, float]:
    """Add the folder as the command does; return seconds of reading, packing and saving."""
    started = time.perf_counter()
    card = study.card("internal")
    with open_addition(study, "internal", card, raw, AdditionOptions()) as plan:
        planned = time.perf_counter()
        with annexing(study.root / study.sourcedata_path("internal")) as annex:
            result = execute_addition(plan, annex)
    packed = time.perf_counter()
    if result.written:
        save(study.root, "add", [study.root / study.sourcedata_path("internal")])
    return planned - started, packed - planned, time.perf_counter() - packed


def write_series(folder: Path, series: int, slices: int) -> None:
    """Write classic MR series, 256 × 256 voxels a slice, five series a patient."""
    from pydicom import Dataset

    random = np.random.default_rng(0)
    noise = random.integers(0, 500, (slices, 256, 256), dtype=np.int16)
    for number in range(series):
        target = folder / f"{number:04d}"
        target.mkdir(parents=True)
        study_uid, series_uid, frame_uid = (generate_uid() for _ in range(3))
        for index in range(slices):
            dataset = Dataset()
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.SOPClassUID = MRImageStorage
            dataset.SOPInstanceUID = generate_uid()
            dataset.PatientID = f"PAT{number // SERIES_A_PATIENT:04d}"
            dataset.PatientName = f"Name^{number // SERIES_A_PATIENT}"
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
            dataset.FrameOfReferenceUID = frame_uid
            dataset.Modality, dataset.SeriesDescription = "MR", "t1_mprage_sag"
            dataset.StudyDate = dataset.AcquisitionDate = "20200101"
            dataset.AcquisitionTime = f"{120000 + number}"
            dataset.InstanceNumber = index + 1
            dataset.ImagePositionPatient = [0, 0, float(index)]
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            dataset.PixelSpacing = [1, 1]
            dataset.Rows = dataset.Columns = 256
            dataset.BitsAllocated = dataset.BitsStored = 16
            dataset.HighBit, dataset.PixelRepresentation = 15, 1
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
            dataset.PixelData = (noise[index] + number).tobytes()
            dataset.save_as(target / f"{index:04d}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    sys.exit(main())
