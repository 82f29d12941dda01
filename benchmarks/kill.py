"""Kill commands at random moments, run them again, and compare with a study left in peace.

Run ``python benchmarks/kill.py [--kills 200] [--seed 1] [--command NAME ...] [--folder FOLDER]``.
A study of a few tiny sessions goes through every command once, undisturbed. Then, kill by kill, a
command starts from the same state and is killed: the main process alone or its whole group, at a
moment of its run or while git or git-annex works for it. The same command is run again, and the
study must be equal: what git has in every dataset (annex keys, tables), nothing left to commit,
`git fsck` and `git annex fsck` clean, no process and no lock left over.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
from scale_study import CARD, write_raw

from cta_data.study.study import CONFIGURATION, UNFINISHED
from cta_data.training.nnunet.model_card import COST
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.leftovers import MARK
from cta_data.versioning.tools import use_environment_tools

TRAINING = """
[training]
epochs = 2
iterations_per_epoch = 2
validation_iterations = 1
reproducible = true
patch_size = [16, 16, 16]
features = [4, 8, 8]
batch_size = 2
mirroring = false
tile_step = 1.0
"""
DAY = ("--date", "2026-01-01")
MODEL = ("--setting", "B", "--device", "cpu")
NEW_COHORT = "cohort"
"""Its salt is drawn anew, and with it the names of series: files are compared by number."""
LONGEST_S = 600.0
"""A command that takes longer hangs."""
WAYS = ("group", "main")
MOMENTS = ("any", "git")

Words = tuple[str, ...]


def commands(work: Path) -> dict[str, Words]:
    """Return the commands by name, in their order; each finds what those before have made."""
    cohort = ("add", "tiny", str(work / "first"), "--card", str(work / "tiny.toml"))
    accept = ("accept", "tiny", "--subject", "001", "--reject", "--reason", "looked at")
    return {
        "init": ("init", "{study}", "--empty", "--name", "killed"),
        NEW_COHORT: cohort,
        "add": ("add", "tiny", str(work / "raw")),
        "convert": ("convert", "-j", "2"),
        "register": ("register",),
        "transfer": ("transfer",),
        "strip": ("strip",),
        "measure": ("measure",),
        "accept": (*accept, "--author", "A. Reader", "--step", "transfer", *DAY),
        "build": ("build", "--setting", "B"),
        "pictures": ("pictures",),
        "train": ("train", *MODEL, "--fold", "0"),
        "predict": ("predict", *MODEL, "--on", "test"),
        "evaluate": ("evaluate",),
        "report": ("report", "table1"),
    }


@dataclass(frozen=True)
class State:
    """What a study holds: by dataset and path what git has, and what is wrong with it."""

    files: Mapping[str, str]
    faults: tuple[str, ...]

    @classmethod
    def of(cls, study: Path) -> State:
        """Read the state of a study, of which nothing may be there."""
        files: dict[str, str] = {}
        faults: list[str] = []
        for dataset in datasets_of(study) if (study / ".git").exists() else []:
            name = dataset.relative_to(study).as_posix()
            for line in git(dataset, "ls-tree", "-r", "HEAD").splitlines():
                about, path = line.split("\t")
                mode, _, blob = about.split()
                if path in (".datalad/config", ".gitmodules"):
                    files[f"{name}/{path}"] = without_ids(git(dataset, "show", f"HEAD:{path}"))
                elif path.endswith("/card.json"):
                    files[f"{name}/{path}"] = without_cost(git(dataset, "show", f"HEAD:{path}"))
                else:
                    files[f"{name}/{path}"] = "dataset" if mode == "160000" else blob
            faults += [f"{name}: {line}" for line in faults_of(dataset)]
        return cls(files, tuple(faults))

    def unlike(self, other: State, *, salted: bool) -> list[str]:
        """Name what differs from another state, and what is wrong with this one."""
        if salted:
            mine, theirs = (Counter(map(without_series, one.files)) for one in (self, other))
            return [*(mine - theirs), *(theirs - mine), *self.faults]
        paths = sorted(self.files.keys() | other.files.keys())
        differ = [path for path in paths if self.files.get(path) != other.files.get(path)]
        return [*differ, *self.faults]


def without_ids(text: str) -> str:
    """Return a text without the identifiers that DataLad draws for every dataset anew."""
    return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", text)


def without_cost(text: str) -> str:
    """Return a model's card without what its training took: a killed one took more."""
    return json.dumps({key: value for key, value in json.loads(text).items() if key not in COST})


def without_series(path: str) -> str:
    """Return a path without what its cohort's salt has made of a series."""
    return re.sub(r"series-[0-9a-f]{8}", "series", path)


def faults_of(dataset: Path) -> list[str]:
    """Return what is not committed, locked or damaged in one dataset."""
    faults = git(dataset, "status", "--porcelain").splitlines()
    faults += [str(lock) for lock in (dataset / ".git").glob("*.lock")]
    for words in (("fsck", "--no-dangling", "--no-progress"), ("annex", "fsck", "--quiet")):
        done = subprocess.run(["git", *words], cwd=dataset, capture_output=True, text=True)
        if done.returncode:
            faults.append(f"git {' '.join(words)}: {done.stdout}{done.stderr}".strip())
    return faults


def git(dataset: Path, *words: str) -> str:
    """Return what a command of git says."""
    command = ["git", *words]
    return subprocess.run(command, cwd=dataset, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Kill:
    """When and how a command is killed."""

    command: str
    way: str
    moment: str
    part: float
    """Part of the undisturbed run, or of 0.1 s after a process of git has begun."""


def plan(kills: int, names: list[str], seed: int) -> list[Kill]:
    """Return the kills, every command and way in turn, at moments that follow from the seed."""
    chance = random.Random(seed)
    kinds = [(name, way, moment) for way in WAYS for moment in MOMENTS for name in names]
    return [Kill(*kinds[number % len(kinds)], chance.random()) for number in range(kills)]


def start(words: Words, study: Path) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    given = [word.replace("{study}", str(study)) for word in words]
    of_study = [] if words[0] == "init" else ["--study", str(study)]
    return subprocess.Popen(
        [sys.executable, "-m", "cta_data", *given, *of_study],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(words: Words, study: Path) -> tuple[int, str, float]:
    """Run a command to its end; return exit code, what it said and its seconds."""
    started = time.monotonic()
    process = start(words, study)
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return -1, f"hangs: nothing after {LONGEST_S:.0f} s", LONGEST_S
    return process.returncode, said, time.monotonic() - started


def end(process: subprocess.Popen[str], kill: Kill, seconds: float) -> bool:
    """Kill a command at its moment; tell whether it was still running."""
    if kill.moment == "any":
        time.sleep(kill.part * seconds)
    else:
        wait_for_git(process, after=kill.part * seconds)
        time.sleep(kill.part * 0.1)
    killed = process.poll() is None
    if killed:
        (os.killpg if kill.way == "group" else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()
    return killed


def wait_for_git(process: subprocess.Popen[str], after: float) -> None:
    """Wait until a process of git runs for a command, from a moment on."""
    time.sleep(after)
    while process.poll() is None:
        try:
            children = psutil.Process(process.pid).children(recursive=True)
            if any(child.name().startswith("git") for child in children):
                return
        except psutil.Error:
            pass  # one of them ended while it was looked at: the next look tells
        time.sleep(0.002)


def leftovers(number: int, seconds: float = 10.0) -> list[str]:
    """Name processes that a killed command left and that did not end by themselves."""
    mark = str(number)
    left: list[str] = []
    for _ in range(int(seconds / 0.2)):
        processes = psutil.process_iter(["pid", "name", "environ", "status"])
        left = [
            str(one.info["name"])
            for one in processes
            if (one.info["environ"] or {}).get(MARK) == mark
            and one.info["status"] != psutil.STATUS_ZOMBIE
        ]
        if not left:
            break
        time.sleep(0.2)
    return left


@dataclass
class Course:
    """A study's states before and after every command, undisturbed."""

    words: dict[str, Words]
    before: dict[str, Path]
    after: dict[str, State]
    codes: dict[str, int]
    seconds: dict[str, float]


def undisturbed(work: Path, last: str) -> Course:
    """Run every command once, up to the last that is asked for; keep a copy before each."""
    write_raw(work / "raw")
    shutil.copytree(work / "raw" / "P0", work / "first" / "P0")
    card = CARD.replace('access = "restricted"', 'access = "restricted"\npartition = "trial"')
    (work / "tiny.toml").write_text(card, "utf-8")
    course = Course(commands(work), {}, {}, {}, {})
    study = work / "study"
    for name, words in course.words.items():
        course.before[name] = copied(study, work / f"before_{name}")
        code, said, seconds = finish(words, study)
        if code not in (0, 3):
            raise SystemExit(f"{name} ended with {code} though nothing killed it:\n{said}")
        if name == "init":
            configure(study)
        course.after[name] = State.of(study)
        course.codes[name], course.seconds[name] = code, seconds
        print(f"{name:10} exit {code}, {seconds:.1f} s", *course.after[name].faults, flush=True)
        if name == last:
            break
    return course


def configure(study: Path) -> None:
    """Have the study train in seconds on groups of unequal size."""
    path = study / "study.toml"
    text = path.read_text("utf-8").replace("equalise_groups = true", "equalise_groups = false")
    path.write_text(text.replace("folds = 5", "folds = 2") + TRAINING, "utf-8")
    git(study, "commit", "--quiet", "--no-verify", "--message", "configured", "study.toml")


def copied(study: Path, target: Path) -> Path:
    """Copy a study as it is; of nothing, nothing."""
    if study.exists():
        shutil.copytree(study, target, symlinks=True)
    return target


def removed(folder: Path) -> None:
    """Remove a folder with content that git-annex has locked."""
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def one(course: Course, kill: Kill, work: Path) -> dict[str, object]:
    """Kill one command once, run it again, and compare."""
    study = work / "study"
    removed(study)
    copied(course.before[kill.command], study)
    words = course.words[kill.command]
    process = start(words, study)
    killed = end(process, kill, course.seconds[kill.command])
    problems = [f"left running: {name}" for name in leftovers(process.pid)]
    made = kill.command == "init" and (study / CONFIGURATION).exists()
    made = made and not (study / UNFINISHED).exists()
    code, said, _ = finish(words, study)
    if kill.command == "init" and (made or code == 0):
        configure(study)
    # The kill may have come too late: a study that is there is not made twice.
    if code != (1 if made else course.codes[kill.command]):
        problems.append(f"exit {code}: {said[-2000:]}")
    problems += State.of(study).unlike(
        course.after[kill.command], salted=kill.command == NEW_COHORT
    )
    row = {"command": kill.command, "killed": kill.way, "moment": kill.moment}
    return row | {"was_running": killed, "problems": problems}


def as_benchmark() -> None:
    """Let git commit under a name of the benchmark's own."""
    for role in ("AUTHOR", "COMMITTER"):
        os.environ[f"GIT_{role}_NAME"] = "Benchmark"
        os.environ[f"GIT_{role}_EMAIL"] = "benchmark@example.org"


def main() -> int:
    """Kill, compare, print; exit 1 where a study differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--command", action="append", help="only this one; repeatable")
    parser.add_argument("--folder", type=Path, help="work here, and keep what differs")
    chosen = parser.parse_args()
    use_environment_tools()
    as_benchmark()
    work = chosen.folder or Path(tempfile.mkdtemp(prefix="cta-kill-"))
    work.mkdir(parents=True, exist_ok=True)
    every = list(commands(work))
    names = [name for name in every if name in (chosen.command or every)]
    course = undisturbed(work, names[-1])
    rows = []
    for number, kill in enumerate(plan(chosen.kills, names, chosen.seed)):
        row = one(course, kill, work)
        rows.append(row)
        outcome = "differs" if row["problems"] else "equal"
        print(f"{number + 1} of {chosen.kills}: {kill.command}: {outcome}", file=sys.stderr)
        if row["problems"]:
            kept = copied(work / "study", work / f"differs_{number}")
            print(f"{kill}, see {kept}:", *map(str, row["problems"]), sep="\n  ", flush=True)
    show(pd.DataFrame(rows))
    different = any(row["problems"] for row in rows)
    if not chosen.folder:
        removed(work)
    return int(different)


def show(rows: pd.DataFrame) -> None:
    """Print a row for each command and way."""
    rows = rows.assign(equal_after=[not problems for problems in rows["problems"]], kills=1)
    columns = ["kills", "was_running", "equal_after"]
    by = rows.groupby(["command", "killed"], sort=False)[columns].sum()
    by.loc[("all", ""), columns] = by.sum()
    print(by.astype(int).to_string())


if __name__ == "__main__":
    sys.exit(main())
