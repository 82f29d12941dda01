"""New studies: copies of one that each of pytest's processes makes once.

`init` and the three datasets of a cohort take two hundred calls of git and git-annex, a copy none.
What a test says of `init`, or of a cohort that is new, it makes with the commands.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from helpers.plain_study import write_plain_card

from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.study import Study


def new_study(path: Path, *cohorts: str, own: str = "") -> Study:
    """Make a study without patients.

    Parameters
    ----------
    cohorts
        Cohorts of the package.
    own
        A cohort with the card of `plain_card`, for which `add --card` may bring another.
    """
    shutil.copytree(_made(cohorts, own), path, symlinks=True)
    return Study(path)


@cache
def _made(cohorts: tuple[str, ...], own: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cta-new-study-"))
    atexit.register(_remove, folder)
    study = create_study(folder / "study", "test", cohorts)
    if own:
        ensure_cohort(study, own, write_plain_card(folder / "card.toml", own))
    return study.root


def _remove(folder: Path) -> None:
    """Remove a folder, in which git-annex has write-protected what it keeps."""
    for inside in (folder, *folder.rglob("*")):
        if inside.is_dir() and not inside.is_symlink():
            inside.chmod(0o700)
    shutil.rmtree(folder)
