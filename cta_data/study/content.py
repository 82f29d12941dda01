"""What Python users ask of a study: its tables as DataFrames, its files, its training sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cta_data.errors import ConfigurationError, CtaError
from cta_data.study import layout

if TYPE_CHECKING:
    import pandas as pd

    from cta_data.study.tables import Tables
    from cta_data.study.training_data import TrainingData


class StudyContent:
    """Tables, files and training sets of one study; a part of `Study`."""

    root: Path
    tables: Tables

    def require(self, path: str) -> None:
        """Make sure that the datasets that a path leads through are installed."""
        raise NotImplementedError

    def subjects(self) -> pd.DataFrame:
        """One row a subject-session: who they are, their quality and partition."""
        return self.table("subjects")

    def images(self) -> pd.DataFrame:
        """One row an image: technique, phase, geometry, acquisition."""
        return self.table("images")

    def rois(self) -> pd.DataFrame:
        """One row a ROI as delivered: whether it was selected, and why not."""
        return self.table("rois")

    def annotations(self) -> pd.DataFrame:
        """One row an annotation as delivered: what it was drawn on, and where it lies."""
        return self.table("annotations")

    def transforms(self) -> pd.DataFrame:
        """One row a registration: source, quality values, whether it is accepted."""
        return self.table("transforms")

    def variants(self) -> pd.DataFrame:
        """One row a label variant: an annotation on one image grid."""
        return self.table("variants")

    def transfer_checks(self) -> pd.DataFrame:
        """One row a lesion on a grid: what its transfer did to it, and whether that is accepted."""
        return self.table("transfer_checks")

    def acceptances(self) -> pd.DataFrame:
        """One row a decision of a person about a registration or a transfer."""
        return self.table("acceptances")

    def lesions(self) -> pd.DataFrame:
        """One row a lesion of a variant: volumes in mm3 and cm3, centroid in RAS mm."""
        return self.table("lesions")

    def models(self) -> pd.DataFrame:
        """One row a trained fold of a model: what it learnt from, and its weights."""
        return self.table("models")

    def predictions(self) -> pd.DataFrame:
        """One row a case that a model predicted: the image that was read, and the mask."""
        return self.table("predictions")

    def scores(self) -> pd.DataFrame:
        """One row a case that a model was scored on, by a convention."""
        return self.table("scores")

    def score_lesions(self) -> pd.DataFrame:
        """One row a lesion of a reference, and one a false lesion of a prediction, as scored."""
        return self.table("score_lesions")

    def splits(self) -> pd.DataFrame:
        """One row a subject of a setting: partition and fold."""
        return self.table("splits")

    def units(self) -> pd.DataFrame:
        """One row a unit of work: how its last execution ended."""
        return self.table("units")

    def table(self, name: str) -> pd.DataFrame:
        """Return a table by its name as a typed DataFrame."""
        from cta_data.study.tables import read_frame

        return read_frame(self.root / layout.MANIFESTS, name)

    # Files for Python --------------------------------------------------------------------------

    def path(self, row: Any, *, fetch: bool = False) -> Path:
        """Return the file of a row: of an image, a variant, an annotation, a prediction …

        Parameters
        ----------
        row
            A row of a table (`for row in study.images().itertuples()`, or a Series), or a path
            from the top of the study.
        fetch
            Bring the content here, where it is elsewhere.

        Raises
        ------
        ConfigurationError
            The row names no file.
        CtaError
            The content cannot be fetched.
        """
        name = row if isinstance(row, str) else _file_of(row)
        if fetch:
            self._fetch([name])
        return self.root / name

    def dataset(self, setting: str, *, fetch: bool = False) -> TrainingData:
        """Return the training set of a setting: its cases by fold, as paths or as arrays.

        Parameters
        ----------
        setting
            `A`, `B`, `C`, `D`, or a setting of the study's own, that was built.
        fetch
            Bring images and labels here, where their content is elsewhere.

        Raises
        ------
        ConfigurationError
            The setting was not built.
        CtaError
            The content cannot be fetched.
        """
        from cta_data.files import read_json_object
        from cta_data.study.build_case import BuildCase
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
        cases = [BuildCase.of(one) for one in read_json_object(self.root / record)["cases"]]
        if fetch:
            self._fetch([path for case in cases for path in (case.image, case.label)])
        return training_data(self.root, setting, cases)

    def _fetch(self, paths: list[str]) -> None:
        from cta_data.versioning.datasets import fetch

        for path in paths:
            self.require(path)
        failed = fetch(self.root, paths).failed
        if failed:
            first, why = next(iter(failed.items()))
            raise CtaError("files_not_fetched", where=first, n_failed=len(failed), why=why)

    def query(self, sql: str) -> pd.DataFrame:
        """Run SQL over the tables; see `cta_data.study.tables.query`."""
        from cta_data.study.tables import query

        return query(self.root / layout.MANIFESTS, sql)


def _file_of(row: Any) -> str:
    """Return the path that a row of a table holds."""
    for column in ("path", "mask_path"):
        value = row.get(column) if hasattr(row, "get") else getattr(row, column, None)
        if isinstance(value, str) and value:
            return value
    raise ConfigurationError("row_without_file")
