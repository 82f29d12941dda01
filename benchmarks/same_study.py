"""Whether two studies hold the same: python benchmarks/same_study.py STUDY1 STUDY2.

Compares the content of every file that a unit made, every table by the columns that both have, and
the files of builds and evaluation. Prints each difference, and exits with 1 where there is one.
What tells nothing of a study's data is left out: commits, logs, salts and what is in `.cta`.

Labels follow from a study's salt: subjects of two studies with other salts are matched by the
voxels of their images. Partitions follow from labels, and are compared where labels are the same.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cta_data.versioning.keys import content_key

MOST_SHOWN = 5
OWN_OF_A_STUDY = (".git", ".cta", ".datalad")
OF_UNITS = ("key", "parameters", "input_keys")
"""Columns of `units` that say how a result was asked for, not what it is; told apart."""
RENAMED = {"annotations": "rois"}
"""Tables of earlier versions under the names that they have now."""
OF_PARTITION = ("partition", "fold", "exclusion_reason", "exclusion_code", "inputs")
WORDS_OF_PROVENANCE = ("unit_key", "software")


def main(first: Path, second: Path) -> int:
    """Compare and print; return the exit code."""
    labels = _labels(first, second)
    same_labels = all(one == other for one, other in labels.items())
    if not same_labels:
        print(f"{len(labels)} subjects matched by their voxels; partitions are not compared")
    differences = [*_files(first, second, labels), *_tables(first, second, labels)]
    for line in differences:
        print(line)
    for name in OF_UNITS:
        equal, both = _same_of_units(first, second, name)
        print(f"units: {equal} of {both} have the same {name}")
    print("different" if differences else "the same")
    return 1 if differences else 0


def _labels(first: Path, second: Path) -> dict[str, str]:
    """Return the labels of the first study by those of the second."""
    of_voxels: list[dict[str, str]] = []
    for study in (first, second):
        rows = pq.read_table(study / "manifests" / "images.parquet").to_pylist()
        of_voxels.append({row["voxels_sha256"]: row["subject"] for row in rows})
    for found in of_voxels:
        found.pop(None, None)  # of images that hold one value alone
    both = of_voxels[0].keys() & of_voxels[1].keys()
    return {of_voxels[1][one]: of_voxels[0][one] for one in both}


def _relabelled(text: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"(?<=sub-)[A-Za-z0-9+]+", lambda m: labels.get(m[0], m[0]), text)


def _files(first: Path, second: Path, labels: Mapping[str, str]) -> Iterator[str]:
    follows = any(one != other for one, other in labels.items())
    one = {path: path for path in _listed(first)}
    other = {_relabelled(path, labels): path for path in _listed(second)}
    if follows:  # what holds labels, and what follows from them
        for found in (one, other):
            for path in [p for p in found if p.startswith("builds/") or p.endswith(".tsv")]:
                del found[path]
    yield from _few("files only in the first", sorted(one.keys() - other.keys()))
    yield from _few("files only in the second", sorted(other.keys() - one.keys()))
    both = sorted(one.keys() & other.keys())
    changed = [path for path in both if not _same_file(first / path, second / other[path])]
    yield from _few("files that differ", changed)
    print(f"{len(both)} files in both, {len(both) - len(changed)} the same")


def _listed(root: Path) -> set[str]:
    """Return the files of a study but for what is its own, from its top."""
    found = set()
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in OWN_OF_A_STUDY]
        for name in names:
            path = Path(folder, name).relative_to(root).as_posix()
            own = name.endswith((".parquet", "pseudonyms.salt")) or name in (".git", ".gitmodules")
            if not own and "/sourcedata/" not in path:
                found.add(path)
    return found


def _same_file(one: Path, other: Path) -> bool:
    if one.name == "build.json":
        return _without_provenance(one) == _without_provenance(other)
    return _content(one) == _content(other)


def _content(path: Path) -> str:
    return (content_key(path) or "").split(".")[0]


def _without_provenance(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text("utf-8"))
    return {name: value for name, value in content.items() if name not in WORDS_OF_PROVENANCE}


def _tables(first: Path, second: Path, labels: Mapping[str, str]) -> Iterator[str]:
    one, other = ({p.stem for p in (s / "manifests").glob("*.parquet")} for s in (first, second))
    yield from _few("tables only in the first", sorted(one - other))
    yield from _few("tables only in the second", sorted(other - one - {*RENAMED.values()}))
    renamed = {old: new for old, new in RENAMED.items() if new in other - one}
    for name in sorted(one & other):
        yield from _table(name, renamed.get(name, name), first, second, labels)


def _table(
    name: str, new_name: str, first: Path, second: Path, labels: Mapping[str, str]
) -> Iterator[str]:
    one = pq.read_table(first / "manifests" / f"{name}.parquet")
    other = pq.read_table(second / "manifests" / f"{new_name}.parquet")
    yield from _few(f"{name}: columns gone", sorted({*one.column_names} - {*other.column_names}))
    yield from _few(f"{name}: columns new", sorted({*other.column_names} - {*one.column_names}))
    if one.num_rows != other.num_rows:
        yield f"{name}: {one.num_rows} and {other.num_rows} rows"
        return
    both = [column for column in one.column_names if column in other.column_names]
    skipped = OF_UNITS if name == "units" else ("unit_key",)
    if any(new != old for new, old in labels.items()):
        skipped += OF_PARTITION
    named = [{old: old for old in labels.values()}, labels]
    rows = [
        _ordered([_row(row, own) for row in table.select(both).to_pylist()], skipped)
        for table, own in zip((one, other), named, strict=True)
    ]
    changed = {
        column
        for old, new in zip(*rows, strict=True)
        for column in both
        if column not in skipped and old[column] != new[column]
    }
    yield from _few(f"{name}: columns that differ", sorted(changed))
    print(f"{name}: {one.num_rows} rows, {len(both)} columns compared")


def _row(row: dict[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a row under the labels of the first study; the paths of a list in their order."""

    def change(value: Any) -> Any:
        if isinstance(value, str):
            return _relabelled(value, labels)
        return [change(entry) for entry in value] if isinstance(value, list) else value

    changed = {name: change(value) for name, value in row.items()}
    if changed.get("subject"):
        changed["subject"] = labels.get(changed["subject"], changed["subject"])
    for name in ("inputs", "outputs"):
        if changed.get(name):
            changed[name] = sorted(changed[name])
    return changed


def _ordered(rows: list[dict[str, Any]], skipped: tuple[str, ...]) -> list[dict[str, Any]]:
    def key(row: dict[str, Any]) -> str:
        return json.dumps({n: v for n, v in row.items() if n not in skipped}, sort_keys=True)

    return sorted(rows, key=key)


def _same_of_units(first: Path, second: Path, column: str) -> tuple[int, int]:
    """Return how many units have the same value, by their outputs, and how many were compared."""
    found: list[dict[str, Any]] = []
    for study in (first, second):
        rows = pq.read_table(study / "manifests" / "units.parquet").to_pylist()
        found.append({str(row["outputs"]): row[column] for row in rows if row["outputs"]})
    both = found[0].keys() & found[1].keys()
    return sum(found[0][name] == found[1][name] for name in both), len(both)


def _few(what: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - MOST_SHOWN} more" if names[MOST_SHOWN:] else ""
        yield f"{what}: {len(names)}: {', '.join(names[:MOST_SHOWN])}{more}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
