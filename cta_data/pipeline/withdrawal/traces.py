"""Where a subject is in a study: files, rows, annexed content, history, siblings."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES
from cta_data.study.tables.table_row import SESSION, TableRow, fields_of
from cta_data.versioning.annex_content import keys_here, siblings_of, size_of
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.key_uses import OTHER_BRANCHES, read_history
from cta_data.versioning.run_records import RUN_INFO

RESULTS = "results that counted the subject"
WORKING = "working folders"
LINES = "texts that name the subject"
_PLACES = {
    layout.PREDICTIONS: "predictions",
    layout.REFERENCES: "references",
    layout.MODELS: "validation masks of models",
    layout.BUILDS: "builds",
}
_KEPT_IN_EVALUATION = (layout.PREDICTIONS, layout.REFERENCES)
_LARGEST_TEXT = 256 << 20


@dataclass(frozen=True)
class Trace:
    """Annexed content of a subject in one dataset.

    Attributes
    ----------
    dataset
        Path from the top of the study; empty for the study itself.
    keys
        Keys that files of this subject alone use, in any commit.
    here
        Those whose content is in this copy.
    shared
        Keys that files of others use as well: their content stays.
    commits
        Commits that change a file of the subject, or whose message names it.
    siblings
        Names of the siblings.
    """

    dataset: str
    keys: frozenset[str]
    here: frozenset[str]
    shared: frozenset[str]
    commits: int
    siblings: tuple[str, ...]


@dataclass(frozen=True)
class Traces:
    """All traces of a subject.

    Attributes
    ----------
    files
        Paths from the top of the study, by what they are.
    texts
        Files of others that name the subject, which stay without the lines about it.
    rows
        Number of rows by table.
    content
        A trace for each dataset.
    """

    names: SubjectNames
    files: dict[str, list[str]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    content: list[Trace] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing names the subject: it was never here."""
        named = any(one.keys or one.commits for one in self.content)
        return not (named or self.rows or any(f for k, f in self.files.items() if k != RESULTS))


def find_traces(study: Study, names: SubjectNames) -> Traces:
    """Look for a subject everywhere in a study; nothing is changed.

    Raises
    ------
    CtaError
        git failed.
    """
    found = Traces(names)
    for path in files_of(study.root):
        kind = _kind(path)
        if names.in_path(path):
            found.files.setdefault(kind, []).append(path)
        elif is_result(path):
            found.files.setdefault(RESULTS, []).append(path)
        elif names_inside(study.root, path, names):
            found.texts.append(path)
    found.rows.update((of.TABLE, n) for of in ROW_TYPES if (n := _count(study, of, names)))
    if not found.rows and not any(found.files[kind] for kind in found.files if kind != RESULTS):
        found.files.pop(RESULTS, None)  # of a subject who left before, no result is any more
    found.content.extend(_content(study, names))
    return found


def files_of(root: Path) -> Iterator[str]:
    """Yield all files of a study, in its datasets and in `.cta`; git's own are left out."""
    for folder, inside, files in os.walk(root):
        inside[:] = sorted(name for name in inside if name != ".git")
        top = os.path.relpath(folder, root)
        links = [name for name in inside if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            if name != ".git":
                yield name if top == "." else f"{top}/{name}"


def is_result(path: str) -> bool:
    """Return whether a file is a page, table or figure that commands make again."""
    within = path.startswith(f"{layout.EVALUATION}/")
    kept = (f"{place}/" for place in _KEPT_IN_EVALUATION)
    return within and not any(path.startswith(place) for place in kept)


def names_inside(root: Path, path: str, names: SubjectNames) -> bool:
    """Return whether a text that is no annexed file names a subject; tables are not looked into."""
    text = text_of(root / path)
    return text is not None and names.in_text(text, of_cohort=is_of_cohort(path, names))


def is_of_cohort(path: str, names: SubjectNames) -> bool:
    """Return whether a file lies in the datasets of the subject's cohort."""
    return path.startswith(f"{layout.cohort(names.cohort)}/")


def text_of(path: Path) -> str | None:
    """Return the text of a file; None for one of another kind, or none at all.

    Records of commands with many files (`.datalad/runinfo`) are compressed texts.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_TEXT:
        return None
    content = path.read_bytes()
    if RUN_INFO in path.as_posix():
        try:
            content = lzma.decompress(content)
        except lzma.LZMAError:
            return None
    if b"\0" in content[:4096]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _kind(path: str) -> str:
    if path.startswith(".cta/"):
        return WORKING
    if is_result(path):
        return RESULTS
    for place, kind in _PLACES.items():
        if path.startswith(f"{place}/"):
            return kind
    parts = path.split("/")
    if parts[0] != "datasets":
        return "other files"
    return {"sourcedata": "sourcedata", "derivatives": "derivatives"}.get(parts[2], "BIDS dataset")


def is_row_of(row: TableRow, names: SubjectNames) -> bool:
    """Return whether a row of a table is about a subject."""
    fields = fields_of(type(row))
    has_subject = SESSION in fields or {"cohort", "subject"} <= {*fields}
    if has_subject and (row.column("cohort"), row.column("subject")) == names.patient:
        return True
    return "case" in fields and names.in_text(str(row.column("case")))


def _count(study: Study, of: type[TableRow], names: SubjectNames) -> int:
    return sum(is_row_of(row, names) for row in study.tables.rows(of))


def _content(study: Study, names: SubjectNames) -> Iterator[Trace]:
    for dataset in datasets_of(study.root):
        top = dataset.relative_to(study.root)
        prefix = "" if dataset == study.root else f"{top.as_posix()}/"
        history = read_history(dataset)
        mine = {
            path for path in _paths(history.uses, history.commits) if names.in_path(prefix + path)
        }
        used = {key: paths for key, paths in history.uses.items() if paths & mine}
        keys = frozenset(key for key, paths in used.items() if paths <= mine)
        changed = [history.commits.get(path, set()) for path in mine]
        commits = set().union(*changed, _messages(dataset, names))
        has_annex = bool(history.uses) or (dataset / ".git" / "annex").is_dir()
        yield Trace(
            prefix.rstrip("/"),
            keys,
            frozenset(keys & keys_here(dataset)),
            frozenset(used) - keys,
            len(commits),
            tuple(siblings_of(dataset)) if has_annex else (),
        )


def _paths(uses: dict[str, set[str]], commits: dict[str, set[str]]) -> set[str]:
    return {*commits, *(path for paths in uses.values() for path in paths)}


def _messages(dataset: Path, names: SubjectNames) -> set[str]:
    printed = run_git(dataset, "log", OTHER_BRANCHES, "--all", "--format=%H%n%B%x00", check=True)
    entries = (entry.strip().partition("\n") for entry in printed.stdout.split("\0"))
    return {commit for commit, _, text in entries if commit and names.in_text(text)}


def total_size(keys: Iterable[str]) -> int:
    """Return the bytes of one copy of each key."""
    return sum(map(size_of, keys))
