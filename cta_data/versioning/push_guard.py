"""The guard of a dataset's pushes: git's own pre-push hook gives every sibling its rule.

git-annex has no preferred content for a repository that nobody has spoken about, and DataLad
copies everything to a sibling without one. What git-annex does offer, `annex.initwanted`, holds
for special remotes that are made here (the storage of a RIA store). For all others the hook sets
the rule: `datalad push` begins with a dry run of `git push`, which runs the hook before any
content leaves.
"""

from __future__ import annotations

import os
from pathlib import Path

from cta_data.files import written_whole
from cta_data.versioning.git_settings import run_git

FIELD = "distribution-restrictions"
DENY = f"not metadata={FIELD}=*"
"""Preferred content of a sibling that is not allowed to hold restricted files."""
GROUP = "restricted-allowed"
"""git-annex group of the siblings that may hold them; it travels with the git-annex branch."""
VALUE_KEY = "cta.distribution-restrictions"
"""git configuration of a dataset: what its files are marked with."""

READ_ONLY = "annex-readonly"
CLOSED = "cta-closed"
"""git configuration of a remote: that it is read-only, and that it is so because of the guard."""

MEET = ("-J1", "--only-annex", "--no-content", "--no-pull", "--no-push")
"""Options with which `git annex sync` only gets to know a remote; side by side it does not."""

_BEGIN = "# >>> cta-data: restricted files go to siblings that are allowed, and to no others"
_END = "# <<< cta-data"
_HOOK = f"""\
{_BEGIN}
# A sibling that cannot be asked, or not be given the rule, is closed: annex-readonly comes first.
cta_allowed() {{
    case " $(git annex group "$1" </dev/null 2>/dev/null) " in *" {GROUP} "*) return 0 ;; esac
    return 1
}}
cta_open() {{
    if test "$(git config "remote.$1.{CLOSED}")" = true; then
        git config --unset-all "remote.$1.{READ_ONLY}"
        git config --unset-all "remote.$1.{CLOSED}"
    fi
}}
cta_uuid() {{ git config "remote.$1.annex-uuid" >/dev/null; }}
cta_close() {{
    if cta_allowed "$1"; then cta_open "$1"; return; fi
    if test "$(git config --bool "remote.$1.{READ_ONLY}")" != true; then
        git config "remote.$1.{READ_ONLY}" true
        git config "remote.$1.{CLOSED}" true
    fi
    test "$(git config --bool "remote.$1.annex-ignore")" = true && return
    if test "$1" = "$2" && ! cta_uuid "$1"; then
        git annex sync {" ".join(MEET)} "$1" </dev/null >/dev/null 2>&1
        if cta_allowed "$1"; then cta_open "$1"; return; fi
    fi
    cta_uuid "$1" || return
    cta_rule=$(git annex wanted "$1" </dev/null 2>/dev/null)
    case "$cta_rule" in
        *"{DENY}"*) return ;;
        "") cta_rule="{DENY}" ;;
        *) cta_rule="($cta_rule) and {DENY}" ;;
    esac
    git annex wanted "$1" "$cta_rule" --quiet </dev/null >/dev/null 2>&1
}}
for cta_remote in $(git remote); do cta_close "$cta_remote" "$1"; done
cta_value=$(git config {VALUE_KEY})
if test -n "$cta_value"; then
    git annex metadata --quiet --force -s "{FIELD}=$cta_value" \\
        --not --metadata "{FIELD}=*" . </dev/null >/dev/null 2>&1
fi
{_END}
"""


def install_guard(dataset: Path, value: str) -> None:
    """Put the guard in place; what the hook held before stays.

    Parameters
    ----------
    value
        What the hook marks files with that were committed by other means and carry no mark yet.
    """
    _configure(dataset, VALUE_KEY, value)
    _configure(dataset, "annex.initwanted", DENY)
    # With git's default, a dry run to an only sibling without upstream ends before the hook.
    _configure(dataset, "push.default", "current")
    path = _hook_path(dataset)
    before = path.read_text("utf-8") if path.exists() else "#!/bin/sh\n"
    if _HOOK in before:
        return
    kept = before
    if _BEGIN in before:
        head, _, rest = before.partition(_BEGIN)
        kept = head + rest.partition(f"{_END}\n")[2]
    interpreter, _, others = kept.partition("\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        # First in the hook, as what others have put there may leave it early.
        unfinished.write_text(f"{interpreter}\n{_HOOK}{others}", encoding="utf-8")
        unfinished.chmod(0o755)


def has_guard(dataset: Path) -> bool:
    """Return whether the guard is in place, as this version writes it."""
    path = _hook_path(dataset)
    return path.exists() and _HOOK in path.read_text("utf-8") and os.access(path, os.X_OK)


def _hook_path(dataset: Path) -> Path:
    answer = run_git(dataset, "rev-parse", "--git-path", "hooks/pre-push", check=True)
    return dataset / answer.stdout.strip()


def _configure(dataset: Path, key: str, value: str) -> None:
    # Written only where it differs: git rewrites the whole file otherwise.
    known = run_git(dataset, "config", "--local", key)
    if known.stdout.rstrip("\n") != value:
        run_git(dataset, "config", "--local", key, value, check=True)
