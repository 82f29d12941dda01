"""Does a build on a cluster make what it makes in one process, also where workers are killed?

Run ``python benchmarks/cluster.py [--patients 12] [--folder FOLDER]``. A study of tiny images is
built in one process; copies of it are built on a dask scheduler with two workers, one of which is
killed after some units, and under Slurm on this one node, where one of two jobs is cancelled. Then
the same command is run again. Compared are the keys of all units and the content keys of all that
they made. A part whose programs are not installed is skipped, with the reason. Exit code 1 where a
key differs, or a kill costs more than one record.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from scale_study import CARD, run, write_raw
from slurm_node import missing, running, slurm_node

from cta_data.study.configuration import initial_toml
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.versioning.keys import content_key
from cta_data.versioning.tools import use_environment_tools

KILLED_AFTER = (3, 17, 31)
"""Records after which a worker is killed, each in a study of its own."""
PROFILE = """
queue = "main"
cores = 1
processes = 1
memory = "2GiB"
walltime = "00:30:00"
death_timeout = 120

[scheduler_options]
host = "127.0.0.1"
dashboard_address = "127.0.0.1:0"
"""
Made = dict[str, object]


@dataclass(frozen=True)
class Ended:
    """How a build ended: its exit code, and its records by status."""

    code: int
    seconds: float
    records: dict[str, int]

    @property
    def lost(self) -> int:
        """Units that did not get their result for want of a worker."""
        return self.records.get("error", 0)

    def __str__(self) -> str:
        told = ", ".join(f"{number} {status}" for status, number in sorted(self.records.items()))
        return f"exit {self.code} after {self.seconds:.0f} s: {told}"


def main() -> int:
    """Build everywhere and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--folder", type=Path, help="keep studies and logs here")
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="cta-cluster-"))
    folder.mkdir(parents=True, exist_ok=True)
    begun = make_study(folder, chosen.patients)
    serial = copied(begun, "serial")
    ended = build(serial)
    print(f"in one process: {ended}", flush=True)
    expected = made_by(serial)
    faults = 0 if ended.code == 0 else 1
    for records in KILLED_AFTER:
        faults += on_dask(copied(begun, f"dask_{records}"), records, expected)
    if absent := missing():
        print(f"under Slurm: skipped, since these are not installed: {absent}")
    else:
        faults += under_slurm(begun, folder / "slurm", expected)
    if not chosen.folder:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder)
    print("all keys are those of one process" if not faults else f"{faults} faults")
    return 1 if faults else 0


def make_study(folder: Path, patients: int) -> Path:
    """Make a study whose raw files were added, and nothing else."""
    root = folder / "begun"
    write_raw(folder / "raw", patients)
    (folder / "tiny.toml").write_text(CARD, "utf-8")
    create_study(root, "cluster", ())
    text = initial_toml("cluster").replace("equalise_groups = true", "equalise_groups = false")
    (root / "study.toml").write_text(text, "utf-8")
    run(
        "add",
        "tiny",
        str(folder / "raw"),
        "--card",
        str(folder / "tiny.toml"),
        "--study",
        str(root),
    )
    return root


def copied(study: Path, name: str) -> Path:
    """Copy a study, links as links."""
    target = study.with_name(name)
    shutil.copytree(study, target, symlinks=True)
    return target


def build(
    root: Path,
    *options: str,
    after: int = 0,
    strike: Callable[[], None] = lambda: None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Build setting B; when so many records were written, strike once."""
    words = [sys.executable, "-m", "cta_data", "build", "--setting", "B", "--study", str(root)]
    before = set(logs(root))
    started = time.monotonic()
    with (root.parent / f"{root.name}.out").open("ab") as out:
        process = subprocess.Popen([*words, *options], env=environment, stdout=out, stderr=out)
        waiting = after > 0
        while process.poll() is None:
            if waiting and sum(records_of(root, before).values()) >= after:
                strike()
                waiting = False
            time.sleep(0.01)
    return Ended(process.returncode, time.monotonic() - started, records_of(root, before))


def logs(root: Path) -> list[Path]:
    """The logs of all commands in a study."""
    return list((root / ".cta" / "log").glob("*.jsonl"))


def records_of(root: Path, before: set[Path]) -> dict[str, int]:
    """Count the records by status in the logs that are new."""
    counts: dict[str, int] = {}
    for path in set(logs(root)) - before:
        for line in path.read_text("utf-8").splitlines(keepends=True):
            if line.endswith("\n") and "status" in (content := json.loads(line)):
                counts[content["status"]] = counts.get(content["status"], 0) + 1
    return counts


def made_by(root: Path) -> Made:
    """Return the key and status of every unit, and the content key of all that it made."""
    return {
        str(row.id): (
            row.key,
            row.status,
            {path: content_key(root / path) for path in row.outputs},
        )
        for row in Study(root).tables.rows(UnitRow)
    }


def on_dask(root: Path, after: int, expected: Made) -> int:
    """Build on a scheduler with two workers, of which one is killed; return the faults."""
    place = root.with_name(f"{root.name}_cluster")
    place.mkdir()
    at = place / "scheduler.json"
    environment = dict(os.environ)
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [*dask, "worker", "--scheduler-file", str(at), "--nthreads", "1", "--no-nanny"]
    worker += ["--no-dashboard", "--local-directory", str(place)]
    with ExitStack() as stack:
        stack.enter_context(running([*scheduler, "--scheduler-file", str(at)], environment, place))
        while not at.exists():
            time.sleep(0.1)
        address = json.loads(at.read_text())["address"]
        workers = [stack.enter_context(running(worker, environment, place)) for _ in range(2)]

        def kill() -> None:
            workers[0].send_signal(signal.SIGKILL)

        first = build(root, "--scheduler", address, after=after, strike=kill)
        told = f"on dask, one of two workers killed after {after} records: {first}"
        print(told, flush=True)
        again = build(root, "--scheduler", address)
        print(f"    the same command again, one worker left: {again}", flush=True)
    return judged(root, first, again, expected)


def under_slurm(begun: Path, place: Path, expected: Made) -> int:
    """Build with two jobs of a one-node Slurm, once undisturbed and once with one cancelled."""
    place.mkdir()
    profile = place / "profile.toml"
    profile.write_text(PROFILE, "utf-8")
    faults = 0
    with slurm_node(place / "node") as environment:
        for after in (0, *KILLED_AFTER[1:2]):
            root = copied(begun, f"slurm_{after}")

            def cancel() -> None:
                jobs = ask("squeue", "--noheader", "--states=R", "--format=%i", of=environment)
                ask("scancel", "--signal=KILL", "--full", jobs.split()[0], of=environment)

            options = ("--slurm", str(profile), "-j", "2")
            first = build(root, *options, after=after, strike=cancel, environment=environment)
            what = f"one of two jobs killed after {after} records" if after else "two jobs"
            print(f"under Slurm, {what}: {first}", flush=True)
            again = build(root, *options, environment=environment)
            print(f"    the same command again: {again}", flush=True)
            faults += judged(root, first, again, expected)
    return faults


def ask(*command: str, of: dict[str, str]) -> str:
    """Run one of Slurm's own commands."""
    return subprocess.run(command, env=of, capture_output=True, text=True, check=True).stdout


def judged(root: Path, first: Ended, again: Ended, expected: Made) -> int:
    """Say what differs from one process, and return how many faults there are."""
    found = made_by(root)
    differing = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    faults = len(differing) + max(0, first.lost - 1) + (again.code != 0)
    same = "all keys equal" if not differing else f"{len(differing)} differ, as {differing[0]}"
    print(f"    {first.lost} records lost by the first; {len(found)} units, {same}", flush=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
