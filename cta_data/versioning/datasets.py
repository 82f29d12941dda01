"""The DataLad side of a study: create, install, fetch, save. Only the driver calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cta_data.errors import CtaError
from cta_data.versioning.committed import require_committed
from cta_data.versioning.git_settings import run_git, use_own_settings
from cta_data.versioning.keys import is_fetched

DESCRIPTION = "a study of cta_data"
"""What git-annex calls a copy of a dataset: by itself it writes `user@host:/path` into the branch
`git-annex`, which goes to every sibling and is never forgotten."""
LEAST_FREE_BYTES = 16 << 20
AS_THEY_ARE = "* -text -ident !filter !working-tree-encoding"
"""Attributes of files whose bytes git stores and writes as they are: no line ends, no filters."""
_DISK_FULL = ("no space left", "out of diskspace", "disk i/o error")


def quiet_datalad(root: Path) -> Any:
    """Import DataLad's Python interface, silent and with the study's own settings of git."""
    os.environ.setdefault("DATALAD_UI_PROGRESSBAR", "none")
    _require_annex()
    use_own_settings(root)
    import datalad.api as api
    from datalad.log import lgr

    lgr.setLevel("ERROR")
    return api


def create_dataset(path: Path, parent: Path | None = None) -> None:
    """Create a DataLad dataset where none is yet, registered in `parent` where that is given.

    Without `parent`, a `save` of the dataset around it registers it. Content rules come first, so
    that no file is ever annexed or committed against them.
    """
    if _has(path, "HEAD:.datalad/config"):
        return
    if not _has(path, "HEAD"):
        _remove_begun(path)
    api = quiet_datalad(path)
    _results(
        api.create,
        path=str(path),
        dataset=str(parent) if parent else None,
        description=DESCRIPTION,
        force=True,
    )


def _has(path: Path, name: str) -> bool:
    """Return whether a dataset has an object; what is no repository yet is not that around it."""
    repository = path / ".git"
    if not repository.exists():
        return False
    own = ("--git-dir", str(repository))
    return not run_git(path, *own, "cat-file", "-e", name).returncode


def _remove_begun(path: Path) -> None:
    """Remove what a command that died has begun of a dataset: without a commit it holds nothing.

    DataLad does not go on with one whose first commit was being made.
    """
    if any((path / ".git" / "annex" / "objects").glob("*")):
        return
    for folder in (path / ".git", path / ".datalad"):
        shutil.rmtree(folder, ignore_errors=True)


def write_attributes(path: Path, annexed: Iterable[str]) -> None:
    """Say which files of a dataset go to the annex; all others go to git.

    The back end MD5E keeps a key the same whoever computes it; git changes no byte of any file,
    whatever the settings of who clones the dataset say.
    """
    lines = [AS_THEY_ARE, "* annex.backend=MD5E", "* annex.largefiles=nothing"]
    lines += [f"{pattern} annex.largefiles=anything" for pattern in annexed]
    (path / ".gitattributes").write_text("\n".join(lines) + "\n", encoding="utf-8")


def require_space(folder: Path) -> None:
    """Refuse to commit on a full disk, where git-annex may lose content or wait for ever.

    Raises
    ------
    CtaError
        Less than 16 MiB are free.
    """
    if not _has_space(folder):
        raise CtaError("disk_full", where=folder, least_free_mib=LEAST_FREE_BYTES >> 20)


def _has_space(folder: Path) -> bool:
    return shutil.disk_usage(folder).free >= LEAST_FREE_BYTES


def save(root: Path, message: str, paths: Iterable[Path] | None = None) -> None:
    """Commit changes under `paths` in the study and in the datasets inside it.

    Raises
    ------
    CtaError
        The disk is full, DataLad could not commit, or git left something out of the commit.
    """
    require_space(root)
    places = None if paths is None else list(paths)
    _results(
        quiet_datalad(root).save,
        dataset=str(root),
        path=None if places is None else [str(path) for path in places],
        message=message,
        recursive=True,
        jobs=0,  # one dataset after the other, deepest first; its threads would sleep in between
    )
    require_committed(root, [root] if places is None else places)


def is_modified(path: Path) -> bool:
    """Return whether a file differs from what its dataset has committed.

    Raises
    ------
    CtaError
        The disk is full, which git's filters need some of, or git cannot tell.
    """
    done = run_git(path.parent, "status", "--porcelain", "--", path.name)
    if done.returncode:
        require_space(path.parent)
        why = _telling_line(done.stderr)
        raise CtaError("git_status_failed", where=path, why=why)
    return bool(done.stdout.strip())


@contextmanager
def annexing(dataset: Path) -> Iterator[Callable[[Path], None]]:
    """Hand files to git-annex while others are still being made; they are hashed side by side.

    Yields a function that takes a path relative to the dataset. What git-annex did not take is
    annexed by the next `save`, which also reports what is wrong.
    """
    use_own_settings(dataset)
    process = subprocess.Popen(
        ["git", "annex", "add", "--batch", "--quiet"],
        cwd=dataset,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    stream = process.stdin

    def add(path: Path) -> None:
        # Where it has died, or would on a full disk, `save` does its work or says why.
        if not _has_space(dataset):
            return
        with suppress(BrokenPipeError):
            stream.write(f"{path}\n")
            stream.flush()

    try:
        yield add
    finally:
        with suppress(BrokenPipeError):
            stream.close()
        process.wait()


def install(root: Path, path: Path) -> None:
    """Install the dataset at `path` (without file content) where it is not here yet."""
    if (path / ".git").exists():
        return
    _results(
        quiet_datalad(root).get,
        dataset=str(root),
        path=str(path),
        get_data=False,
        recursive=False,
        description=DESCRIPTION,
    )


@dataclass(frozen=True)
class Fetched:
    """Files whose content came, and why that of others did not."""

    paths: tuple[str, ...]
    failed: dict[str, str]


def fetch(root: Path, paths: Iterable[str]) -> Fetched:
    """Fetch the content of those files that are not here; paths are from the top of the study."""
    absent = sorted({path for path in paths if not is_fetched(root / path)})
    if not absent:
        return Fetched((), {})
    results = quiet_datalad(root).get(
        dataset=str(root),
        path=[str(root / path) for path in absent],
        description=DESCRIPTION,
        **_PLAIN_RESULTS,
    )
    reasons = {
        os.path.relpath(r["path"], root): _message(r)
        for r in results
        if r["status"] in ("error", "impossible")
    }
    failed = {
        path: reasons.get(path) or "no known place has it"
        for path in absent
        if not is_fetched(root / path)
    }
    return Fetched(tuple(path for path in absent if path not in failed), failed)


def _require_annex() -> None:
    if shutil.which("git-annex") is None:
        raise CtaError("git_annex_not_found", where="PATH")


def require_identity(root: Path) -> None:
    """Refuse to work where no commit is possible: before anything is written.

    Raises
    ------
    CtaError
        git-annex is missing, or neither git's settings nor the environment name an author.
    """
    _require_annex()
    if not git_identity(root):
        raise CtaError("git_identity_missing")


def git_identity(folder: Path) -> str:
    """Return the name and address that git would commit with; empty where it knows none."""
    # Without an address git makes one up of the machine's name, and then may refuse it.
    address = run_git(folder, "config", "user.email").stdout.strip()
    if not (address or os.environ.get("GIT_AUTHOR_EMAIL")):
        return ""
    return run_git(folder, "var", "GIT_AUTHOR_IDENT").stdout.strip()


_PLAIN_RESULTS: dict[str, Any] = {
    "result_renderer": "disabled",
    "result_xfm": None,
    "on_failure": "ignore",
    "return_type": "list",
}


def _results(
    call: Any,
    **arguments: Any,
) -> list[dict]:
    """Call DataLad; whatever is not well becomes one error."""
    with datalad_errors("datalad_failed"):
        results = call(**arguments, **_PLAIN_RESULTS)
    failed = [r for r in results if r["status"] in ("error", "impossible")]
    if failed:
        first = failed[0]
        raise CtaError("datalad_failed", where=first.get("path", ""), message=_message(first))
    return results


@contextmanager
def datalad_errors(code: Literal["datalad_failed", "commit_failed"]) -> Iterator[None]:
    """Turn what DataLad and git raise into one error for people.

    Raises
    ------
    CtaError
        With the last line that git or git-annex printed.
    """
    from datalad.runner.exception import CommandError
    from datalad.support.exceptions import IncompleteResultsError

    try:
        yield
    except (CommandError, IncompleteResultsError) as error:
        printed = getattr(error, "stderr", "") or str(error)
        raise CtaError(code, message=_telling_line(printed)) from error


def _telling_line(printed: str) -> str:
    """Return the line that tells a user most of what git or git-annex printed."""
    if any(sign in printed.lower() for sign in _DISK_FULL):
        return "the disk is full"
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    told = [line for line in lines if "CallStack" not in line and ", called at " not in line]
    fatal = [line for line in told if line.startswith("fatal:")]
    return (fatal or told or lines or [""])[-1]


def _message(result: dict) -> str:
    message = result.get("message") or ""
    if isinstance(message, tuple):
        message = message[0] % message[1:]
    reasons = [str(message), str(result.get("error_message") or ""), str(result.get("hint") or "")]
    return "; ".join(text.strip() for text in reasons if text.strip())
