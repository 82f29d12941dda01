"""Which siblings may hold restricted files: the metadata, the rule, and who is excepted.

Every annexed file of a cohort that is not public carries the git-annex metadata
`distribution-restrictions`. A sibling wants such files only where it was allowed to have them;
`datalad push` keeps to what a sibling wants. What is in git itself (tables, sidecars, small files)
is not put on hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import ConfigurationError
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.push_guard import (
    CLOSED,
    DENY,
    FIELD,
    GROUP,
    MEET,
    READ_ONLY,
    install_guard,
)

if TYPE_CHECKING:
    from cta_data.study.study import Study

PUBLIC = "public"
_UNMARKED = ("--not", "--metadata", f"{FIELD}=*")
_MARKED_AT = "cta.distribution-marked"
"""git configuration of a dataset: the commit up to which its files have been marked."""


@dataclass(frozen=True)
class Sibling:
    """A sibling of a dataset, and whether it may hold restricted files."""

    name: str
    allowed: bool
    has_rule: bool
    """Whether git-annex knows its rule already; without it the guard sets it at the next push."""


@dataclass(frozen=True)
class Distribution:
    """Where a dataset stands: numbers of annexed files, and its siblings."""

    restricted: int
    unmarked: int
    siblings: tuple[Sibling, ...]


def restrict_cohort(study: Study, cohort: str) -> int:
    """Mark what a cohort that is not public has committed, and guard it; return files marked.

    Of a public cohort, and of datasets without a commit since the last call, nothing is done.

    Raises
    ------
    CtaError
        git-annex could not do it.
    """
    datasets = cohort_datasets(study, cohort)
    # Asked in this order, as reading the card of a cohort that is not here would install it.
    value = restriction(study, cohort) if datasets else ""
    marked = 0
    for path in datasets if value else ():
        commit = _git(path, "rev-parse", "HEAD")
        if commit != _setting(path, _MARKED_AT):
            require_rule(path, value)
            marked += mark_restricted(path, value)
            _git(path, "config", "--local", _MARKED_AT, commit)
    return marked


def restriction(study: Study, cohort: str) -> str:
    """Return what a cohort's files are marked with (agreement, else access); "" if public."""
    section = study.card(cohort).cohort
    if section.access == PUBLIC:
        return ""
    return section.agreement.strip() or section.access


def cohort_datasets(study: Study, cohort: str) -> list[Path]:
    """Return the datasets of a cohort that hold files of patients and are installed here."""
    paths = (
        study.cohort_path(cohort),
        study.sourcedata_path(cohort),
        study.derivatives_path(cohort),
    )
    return [study.root / path for path in paths if (study.root / path / ".git").exists()]


def mark_restricted(dataset: Path, value: str) -> int:
    """Give every annexed file without it the metadata `distribution-restrictions`.

    Files whose content is absent are marked, too. A file that carries another value keeps it.

    Returns
    -------
    int
        Number of files that were marked now.
    """
    _require_value(value)
    printed = _annex(
        dataset, "metadata", "--json", "--force", "-s", f"{FIELD}={value}", *_UNMARKED, "."
    )
    return len(printed.splitlines())


def require_rule(dataset: Path, value: str) -> None:
    """Refuse restricted files to every sibling, known or future, that is not allowed.

    Parameters
    ----------
    value
        What files that come into the dataset by other means are marked with before a push.
    """
    _require_value(value)
    install_guard(dataset, value)
    for name in _remotes(dataset):
        if _holds_content(dataset, name) and not _is_allowed(dataset, name):
            _close(dataset, name)


def allow(dataset: Path, sibling: str) -> None:
    """Let a sibling, with the storage that belongs to it, have restricted files.

    Raises
    ------
    ConfigurationError
        There is no such sibling, or it is no annex yet.
    """
    for name in _targets(dataset, sibling):
        _require_uuid(dataset, name)
        _annex(dataset, "group", name, GROUP)
        _annex(dataset, "wanted", name, _without_denial(_wanted(dataset, name)) or "anything")
        # Whatever else may have made it read-only stays.
        if _setting(dataset, f"remote.{name}.{CLOSED}") == "true":
            for key in (CLOSED, READ_ONLY):
                _git(dataset, "config", "--unset-all", f"remote.{name}.{key}", check=False)


def forbid(dataset: Path, sibling: str) -> None:
    """Refuse restricted files to a sibling from now on; what it holds already stays there.

    Raises
    ------
    ConfigurationError
        There is no such sibling.
    """
    for name in _targets(dataset, sibling):
        if _is_allowed(dataset, name):
            _annex(dataset, "ungroup", name, GROUP)
        _close(dataset, name)


def describe(dataset: Path) -> Distribution:
    """Count restricted and unmarked files, and list the siblings."""
    marked = _annex(dataset, "find", "--metadata", f"{FIELD}=*")
    unmarked = _annex(dataset, "find", *_UNMARKED)
    names = _remotes(dataset)
    storage = {name for parent in names for name in _dependencies(dataset, parent)}
    siblings = []
    for name in sorted(set(names) - storage):
        targets = _targets(dataset, name)
        siblings.append(
            Sibling(
                name,
                bool(targets) and all(_is_allowed(dataset, target) for target in targets),
                all(_has_rule(dataset, target) for target in targets),
            )
        )
    return Distribution(len(marked.splitlines()), len(unmarked.splitlines()), tuple(siblings))


def known_siblings(datasets: Iterable[Path]) -> set[str]:
    """Return the names of all siblings of the datasets."""
    return {name for dataset in datasets for name in _remotes(dataset)}


def _close(dataset: Path, name: str) -> None:
    """Set the rule of a sibling, and close it to `push --data anything`, which asks no rule."""
    if _setting(dataset, f"remote.{name}.{READ_ONLY}") != "true":
        for key in (READ_ONLY, CLOSED):
            _git(dataset, "config", "--local", f"remote.{name}.{key}", "true")
    if not _uuid(dataset, name):
        return
    rule = _wanted(dataset, name)
    if DENY in rule:
        return
    kept = "" if rule in ("", "anything") else f"({rule}) and "
    _annex(dataset, "wanted", name, f"{kept}{DENY}")


def _without_denial(rule: str) -> str:
    if rule == DENY:
        return ""
    end = f") and {DENY}"
    return rule[1 : -len(end)] if rule.startswith("(") and rule.endswith(end) else rule


def _targets(dataset: Path, sibling: str) -> list[str]:
    """Return the remotes that hold a sibling's content: itself, and storage that goes with it."""
    if sibling not in _remotes(dataset):
        known = ", ".join(_remotes(dataset)) or "none"
        raise ConfigurationError("sibling_unknown", where=dataset, sibling=sibling, known=known)
    own = [sibling] if _holds_content(dataset, sibling) else []
    return own + _dependencies(dataset, sibling)


def _dependencies(dataset: Path, name: str) -> list[str]:
    key = f"remote.{name}.datalad-publish-depends"
    found = _git(dataset, "config", "--get-all", key, check=False).splitlines()
    return [one for one in found if one in _remotes(dataset)]


def _holds_content(dataset: Path, name: str) -> bool:
    return _setting(dataset, f"remote.{name}.annex-ignore") != "true"


def _is_allowed(dataset: Path, name: str) -> bool:
    return bool(_uuid(dataset, name)) and GROUP in _annex(dataset, "group", name).split()


def _has_rule(dataset: Path, name: str) -> bool:
    return bool(_uuid(dataset, name)) and bool(_wanted(dataset, name))


def _wanted(dataset: Path, name: str) -> str:
    return _annex(dataset, "wanted", name)


def _uuid(dataset: Path, name: str) -> str:
    return _setting(dataset, f"remote.{name}.annex-uuid")


def _require_uuid(dataset: Path, name: str) -> None:
    if not _uuid(dataset, name):
        _annex(dataset, "sync", *MEET, name, check=False)
    if not _uuid(dataset, name):
        raise ConfigurationError("sibling_without_annex", where=dataset, name=name)


def _require_value(value: str) -> None:
    if not value.strip() or "\n" in value:
        raise ConfigurationError("distribution_restriction_invalid", value=value)


def _remotes(dataset: Path) -> list[str]:
    return sorted(_git(dataset, "remote").split())


def _setting(dataset: Path, key: str) -> str:
    return _git(dataset, "config", "--local", key, check=False)


def _annex(dataset: Path, *arguments: str, check: bool = True) -> str:
    return _git(dataset, "annex", *arguments, check=check)


def _git(dataset: Path, *arguments: str, check: bool = True) -> str:
    return run_git(dataset, *arguments, check=check).stdout.strip()
