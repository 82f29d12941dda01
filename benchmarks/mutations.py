"""Damage small right files of every kind and count what their readers make of them.

Run ``python benchmarks/mutations.py [--each 50] [--reader NAME ...] [--show]``: files of each
reader and mutation. A reader must give the right value or refuse; the columns behind `refused`
must be 0. `another value` counts files that are right in their form and hold something else.
Every reader runs in a process of its own, since a library may take it down.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.mutated_readers import READERS
from helpers.mutation_outcomes import GOOD, Judged, Outcome, judge

CRASH = "crash"


def judged(name: str, mutation: str, each: int) -> list[Judged]:
    """Judge a reader on files with one kind of damage."""
    with tempfile.TemporaryDirectory() as folder:
        return [judge(READERS[name], Path(folder, str(n)), mutation, n) for n in range(each)]


def main() -> int:
    """Print the table; exit 1 where a file was neither read rightly nor refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--reader", action="append", choices=list(READERS))
    parser.add_argument("--show", action="store_true", help="print every finding")
    chosen = parser.parse_args()
    counts: dict[str, dict[str, int]] = {}
    for name in chosen.reader or READERS:
        own = counts.setdefault(name, dict.fromkeys([*Outcome, CRASH], 0))
        for mutation in READERS[name].mutations:
            with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
                try:
                    found = pool.submit(judged, name, mutation, chosen.each).result()
                except BrokenProcessPool:
                    own[CRASH] += 1
                    print(f"{name}, {mutation}: the process died", flush=True)
                    continue
            for one in found:
                own[one.outcome] += 1
                if chosen.show and one.outcome not in GOOD:
                    told = f"{one.outcome}: {one.told}"
                    print(f"{name}, {one.mutation} {one.seed}: {told}", flush=True)
    table = pd.DataFrame(counts).T
    table.loc["all"] = table.sum()
    print(table.to_string())
    return int(table.loc["all", [kind for kind in table if kind not in GOOD]].sum() > 0)


if __name__ == "__main__":
    sys.exit(main())
