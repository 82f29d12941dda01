"""What commands cost before they do anything: processor time beside DataLad's and nnU-Net's.

    python benchmarks/start_up.py [--study STUDY] [--runs 5]

Each command runs ``--runs`` times, all in turn, each in a process of its own; the figure is the
least processor time, user and system. With a study, `status` and `query` are measured as well.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GOALS = {"import cta_data": 0.2, "cta-data --help": 0.4, "cta-data status": 1.0}
GOALS["cta-data query"] = 1.0
SQL = "select cohort, count(*), median(volume_cm3) from lesions group by all"


def commands(study: Path | None) -> dict[str, list[str]]:
    """Return the commands by name; peers that are not installed are left out."""
    beside = Path(sys.executable).parent
    ours = str(beside / "cta-data")
    found = {"import cta_data": [sys.executable, "-c", "import cta_data"]}
    found["cta-data --help"] = [ours, "--help"]
    if study:
        found["cta-data status"] = [ours, "status", "--study", str(study)]
        found["cta-data query"] = [ours, "query", SQL, "--study", str(study)]
    for peer, option in (("datalad", "--version"), ("nnUNetv2_train", "-h")):
        program = shutil.which(peer, path=str(beside)) or shutil.which(peer)
        if program:
            found[f"{peer} {option}"] = [program, option]
    return found


def cpu_seconds(command: Sequence[str]) -> float:
    """Run a command; return the processor time of it and of what it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print the table; exit with 1 where a command takes more than its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found = commands(options.study)
    taken: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(options.runs):
        for name, command in found.items():
            taken[name].append(cpu_seconds(command))
    print(f"{'command':22}{'CPU s':>8}{'goal':>8}")
    for name, seconds in taken.items():
        goal = f"{GOALS[name]:8.1f}" if name in GOALS else ""
        print(f"{name:22}{min(seconds):8.2f}{goal}")
    return any(min(taken[name]) > goal for name, goal in GOALS.items() if name in taken)


if __name__ == "__main__":
    sys.exit(main())
