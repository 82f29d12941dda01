"""What git, git-annex and DataLad work with: the study's own settings, not those of its user.

Ignore rules, attributes, filters, hooks, line ends, signing and settings of git-annex decide what
is committed and under which key. Of a user's and a system's settings only those are kept that say
who commits and how other repositories are reached; the study's own `.git/config` holds as it is.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cta_data.errors import CtaError

Setting = tuple[str, str | None]
"""Name (section.subsection.variable) and value; a name without a value is true."""

KEPT_SETTINGS = re.compile(
    r"(user|author|committer|safe|credential|http|url|protocol|ssh)\..+"
    r"|core\.(sshcommand|askpass|gitproxy)"
    r"|annex\.(jobs|retry|retry-delay|bwlimit.*|.*-options|http-headers.*|security\..+)"
    r"|datalad\.(credential|clone|ssh)\..+",
    re.IGNORECASE,
)
COMMIT_SETTINGS = re.compile(
    r"core\.(excludesfile|attributesfile|autocrlf|eol|safecrlf|hookspath|filemode|symlinks|ignorecase"
    r"|precomposeunicode)|commit\.gpgsign|filter\..+|annex\..+",
    re.IGNORECASE,
)
"""Settings that decide what a commit holds, or whether there is one."""
KEPT_VARIABLES = re.compile(
    r"GIT_((AUTHOR|COMMITTER|SSH|SSL|HTTP|PROXY|CURL|TRACE|PROTOCOL|ANNEX|TEST)(_.+|\d.*)?"
    r"|ASKPASS|TERMINAL_PROMPT|ALLOW_PROTOCOL|EXEC_PATH)"
)
DEFAULTS: tuple[Setting, ...] = (("annex.jobs", "cpus"),)  # files are hashed side by side
OWN_SETTINGS: tuple[Setting, ...] = (
    # Without them git reads files in the user's home.
    ("core.excludesFile", os.devnull),
    ("core.attributesFile", os.devnull),
)
OF_ANOTHER_USER = "dubious ownership"
"""What git says of a repository whose owner its user has not said to trust."""
_GLOBAL = "GIT_CONFIG_GLOBAL"
_written: set[str] = set()
_set_aside: dict[str, None] = {}


def use_own_settings(folder: Path) -> None:
    """Make this process, and all that it starts, work with the study's own settings.

    It is done once: what a user changes meanwhile counts for the next command.

    Parameters
    ----------
    folder
        The study; conditional settings (`includeIf`) are read as they are for it.

    Raises
    ------
    CtaError
        git is missing, or cannot read the settings.
    """
    if os.environ.get(_GLOBAL) in _written:
        return
    settings_file = _write_settings([*DEFAULTS, *_kept_settings(folder), *OWN_SETTINGS])
    for name in [name for name in os.environ if _is_foreign(name)]:
        del os.environ[name]
    os.environ[_GLOBAL] = settings_file
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["GIT_ATTR_NOSYSTEM"] = "1"


def settings_set_aside(folder: Path) -> list[str]:
    """Return what of the user's settings would change commits, and counts for no command of ours.

    `datalad rerun`, and any other program that commits into the study, does work with them.
    """
    use_own_settings(folder)
    place = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"
    files = [place / name for name in ("ignore", "attributes")]
    return [*_set_aside, *(str(path) for path in files if path.is_file() and path.stat().st_size)]


def run_git(folder: Path, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run git in a folder, with the study's own settings.

    Raises
    ------
    CtaError
        git is missing, cannot read its settings or, where it is to be checked, fails; a dataset
        belongs to another user.
    """
    use_own_settings(folder)
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        if OF_ANOTHER_USER in done.stderr:
            raise not_trusted(folder, [folder])
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise CtaError(
            "git_command_failed",
            where=folder,
            arguments=tuple(arguments[:2]),
            why=lines[-1] if lines else "",
        )
    return done


def not_trusted(root: Path, datasets: Sequence[Path]) -> CtaError:
    """Return the error that tells the commands that make git work on datasets of another user."""
    remedies = [
        f"git config --global --add safe.directory {shlex.quote(str(path))}" for path in datasets
    ]
    return CtaError(
        "study_owned_by_another_user",
        where=root,
        n_closed=len(datasets),
        remedies=tuple(remedies),
    )


def _is_foreign(variable: str) -> bool:
    return variable.startswith("GIT_") and not KEPT_VARIABLES.fullmatch(variable)


def _write_settings(settings: Iterable[Setting]) -> str:
    """Write settings to a file that lasts as long as this process; return its path."""
    descriptor, path = tempfile.mkstemp(prefix="cta-git-", suffix=".config")  # for its user alone
    atexit.register(Path(path).unlink, missing_ok=True)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(_lines(settings))
    _written.add(path)
    return path


def _kept_settings(folder: Path) -> Iterator[Setting]:
    """Read what the user, the system and the environment set, and may set."""
    # Conditional settings are those of a repository in this folder, not of one that is around it.
    environment = {k: v for k, v in os.environ.items() if not _is_foreign(k) or "CONFIG" in k}
    environment["GIT_DIR"] = str(folder / ".git")
    command = ["git", "config", "--list", "--null", "--show-scope"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CtaError("git_not_found") from error
    if done.returncode:
        raise CtaError(
            "git_settings_unreadable", output=done.stderr.decode(errors="replace").strip()
        )
    entries = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    for scope, entry in zip(entries[::2], entries[1::2], strict=False):
        name, has_value, value = entry.partition("\n")
        if scope not in ("system", "global", "command"):
            continue
        if KEPT_SETTINGS.fullmatch(name):
            yield name, value if has_value else None
        elif COMMIT_SETTINGS.fullmatch(name) and not name.startswith("filter.lfs."):
            _set_aside[name] = None


def _lines(settings: Iterable[Setting]) -> Iterator[str]:
    """Write settings in git's own form."""
    for name, value in settings:
        section, _, rest = name.partition(".")
        subsection, _, variable = rest.rpartition(".")
        within = f" {_quoted(subsection)}" if subsection else ""
        yield f"[{section}{within}]\n"
        yield f"\t{variable}\n" if value is None else f"\t{variable} = {_quoted(value)}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
