"""What a study holds, as DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.study import layout

if TYPE_CHECKING:
    import pandas as pd


class StudyContent:
    """The tables of one study; a part of `Study`."""

    root: Path

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

    def query(self, sql: str) -> pd.DataFrame:
        """Run SQL over the tables; see `cta_data.study.tables.query`."""
        from cta_data.study.tables import query

        return query(self.root / layout.MANIFESTS, sql)
