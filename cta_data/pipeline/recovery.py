"""What a command that died while git-annex took its files in may leave: files without content.

On a full disk git-annex moves a file's content away before it finds that it cannot write the link
in its place, and leaves an empty file behind. No output is ever empty, so such a file is removed,
and its unit makes it again.
"""

from __future__ import annotations

import os
from pathlib import Path

from cta_data.engine.driver import UNCOMMITTED
from cta_data.engine.staging import remove
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow

EMPTY_KEY = "MD5E-s0--"


def remove_emptied_outputs(study: Study) -> list[str]:
    """Remove outputs that lost their content when a commit failed; return their paths."""
    if not (study.root / UNCOMMITTED).exists():
        return []
    outputs = (path for row in study.tables.rows(UnitRow) for path in row.outputs)
    emptied = sorted(path for path in outputs if is_emptied(study.root / path))
    remove(study.root, emptied)
    return emptied


def is_emptied(path: Path) -> bool:
    """Tell whether a file is there and holds nothing, as a file or as a link into the annex."""
    if path.is_symlink():
        return Path(os.readlink(path)).name.startswith(EMPTY_KEY)
    return path.is_file() and path.stat().st_size == 0
