"""A study: its folders, its configuration and its tables, opened once and passed down."""

from __future__ import annotations

import logging
import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cta_data.errors import ConfigurationError, CtaError, NotAvailable
from cta_data.files import Stamp, file_stamp
from cta_data.given_paths import given_path
from cta_data.study import layout
from cta_data.study.content import StudyContent
from cta_data.versioning.committed import registered_datasets
from cta_data.versioning.datasets import install

# Every command names `Study`; cards, models and tables are loaded by what opens one.
if TYPE_CHECKING:
    from cta_data.cohorts import Card
    from cta_data.cohorts.clinical.people import Clinical
    from cta_data.study.sourcedata import Inventory
    from cta_data.study.training_data import TrainingData

LOGGER = logging.getLogger(__name__)
"""Says which datasets of a study were installed; the command line shows it."""
CONFIGURATION = "study.toml"
UNFINISHED = Path(".cta") / "unfinished"
"""There from the first moment of a study until it is made."""
ENVIRONMENT = "CTA_STUDY"
_DATASET_ID = re.compile(r"^\s*id = (\S+)$", re.MULTILINE)
EVALUATION = "evaluation"
"""Folder of a study with masks to score, and all that is made of them."""


class Study(StudyContent):
    """One study on disk.

    Parameters
    ----------
    root
        Folder with study.toml.

    Raises
    ------
    ConfigurationError
        study.toml is missing or does not validate, or the command that made the study was killed.
    """

    def __init__(self, root: Path) -> None:
        from cta_data.study.tables import Tables

        self.root = root
        if (root / UNFINISHED).exists():
            raise ConfigurationError("study_incomplete", where=root, root=root.name)
        self.tables = Tables(root / layout.MANIFESTS)
        self._stamps: dict[Path, Stamp] = {}
        self._cards: dict[str, Card] = {}
        self._clinical: dict[str, tuple[object, Clinical | None]] = {}
        self._inventories: dict[str, tuple[object, Inventory]] = {}
        self._not_available: dict[str, NotAvailable] = {}
        self._configure()

    def _configure(self) -> None:
        from cta_data.study.configuration import StudyConfiguration
        from cta_data.validation import read_toml

        path = self.root / CONFIGURATION
        self._stamps[path] = file_stamp(path)
        self.configuration = read_toml(path, StudyConfiguration)

    def refresh(self) -> None:
        """Discard cached content that has changed on disk; called under the lock.

        Unchanged files are not read again.

        Raises
        ------
        ConfigurationError
            study.toml was changed and does not validate.
        """
        self.tables.refresh()
        if self._is_changed(self.root / CONFIGURATION):
            self._configure()
        if self._is_changed(self.root / ".gitmodules"):
            for name in ("cohorts", "not_available"):
                self.__dict__.pop(name, None)
        for cohort in [c for c in self._cards if self._is_changed(self._card_path(c))]:
            del self._cards[cohort]
        for cohort in [c for c in self._clinical if self._clinical[c][0] != self._told(c)]:
            del self._clinical[cohort]

    def _is_changed(self, path: Path) -> bool:
        return file_stamp(path) != self._stamps.get(path)

    def _card_path(self, cohort: str) -> Path:
        return self.root / self.cohort_path(cohort) / "card.toml"

    def _told(self, cohort: str) -> tuple[object, ...]:
        """Return what changes when a cohort's card or one of its clinical tables does."""
        from cta_data.study.sourcedata import CLINICAL

        folder = self.root / self.sourcedata_path(cohort) / CLINICAL
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return tuple((path, file_stamp(path)) for path in (self._card_path(cohort), *files))

    # Folders -----------------------------------------------------------------------------------

    @cached_property
    def identifier(self) -> str:
        """What tells a study and its clones from others: DataLad's id of its dataset, or empty."""
        path = self.root / ".datalad" / "config"
        found = _DATASET_ID.search(path.read_text("utf-8")) if path.is_file() else None
        return found[1] if found else ""

    def cohort_path(self, cohort: str) -> str:
        """Path of the BIDS dataset of a cohort, relative to the study."""
        return layout.cohort(cohort)

    def sourcedata_path(self, cohort: str) -> str:
        """Path of the raw files of a cohort, relative to the study."""
        return layout.sourcedata(cohort)

    def derivatives_path(self, cohort: str) -> str:
        """Path of the derived data of a cohort, relative to the study."""
        return layout.derivatives(cohort)

    # Cohorts -----------------------------------------------------------------------------------

    @cached_property
    def cohorts(self) -> list[str]:
        """Names of the cohorts that the study holds, installed here or not."""
        modules = self.root / ".gitmodules"
        self._stamps[modules] = file_stamp(modules)
        parts = (path.split("/") for path in registered_datasets(self.root))
        return sorted(names[1] for names in parts if len(names) == 2 and names[0] == "datasets")

    @cached_property
    def not_available(self) -> dict[str, NotAvailable]:
        """The cohorts whose images or derivatives cannot be installed here, and why.

        A study may have been pushed in parts. The tables still know such a cohort; what was made
        of it is kept as it is, and nothing of it can be made anew.
        """
        found: dict[str, NotAvailable] = {}
        for cohort in self.cohorts:
            try:
                self.require(self.cohort_path(cohort))
                self.require(self.derivatives_path(cohort))
            except NotAvailable as error:
                found[cohort] = error
        return found

    @property
    def cohorts_here(self) -> list[str]:
        """Names of the cohorts whose datasets are installed, or could be installed now."""
        return [cohort for cohort in self.cohorts if cohort not in self.not_available]

    def card(self, cohort: str) -> Card:
        """Return the card of a cohort.

        Raises
        ------
        ConfigurationError
            The cohort is unknown, or its card is invalid.
        NotAvailable
            The dataset of the cohort cannot be installed here.
        """
        from cta_data.cohorts import read_card

        if cohort not in self._cards:
            if cohort not in self.cohorts:
                raise ConfigurationError(
                    "cohort_unknown", cohort=cohort, cohorts=", ".join(self.cohorts) or "none"
                )
            self.require(self.cohort_path(cohort))
            path = self._card_path(cohort)
            self._stamps[path] = file_stamp(path)
            self._cards[cohort] = read_card(path, cohort)
        return self._cards[cohort]

    def clinical(self, cohort: str) -> Clinical | None:
        """Return the content of the clinical tables of a cohort; None if it has none, or none here.

        They are read once.
        """
        from cta_data.cohorts.clinical.people import read_clinical
        from cta_data.study.sourcedata import CLINICAL

        if cohort not in self._clinical:
            tables = self.card(cohort).clinical
            folder = self.root / self.sourcedata_path(cohort) / CLINICAL
            there = bool(tables) and self.has_sourcedata(cohort) and folder.is_dir()
            stamp = self._told(cohort)
            self._clinical[cohort] = stamp, read_clinical(tables, folder) if there else None
        return self._clinical[cohort][1]

    def require(self, path: str) -> None:
        """Make sure that the datasets along a path are installed, without content.

        Parameters
        ----------
        path
            Relative to the study: a dataset, or anything inside one.

        Raises
        ------
        NotAvailable
            One of them cannot be installed here.
        """
        top, parts = self.root, Path(path).parts
        for depth in range(1, len(parts) + 1):
            folder = self.root.joinpath(*parts[:depth])
            if (folder / ".git").exists():
                top = folder
            elif folder.relative_to(top).as_posix() in registered_datasets(top):
                self._install(folder)
                top = folder

    def has(self, path: str) -> bool:
        """Return whether a file is in the study; its content may not be available here."""
        if os.path.lexists(f"{self.root}/{path}"):
            return True
        try:
            self.require(path)
        except NotAvailable:
            return True
        return os.path.lexists(self.root / path)

    def _install(self, folder: Path) -> None:
        name = folder.relative_to(self.root).as_posix()
        if name in self._not_available:
            raise self._not_available[name]
        try:
            install(self.root, folder)
        except CtaError as error:
            LOGGER.debug("%s", error)
            missing = NotAvailable("dataset_unavailable", where=name, name=name)
            self._not_available[name] = missing
            raise missing from error
        LOGGER.info("installed the dataset %s", name)

    def has_sourcedata(self, cohort: str) -> bool:
        """Return whether the raw dataset of a cohort is available, or could be installed now.

        Its content may not be available here. Raw files may be restricted; without them, work
        continues with the converted files.
        """
        try:
            self.require(self.sourcedata_path(cohort))
        except NotAvailable:
            return False
        return (self.root / self.sourcedata_path(cohort) / ".git").exists()

    def inventory(self, cohort: str) -> Inventory | None:
        """Return the content of the sourcedata of a cohort; None if it is not available.

        It is read again only if one of its tables has changed.
        """
        from cta_data.study.sourcedata import inventory_stamp, read_inventory

        if not self.has_sourcedata(cohort):
            return None
        folder = self.root / self.sourcedata_path(cohort)
        stamp = inventory_stamp(folder)
        if cohort not in self._inventories or self._inventories[cohort][0] != stamp:
            self._inventories[cohort] = (stamp, read_inventory(folder))
        return self._inventories[cohort][1]

    # Files for Python --------------------------------------------------------------------------

    def path(self, row: Any, *, fetch: bool = False) -> Path:
        """Return the file of a row: an image, a variant, an annotation, a prediction …

        Parameters
        ----------
        row
            A row of a table (`for row in study.images().itertuples()`, or a Series), or a path
            from the top of the study.
        fetch
            Get the content with git-annex if it is not available here.

        Raises
        ------
        ConfigurationError
            The row has no file; or a path to fetch is not of the study, or nothing is there.
        CtaError
            The content cannot be fetched.
        """
        name = os.fspath(row) if isinstance(row, str | os.PathLike) else _file_of(row)
        if fetch:
            self._fetch([name])
        return self.root / name

    def dataset(self, setting: str, *, fetch: bool = False) -> TrainingData:
        """Return the training set of a setting: its cases by fold, as paths or as arrays.

        Parameters
        ----------
        setting
            `A`, `B`, `C`, `D`, or a setting of the study's own, that has been built.
        fetch
            Get images and labels with git-annex if they are not available here.

        Raises
        ------
        ConfigurationError
            The setting has not been built, or a file of it was deleted.
        DataRefused
            The record of the training set is damaged.
        CtaError
            The content cannot be fetched.
        """
        from cta_data.files import read_json_object
        from cta_data.study.build_case import build_cases
        from cta_data.study.tables import UnitRow
        from cta_data.study.training_data import training_data

        built = {
            row.id.model: row.outputs
            for row in self.tables.index(UnitRow, ("step",)).get(("build",), [])
            if row.status == "ok"
        }
        record = next((p for p in built.get(setting, ()) if p.endswith(layout.BUILD_RECORD)), "")
        if not record:
            raise ConfigurationError(
                "setting_not_built", setting=setting, built=", ".join(sorted(built)) or "none"
            )
        cases = build_cases(read_json_object(self.root / record), where=record)
        if fetch:
            self._fetch([path for case in cases for path in (case.image, case.label)])
        return training_data(self.root, setting, cases)

    def _fetch(self, paths: list[str]) -> None:
        from cta_data.versioning.datasets import fetch

        for path in paths:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ConfigurationError("path_outside_study", where=path)
            self.require(path)
            if not os.path.lexists(self.root / path):
                raise ConfigurationError("file_not_in_study", where=path)
        failed = fetch(self.root, paths).failed
        if failed:
            first, why = next(iter(failed.items()))
            raise CtaError("files_not_fetched", where=first, n_failed=len(failed), why=why)


def _file_of(row: Any) -> str:
    """Return the path that a row of a table holds."""
    from cta_data.study.tables import FILE_COLUMNS

    for column in dict.fromkeys(FILE_COLUMNS.values()):
        value = row.get(column) if hasattr(row, "get") else getattr(row, column, None)
        if isinstance(value, str) and value:
            return value
    raise ConfigurationError("row_without_file")


def open_study(path: Path | str | None = None) -> Study:
    """Open a study.

    Parameters
    ----------
    path
        The study or a folder inside it. Without it, the environment variable CTA_STUDY, then the
        working directory.

    Raises
    ------
    ConfigurationError
        There is no study or no such folder, its study.toml is invalid, or the path is empty.
    """
    given = os.environ.get(ENVIRONMENT) or Path.cwd() if path is None else path
    start = given_path(given).absolute()
    if not start.exists():  # a wrong name inside a study would lead to that study
        raise ConfigurationError("study_folder_not_found", where=start)
    for folder in (start, *start.parents):
        if (folder / CONFIGURATION).is_file():
            return Study(folder)
    raise ConfigurationError("not_a_study", where=start)
