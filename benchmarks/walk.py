"""Which files of the package a piece of work walks through: python benchmarks/walk.py [WALK]

`series` is one digital patient with its DICOM series and structure set, to dataset.json;
`prediction` is one prediction from the command line to Table 3, with a stand-in for the network.
Prints the files of `cta_data` in the order in which they are first entered, the climbs (calls into
a higher room) and the returns (calls back into a file that was left), each pair of files once, and
the files that a command read more than once.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = f"{ROOT / 'cta_data'}/"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from helpers.command_line import run_cta  # noqa: E402
from helpers.light_study import (  # noqa: E402
    add_patient,
    build,
    make_light_study,
    train,
    use_stand_in,
)
from helpers.new_study import new_study  # noqa: E402
from test_rooms import floor_of  # noqa: E402

from cta_data.engine import driver  # noqa: E402
from cta_data.phantom import VoxelSizes  # noqa: E402
from cta_data.phantom.trial import write_trial  # noqa: E402

SIZES = VoxelSizes(mprage=2.5, space=2.5, ct_in_plane=2.5, ct_slice=2.5)
MOST_NAMED = 3
TABLES = "study/tables/store.py"


@dataclass
class Walk:
    """What was entered and read while a command ran.

    Attributes
    ----------
    files
        Files of the package, in the order in which they were first entered.
    steps
        Pairs of files of which the first called the second, with the number of calls.
    reads
        Files of the folder that were opened to be read, with the number of times.
    """

    folder: Path
    files: dict[str, None] = field(default_factory=dict)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    returns: set[tuple[str, str]] = field(default_factory=set)

    def enter(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call, as `sys.setprofile` tells of it; not the code of a module or a class."""
        code = frame.f_code
        if event != "call" or not _is_ours(code.co_filename) or code.co_name == "<module>":
            return
        name = code.co_filename.removeprefix(HOUSE)
        if name == TABLES and code.co_name == "_read_checked":  # Arrow opens files unseen
            self.read(frame.f_locals["path"])
        caller = _caller(frame)
        if caller == name:
            return
        if name in self.files and caller:
            self.returns.add((caller, name))
        self.files[name] = None
        self.steps[caller, name] += 1

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note a file of the folder that is opened to be read, as an audit hook tells of it."""
        if event == "open" and isinstance(arguments[0], str) and arguments[1] in ("r", "rb"):
            self.read(arguments[0])

    def read(self, path: Path | str) -> None:
        """Note a file that was read."""
        if str(path).startswith(f"{self.folder}/") and "/.git/" not in str(path):
            self.reads[str(path).removeprefix(f"{self.folder}/")] += 1

    @property
    def climbs(self) -> int:
        """Pairs of files of which the first called one in a higher room."""
        return sum(bool(one) and _floor(other) > _floor(one) for one, other in self.steps)


def _caller(frame: FrameType) -> str:
    """Return the file of the package that a call came from, through whatever library."""
    above = frame.f_back
    while above is not None and not _is_ours(above.f_code.co_filename):
        above = above.f_back
    return above.f_code.co_filename.removeprefix(HOUSE) if above else ""


def _is_ours(path: str) -> bool:
    return path.startswith(HOUSE) and path.endswith(".py")


def _floor(name: str) -> int:
    return floor_of(name.removesuffix(".py").replace("/", "."))


_listening: list[Walk] = []
sys.addaudithook(lambda event, arguments: [one.audit(event, arguments) for one in _listening][:0])


@contextmanager
def walked(folder: Path) -> Iterator[Walk]:
    """Note what this process enters and reads; units run in it, and not in a copy of it."""
    walk = Walk(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "CAN_FORK", False)
        _listening.append(walk)
        sys.setprofile(walk.enter)
        try:
            yield walk
        finally:
            sys.setprofile(None)
            _listening.clear()


def command(study: Path, *words: str) -> Walk:
    """Run a command in this process; return its walk."""
    with walked(study.parent) as walk:
        done = run_cta(*words, study=study)
    if done.code not in (0, 3):
        raise SystemExit(f"cta-data {' '.join(words)}: {done.text}")
    return walk


def series(folder: Path) -> dict[str, Walk]:
    """Walk a digital patient's export into a cohort, and to the training set that it is part of."""
    raw = folder / "trial"
    write_trial(raw, n_naq=2, n_haq=0, seed=1, voxel_sizes=SIZES, phases=("late",))
    study = new_study(folder / "study", "internal").root
    toml = (study / "study.toml").read_text("utf-8").replace("folds = 5", "folds = 2")
    (study / "study.toml").write_text(toml, "utf-8")
    return {
        "add": command(study, "add", "internal", str(raw / "raw")),
        "build": command(study, "build", "--setting", "A"),
    }


def prediction(folder: Path) -> dict[str, Walk]:
    """Walk a prediction of two models from the command line to Table 3."""
    study = make_light_study(folder / "study")
    for number in range(5):
        add_patient(study, "internal", f"n{number}", "NAQ", 2 * number)
        add_patient(study, "internal", f"h{number}", "HAQ", 2 * number + 1)
    add_patient(study, "susm", "s0", "NAQ", 900)
    for setting in ("A", "B"):
        build(study, setting)
        train(study, setting, (0, 1))
    study.tables.flush()
    words = ("--setting", "A", "--setting", "B", "--on", "susm", "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        use_stand_in(patch)
        predicted = command(study.root, "predict", *words)
    return {"predict": predicted, "evaluate": command(study.root, "evaluate")}


WALKS: dict[str, Callable[[Path], dict[str, Walk]]] = {"series": series, "prediction": prediction}


def main(names: list[str]) -> None:
    """Print the walks of these names; of all without one."""
    for name in names or WALKS:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for words, walk in WALKS[name](Path(folder)).items():
                about = (
                    f"{len(walk.files)} files, {walk.climbs} climbs, {len(walk.returns)} returns"
                )
                print(f"\n{name}: cta-data {words}: {about}\n")
                print(
                    *(f"    {number:3} {file}" for number, file in enumerate(walk.files, 1)),
                    sep="\n",
                )
                print("\nread more than once:")
                for line in repeated(walk):
                    print(f"    {line}")


def repeated(walk: Walk) -> Iterator[str]:
    """Yield what was read more than once; many files of one folder are one line."""
    by_folder: dict[tuple[int, str], list[str]] = {}
    for path, times in sorted(walk.reads.items()):
        if times > 1:
            by_folder.setdefault((times, str(Path(path).parent)), []).append(path)
    for (times, folder), paths in by_folder.items():
        named = paths if len(paths) <= MOST_NAMED else [f"{len(paths)} files of {folder}"]
        yield from (f"{times} × {name}" for name in named)


if __name__ == "__main__":
    main(sys.argv[1:])
