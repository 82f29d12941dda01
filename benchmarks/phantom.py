"""CPU seconds that a digital patient costs, DICOM and truth on disk included.

Run `python benchmarks/phantom.py [--voxel 1.0] [--patients 3]`. The first patient of a process also
pays for reading the template, which is printed apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from cta_data.phantom import VoxelSizes, write_patient
from cta_data.phantom.head.template import load_template


def main() -> None:
    """Write patients into a temporary folder and print what each cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxel", type=float, default=1.0, help="voxel size of MR in mm")
    parser.add_argument("--ct-slice", type=float, default=1.25, help="slice step of CT in mm")
    parser.add_argument("--patients", type=int, default=3)
    arguments = parser.parse_args()
    sizes = VoxelSizes(
        arguments.voxel, arguments.voxel, max(0.98, arguments.voxel * 0.8), arguments.ct_slice
    )
    start = time.process_time()
    load_template()
    print(f"template, once a process: {time.process_time() - start:.2f} s CPU")
    with tempfile.TemporaryDirectory() as name:
        for seed in range(arguments.patients):
            cpu, wall = time.process_time(), time.perf_counter()
            quality = "HAQ" if seed % 2 else "NAQ"
            written = write_patient(Path(name), seed=seed, quality=quality, voxel_sizes=sizes)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            files = [path for path in written.raw.rglob("*") if path.is_file()]
            megabytes = sum(path.stat().st_size for path in files) / 1e6
            print(
                f"patient {seed}: {cpu:.2f} s CPU, {wall:.2f} s, {len(files)} files, "
                f"{megabytes:.0f} MB, {written.lesions} lesions"
            )


if __name__ == "__main__":
    main()
