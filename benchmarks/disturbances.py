"""Stop commands by signals, fill the disk, kill workers, hang a git filter: what a user sees.

Run ``python benchmarks/disturbances.py [--only signals disk workers filter] [--folder FOLDER]``. Of
each disturbance are printed: the exit code, the last line, the exit code of the same command
run again, and what is unlike a study that nothing disturbed (nothing, where all is well). The
disk needs a file system of its own in memory (`mount -t tmpfs`), and with it root.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil
from kill import (
    Course,
    State,
    Words,
    as_benchmark,
    copied,
    finish,
    leftovers,
    removed,
    start,
    undisturbed,
    wait_for_git,
)

from cta_data.versioning.tools import use_environment_tools

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIZES = 10
ROOM = 18 << 20
"""Bytes free at most: a little more than what is kept free for a commit."""
CONVERT = "convert"
TRAIN = "train"

Row = dict[str, object]


def main() -> int:
    """Disturb, run again, compare, print; exit 1 where a study differs or a traceback is seen."""
    kinds: dict[str, Callable[[Course, Path], Iterator[Row]]] = {
        "signals": signals,
        "disk": full_disks,
        "workers": killed_workers,
        "filter": hanging_filter,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(kinds), default=list(kinds))
    parser.add_argument("--folder", type=Path, help="work here")
    chosen = parser.parse_args()
    use_environment_tools()
    as_benchmark()
    # A shell lets its jobs in the background ignore SIGINT, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = chosen.folder or Path(tempfile.mkdtemp(prefix="cta-disturbed-"))
    work.mkdir(parents=True, exist_ok=True)
    course = undisturbed(work, TRAIN if "signals" in chosen.only else CONVERT)
    rows = []
    for kind in chosen.only:
        for row in kinds[kind](course, work):
            rows.append(row)
            print(row, flush=True)
    with pd.option_context("display.max_colwidth", 90, "display.width", 250):
        print(pd.DataFrame(rows).to_string(index=False))
    if not chosen.folder:
        removed(work)
    return int(any(row["unlike"] or "Traceback" in str(row["said"]) for row in rows))


def fresh(course: Course, name: str, work: Path) -> Path:
    """Return the study as it is before a command."""
    study = work / "study"
    removed(study)
    return copied(course.before[name], study)


def judged(course: Course, name: str, study: Path, what: str, code: int, said: str) -> Row:
    """Run a command again after a disturbance, and compare."""
    again, _, _ = finish(course.words[name], study)
    problems = State.of(study).unlike(course.after[name], salted=False)
    if again != course.codes[name]:
        problems.append(f"exit {again} when run again")
    lines = said.strip().splitlines()
    told = "Traceback" if "Traceback" in said else (lines[-1] if lines else "")
    return {
        "command": name,
        "disturbed by": what,
        "exit": code,
        "said": told[:160],
        "exit again": again,
        "unlike": "; ".join(problems),
    }


def signals(course: Course, work: Path) -> Iterator[Row]:
    """Stop a command at start-up, in a unit, in a commit, with workers, and in training."""
    long = course.seconds[CONVERT]
    one_process: Words = ("convert",)
    moments: dict[str, tuple[str, Words, Callable[[subprocess.Popen[str]], None]]] = {
        "start-up": (CONVERT, one_process, lambda _: time.sleep(0.4)),
        "a unit": (CONVERT, one_process, lambda _: time.sleep(long / 2)),
        "a commit": (CONVERT, one_process, lambda running: wait_for_git(running, after=long / 3)),
        "two workers": (CONVERT, ("convert", "-j", "2"), lambda _: time.sleep(long / 2)),
        "training": (TRAIN, course.words[TRAIN], lambda _: time.sleep(course.seconds[TRAIN] / 2)),
    }
    for moment, (name, words, wait) in moments.items():
        for number in SIGNALS:
            study = fresh(course, name, work)
            process = start(words, study)
            wait(process)
            if process.poll() is None:
                os.killpg(process.pid, number)  # as a terminal and a batch system do
            said, _ = process.communicate()
            what = f"{number.name} in {moment}"
            row = judged(course, name, study, what, process.returncode, said)
            left = [f"{one} left running" for one in leftovers(process.pid)]
            yield row | {"unlike": "; ".join(filter(None, [*left, str(row["unlike"])]))}


def full_disks(course: Course, work: Path) -> Iterator[Row]:
    """Let the disk be full at ten moments of a command."""
    disk = work / "disk"
    disk.mkdir(exist_ok=True)
    for size in range(SIZES):
        with file_system(disk):
            study = copied(course.before[CONVERT], disk / "study")
            free = size * ROOM // (SIZES - 1)
            resize(disk, used_bytes(disk) + free)
            code, said, _ = finish(("convert",), study)
            resize(disk, 1 << 30)
            yield judged(course, CONVERT, study, f"{free // 1024} KiB free", code, said)


def used_bytes(folder: Path) -> int:
    """Return what a folder takes on a disk with blocks of 4 KiB."""
    command = ["du", "--summarize", "--block-size=1", str(folder)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(listed.stdout.split()[0])


@contextmanager
def file_system(disk: Path) -> Iterator[None]:
    """Mount a file system in memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def resize(disk: Path, size: int) -> None:
    """Give a file system in memory another size, in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def killed_workers(course: Course, work: Path) -> Iterator[Row]:
    """Kill one worker as soon as it is there, and one in the middle of its work."""
    for what, part in (("a worker killed while starting", 0.0), ("a worker killed in a unit", 0.5)):
        study = fresh(course, CONVERT, work)
        process = start(("convert", "-j", "2"), study)
        time.sleep(part * course.seconds[CONVERT])
        kill_worker(process)
        said, _ = process.communicate()
        yield judged(course, CONVERT, study, what, process.returncode, said)


def kill_worker(process: subprocess.Popen[str]) -> None:
    """Wait for a worker of a command, and kill it."""
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # ended between the list and the look
                words = " ".join(child.cmdline())
                if "spawn_main" in words or "forkserver" in words or "dask" in words:
                    child.kill()
                    return
        time.sleep(0.01)


def hanging_filter(course: Course, work: Path) -> Iterator[Row]:
    """Let the user's git settings name a filter that never ends."""
    attributes = work / "attributes"
    attributes.write_text("* filter=hangs\n", "utf-8")
    settings = work / "gitconfig"
    settings.write_text(
        f"[core]\n  attributesFile = {attributes}\n"
        '[filter "hangs"]\n  clean = sleep 3600\n  smudge = sleep 3600\n  required = true\n',
        "utf-8",
    )
    study = fresh(course, CONVERT, work)
    os.environ["GIT_CONFIG_GLOBAL"] = str(settings)
    try:
        code, said, _ = finish(("convert",), study)
    finally:
        del os.environ["GIT_CONFIG_GLOBAL"]
    yield judged(course, CONVERT, study, "a filter that hangs", code, said)


if __name__ == "__main__":
    sys.exit(main())
