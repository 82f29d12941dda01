"""The programs that DataLad calls: those of the environment of this package come first."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def use_environment_tools() -> None:
    """Put the environment's own programs first: git-annex is installed beside this command.

    A wheel of git-annex holds its program and a Python script that starts it. Before the script,
    which takes several times as long as most calls of git to git-annex, comes the program itself.
    """
    folders = [Path(sys.executable).parent]
    wheel = find_spec("git_annex")
    if wheel and wheel.origin and (program := Path(wheel.origin).with_name("git-annex")).is_file():
        folders.insert(0, program.parent)
        os.environ.setdefault("MAGIC", str(program.with_name("magic.mgc")))  # as the script does
    path = os.environ.get("PATH", "").split(os.pathsep)
    absent = [str(folder) for folder in folders if str(folder) not in path]
    os.environ["PATH"] = os.pathsep.join([*absent, *path])
