"""Whether the files of a study are those that its tables record, and hold anything at all."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from pathlib import Path

from cta_data.engine.driver import UNCOMMITTED
from cta_data.engine.records import Record
from cta_data.engine.staging import remove
from cta_data.errors import CtaError
from cta_data.study.study import Study
from cta_data.study.tables import FILE_COLUMNS, UnitRow, VariantRow
from cta_data.versioning.committed import require_tracked
from cta_data.versioning.keys import content_key

EMPTY_KEY = "MD5E-s0--"
"""Begins the key of a file that holds nothing."""


def changed_files(study: Study, among: Container[str] | None = None) -> list[str]:
    """Return the files that are there with another content than a table records.

    Parameters
    ----------
    among
        Paths from the top of the study to look at; all that the tables name without it.
    """
    named = [
        (row.column(path), row.column("annex_key"))
        for of, path in FILE_COLUMNS.items()
        for row in study.tables.rows(of)
    ]
    named += [(row.labels_path, row.labels_key) for row in study.tables.rows(VariantRow)]
    return [
        path
        for path, key in named
        if key is not None
        and (among is None or path in among)
        and content_key(study.root / path) not in (key, None)
    ]


def recorded_outputs(study: Study) -> list[str]:
    """Return the outputs of all units, by their paths from the top of the study."""
    return [path for row in study.tables.rows(UnitRow) for path in row.outputs]


def require_recorded(study: Study, records: Iterable[Record]) -> None:
    """Check, after a commit, that git holds what a command made, under the keys in the tables.

    Raises
    ------
    CtaError
        A file is not in git, or not under its key.
    """
    rows = study.tables.by_key(UnitRow)
    made = [rows.get(record.unit.key) for record in records if record.status == "ok"]
    outputs = {path for row in made if row for path in row.outputs}
    require_tracked(study.root, outputs)
    changed = changed_files(study, outputs)
    if changed:
        raise CtaError(
            "annex_keys_differ",
            where=study.root,
            n_changed=len(changed),
            changed=changed[0],
            folder=study.root / Path(changed[0]).parent,
        )


def remove_emptied_outputs(study: Study) -> list[str]:
    """Remove outputs that lost their content when a commit failed; return their paths.

    On a full disk git-annex moves a file's content away before it finds that it cannot write the
    link in its place, and leaves an empty file behind. No output is ever empty, so such a file is
    removed, and its unit makes it again.
    """
    if not (study.root / UNCOMMITTED).exists():
        return []
    emptied = sorted(p for p in recorded_outputs(study) if is_emptied(study.root / p))
    remove(study.root, emptied)
    return emptied


def is_emptied(path: Path) -> bool:
    """Tell whether a file is there and holds nothing, as a file or as a link into the annex."""
    if path.is_symlink():
        return Path(os.readlink(path)).name.startswith(EMPTY_KEY)
    return path.is_file() and path.stat().st_size == 0
