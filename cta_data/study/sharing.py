"""Who may have the files of a cohort: every dataset with its siblings, and what a user changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cta_data.errors import ConfigurationError
from cta_data.study.distribution import (
    Sibling,
    allow,
    cohort_datasets,
    describe,
    forbid,
    known_siblings,
    mark_restricted,
    require_rule,
    restriction,
)
from cta_data.study.lock import study_lock
from cta_data.study.study import Study


@dataclass(frozen=True)
class SharedDataset:
    """One dataset of a cohort: numbers of annexed files, and the siblings.

    `dataset` is its path from the top of the study; `access` is the cohort's, as its card says.
    """

    cohort: str
    access: str
    dataset: str
    restricted: int
    unmarked: int
    siblings: tuple[Sibling, ...]


def share(
    study: Study, cohorts: Sequence[str], allowed: Collection[str], forbidden: Collection[str]
) -> list[SharedDataset]:
    """Mark and guard what is restricted, change what siblings may hold, and tell where all stands.

    Parameters
    ----------
    cohorts
        Those that it is about; all that are here where it is empty.

    Raises
    ------
    ConfigurationError
        A cohort is public, or has no such sibling.
    CtaError
        Another command works on the study.
    """
    here = [name for name in study.cohorts if cohort_datasets(study, name)]
    shared = []
    chosen = list(cohorts) or here
    if not chosen:
        return []
    with study_lock(study):
        for cohort in chosen:
            _protect(study, cohort)
            if allowed or forbidden:
                _change(study, cohort, allowed, forbidden)
            shared += _datasets(study, cohort)
    return shared


def _protect(study: Study, cohort: str) -> None:
    """Mark and guard what is not yet: a fresh clone has no guard, as git shares no hooks."""
    value = restriction(study, cohort)
    for path in cohort_datasets(study, cohort) if value else ():
        require_rule(path, value)
        mark_restricted(path, value)


def _change(
    study: Study, cohort: str, allowed: Collection[str], forbidden: Collection[str]
) -> None:
    if not restriction(study, cohort):
        raise ConfigurationError("cohort_not_restricted", cohort=cohort)
    datasets = cohort_datasets(study, cohort)
    known = known_siblings(datasets)
    unknown = sorted({*allowed, *forbidden} - known)
    if unknown:
        raise ConfigurationError(
            "cohort_sibling_unknown",
            cohort=cohort,
            unknown=unknown[0],
            known=", ".join(sorted(known)) or "none",
        )
    for path in datasets:
        own = known_siblings([path])
        for change, names in ((allow, allowed), (forbid, forbidden)):
            for name in names:
                if name in own:
                    change(path, name)


def _datasets(study: Study, cohort: str) -> list[SharedDataset]:
    access = study.card(cohort).cohort.access
    shared = []
    for path in cohort_datasets(study, cohort):
        found, place = describe(path), path.relative_to(study.root).as_posix()
        counts = (found.restricted, found.unmarked)
        shared.append(SharedDataset(cohort, access, place, *counts, found.siblings))
    return shared
