"""What a study holds, as DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import ConfigurationError
from cta_data.study import layout

if TYPE_CHECKING:
    import pandas as pd


class StudyContent:
    """The tables of one study; a part of `Study`."""

    root: Path

    def subjects(self) -> pd.DataFrame:
        """One row per subject-session: clinical data, quality and partition."""
        return self.table("subjects")

    def images(self) -> pd.DataFrame:
        """One row per image: technique, phase, geometry, acquisition."""
        return self.table("images")

    def rois(self) -> pd.DataFrame:
        """One row per delivered ROI: whether it was selected, and the reason if not."""
        return self.table("rois")

    def annotations(self) -> pd.DataFrame:
        """One row per delivered annotation: its source technique and its file."""
        return self.table("annotations")

    def transforms(self) -> pd.DataFrame:
        """One row per registration: source, quality values, whether it was accepted."""
        return self.table("transforms")

    def variants(self) -> pd.DataFrame:
        """One row per label variant: an annotation on one image grid."""
        return self.table("variants")

    def transfer_checks(self) -> pd.DataFrame:
        """One row per lesion and grid: changes by the transfer, and the result of its checks."""
        return self.table("transfer_checks")

    def decisions(self) -> pd.DataFrame:
        """One row per decision of a reader about a transfer, a finding or an annotation."""
        return self.table("decisions")

    def lesions(self) -> pd.DataFrame:
        """One row per lesion and grid: volumes in mm3 and cm3, centroid in RAS mm."""
        return self.table("lesions")

    def lesion_links(self) -> pd.DataFrame:
        """One row per pair of lesions of two annotations, and per lesion that one alone has."""
        return self.table("lesion_links")

    def lesion_changes(self) -> pd.DataFrame:
        """One row per change between two sessions: lesions, state, volumes and their interval."""
        return self.table("lesion_changes")

    def models(self) -> pd.DataFrame:
        """One row per trained fold of a model: its training set and its weights."""
        return self.table("models")

    def predictions(self) -> pd.DataFrame:
        """One row per predicted case: the input image and the mask."""
        return self.table("predictions")

    def scores(self) -> pd.DataFrame:
        """One row per model, case and convention: the scores."""
        return self.table("scores")

    def score_lesions(self) -> pd.DataFrame:
        """One row per reference lesion and per false positive, as scored."""
        return self.table("score_lesions")

    def splits(self) -> pd.DataFrame:
        """One row per subject and setting: partition and fold."""
        return self.table("splits")

    def withdrawals(self) -> pd.DataFrame:
        """One row per patient who withdrew consent, without any name or label."""
        return self.table("withdrawals")

    def withdrawn_content(self) -> pd.DataFrame:
        """One row per annex key of such a patient, as its digest."""
        return self.table("withdrawn_content")

    def units(self) -> pd.DataFrame:
        """One row per unit of work: the result of its last run."""
        return self.table("units")

    def table(self, name: str) -> pd.DataFrame:
        """Return a table by its name as a typed DataFrame.

        Raises
        ------
        ConfigurationError
            There is no table of this name.
        CtaError
            The table cannot be read.
        """
        from cta_data.study.tables import read_frame, table_schemas

        if name not in table_schemas():
            raise ConfigurationError("table_unknown", name=name, tables=tuple(table_schemas()))

        return read_frame(self.root / layout.MANIFESTS, name)

    def query(self, sql: str) -> pd.DataFrame:
        """Run SQL over the tables; see `cta_data.study.tables.query`."""
        from cta_data.study.tables import query

        return query(self.root / layout.MANIFESTS, sql)
