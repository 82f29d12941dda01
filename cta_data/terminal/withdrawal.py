"""What `cta-data withdraw` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cta_data.pipeline.withdrawal.command import Withdrawn
from cta_data.pipeline.withdrawal.history import AT_SIBLING, Forgotten
from cta_data.pipeline.withdrawal.traces import Traces, total_size
from cta_data.reasons import counted

MOST_NAMED = 3
FORGET = "cta-data withdraw --forget-history --yes"
HISTORY = (
    "git history still names the subject (paths, sidecars, tables of earlier commits, messages), "
    "here, in every clone and in every sibling"
)


def traces_content(found: Traces) -> dict[str, Any]:
    """Return all traces as JSON content."""
    return {
        "cohort": found.names.cohort,
        "subject": found.names.subject,
        "files": found.files,
        "texts": found.texts,
        "rows": found.rows,
        "content": [
            {
                "dataset": one.dataset,
                "keys": sorted(one.keys),
                "here": len(one.here),
                "bytes": total_size(one.keys),
                "shared": sorted(one.shared),
                "commits": one.commits,
                "siblings": list(one.siblings),
            }
            for one in found.content
        ],
    }


def traces_lines(found: Traces) -> Iterator[str]:
    """Yield what would be removed, and what would be left."""
    yield f"{found.names}: nothing is changed; with --yes this is removed, and cannot come back"
    for kind, paths in sorted(found.files.items()):
        if paths:
            yield f"  {kind}: {counted(len(paths), 'file')}{_such_as(paths)}"
    if found.texts:
        yield f"  lines of {counted(len(found.texts), 'file')} of others{_such_as(found.texts)}"
    for table, number in sorted(found.rows.items()):
        yield f"  table {table}: {counted(number, 'row')}"
    for one in found.content:
        name = one.dataset or "the study itself"
        if one.keys:
            size = f"{total_size(one.keys):,} bytes"
            told = f"{counted(len(one.keys), 'key')} in all commits, {len(one.here)} here, {size}"
            yield f"  annexed content of {name}: {told}"
            if one.siblings:
                yield f"    and in siblings: {', '.join(one.siblings)}"
        if one.shared:
            yield f"    {counted(len(one.shared), 'key')} of others as well: that content stays"
    named = [one for one in found.content if one.commits]
    if named:
        commits = sum(one.commits for one in named)
        told = f"{counted(commits, 'commit')} of {counted(len(named), 'dataset')}"
        yield f"Stays until `{FORGET}`: {told} that name it in git"


def withdrawn_content(made: Withdrawn) -> dict[str, Any]:
    """Return what was done as JSON content."""
    return {
        **vars(made),
        "dropped": {
            place: {"keys": keys, "bytes": size} for place, (keys, size) in made.dropped.items()
        },
        "unreached": [vars(one) for one in made.unreached],
        "history": {"is_left": True, "remove_with": FORGET},
    }


def withdrawn_lines(made: Withdrawn) -> Iterator[str]:
    """Yield what was removed, what could not be, and at the end the counts."""
    if made.builds:
        yield f"Builds that held the subject, now stale: {', '.join(made.builds)}"
    for model in made.models:
        yield f"Model {model} was trained on the subject: its card says so"
    for one in made.unreached:
        where = f"{one.place} ({one.dataset or 'the study itself'})"
        yield f"NOT removed: up to {counted(one.n_keys, 'key')} in {where}: {one.why}"
    for path in made.left:
        yield f"NOT changed, edit it yourself: {path}"
    yield f"{HISTORY}. `{FORGET}` removes it here; clones are to be deleted and made anew"
    yield "Next: cta-data doctor  # proves that nothing is left here"
    dropped = [
        f"{place} {keys} keys, {size:,} bytes" for place, (keys, size) in made.dropped.items()
    ]
    told = f"{made.n_files} files and {made.n_rows} rows removed; {made.n_keys} keys"
    yield f"{told}, {made.n_bytes:,} bytes; dropped: {'; '.join(dropped) or 'nothing was there'}"


def history_content(wanted: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return the datasets whose history would be removed, as JSON content."""
    return {"datasets": {path: sorted(keys) for path, keys in wanted.items()}}


def history_lines(wanted: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield the datasets whose history would be removed."""
    for path in wanted:
        yield f"  {path or 'the study itself'}: all commits before the present state"
    number = counted(len(wanted), "dataset")
    yield f"{number}; nothing is changed; with --yes their history begins anew"


def forgotten_content(done: Iterable[Forgotten]) -> dict[str, Any]:
    """Return what was forgotten as JSON content."""
    return {"datasets": [vars(one) for one in done], "at_siblings": AT_SIBLING}


def forgotten_lines(done: list[Forgotten]) -> Iterator[str]:
    """Yield what was forgotten, and what is left to do elsewhere."""
    for one in done:
        gone = f", and {', '.join(one.references)}" if one.references else ""
        yield f"  {one.dataset or 'the study itself'}: {counted(one.commits, 'commit')}{gone}"
    commands = [command for one in done for command in one.commands]
    if commands:
        yield "Siblings keep their history until you run, here:"
        yield from (f"  {command}" for command in commands)
        yield "and then, in each of these repositories:"
        yield f"  {AT_SIBLING}"
    yield "Clones keep theirs: delete them, and clone again"
    commits = counted(sum(one.commits for one in done), "commit")
    yield f"{commits} of {counted(len(done), 'dataset')} removed"


def _such_as(paths: list[str]) -> str:
    shown = paths[:MOST_NAMED]
    more = f" and {len(paths) - MOST_NAMED} more" if paths[MOST_NAMED:] else ""
    return f": {', '.join(shown)}{more}"
