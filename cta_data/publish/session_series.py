"""The DICOM series that an image of a study was made of, or one with UIDs of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage

from cta_data.cohorts.series_roles import SeriesHeader, assign_roles
from cta_data.engine.sessions import CONVERTED_KINDS, SourceSession, source_sessions
from cta_data.errors import DataRefused
from cta_data.formats.dicom.derived_objects import uid_of
from cta_data.formats.dicom.image_planes import PlacedSeries, place_series
from cta_data.formats.nifti.image import read_grid
from cta_data.formats.reference_image import grid_of
from cta_data.imaging.geometry.grid import Grid
from cta_data.intake import open_datasets
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow
from cta_data.versioning.datasets import fetch


@dataclass(frozen=True)
class SourceSeries:
    """Where the raw series of images lie, from the top of the study, by technique and phase."""

    paths: Mapping[tuple[str, str], str]

    def of(self, image: ImageRow) -> str | None:
        """Return the raw series of an image; None where it was not made of DICOM."""
        return self.paths.get((image.technique, image.contrast_phase))


class SeriesOfStudy:
    """The series of a study's images.

    Parameters
    ----------
    pseudonymous
        Whether the patients' identity and the UIDs of the hospital are left out.
    """

    def __init__(self, study: Study, *, pseudonymous: bool) -> None:
        self._study = study
        self._pseudonymous = pseudonymous
        self._sources: dict[str, dict[SessionId, SourceSession]] = {}

    def raw(self, image: ImageRow) -> str | None:
        """Return the raw series of an image; None where it may not or cannot be used."""
        if self._pseudonymous:
            return None
        session = image.session
        if session.cohort not in self._sources:
            found = source_sessions(self._study, session.cohort) or []
            self._sources[session.cohort] = {one.id: one for one in found}
        source = self._sources[session.cohort].get(session)
        return self._roles(source).of(image) if source else None

    def place(self, image: ImageRow) -> PlacedSeries:
        """Return the series of an image.

        Raises
        ------
        DataRefused
            Its raw files cannot be read, or their slices are no regular volume.
        """
        raw = self.raw(image)
        if raw is None:
            return self._own(image)
        require_here(self._study, [raw])
        headers = [_without_pixels(one) for one in open_datasets(self._study.root / raw)]
        return place_series(headers, grid_of(headers))

    def _roles(self, source: SourceSession) -> SourceSeries:
        rows = [row for row in source.series if row.kind in CONVERTED_KINDS and not row.source_file]
        headers = [SeriesHeader(row.series, row.header) for row in rows]
        roles = assign_roles(headers, self._study.card(source.id.cohort).series)
        folder = self._study.sourcedata_path(source.id.cohort)
        files = {row.series: f"{folder}/{row.file}" for row in rows}
        return SourceSeries(
            {(one.technique or "", one.phase): files[one.identifier] for one in roles.images}
        )

    def _own(self, image: ImageRow) -> PlacedSeries:
        """Return a series whose UIDs follow from the study and the name of the image."""
        require_here(self._study, [image.path])
        grid = read_grid(self._study.root / image.path)
        slices = grid.arranged(grid.along(np.eye(3)))
        headers = list(_own_headers(self._study.identifier, image, slices))
        return place_series(headers, grid)


def _own_headers(study: str, image: ImageRow, slices: Grid) -> Iterable[Dataset]:
    who = image.session
    for number in range(slices.size[2]):
        header = Dataset()
        header.SOPClassUID = CTImageStorage if image.modality == "CT" else MRImageStorage
        header.SOPInstanceUID = uid_of("image", study, image.path, number)
        header.SeriesInstanceUID = uid_of("series of images", study, image.path)
        header.StudyInstanceUID = uid_of("study", study, *who)
        header.FrameOfReferenceUID = uid_of("frame", study, *who, image.frame)
        header.PatientID = header.PatientName = f"{who.cohort}_sub-{who.subject}"
        header.PatientIdentityRemoved, header.DeidentificationMethod = "YES", "cta_data"
        header.Modality, header.InstanceNumber = image.modality, number + 1
        header.Columns, header.Rows = slices.size[0], slices.size[1]
        header.PixelSpacing = [float(slices.spacing[1]), float(slices.spacing[0])]
        header.SliceThickness = float(slices.spacing[2])
        header.ImageOrientationPatient = slices.direction[:, :2].T.ravel().tolist()
        header.ImagePositionPatient = slices.to_point(np.array([0, 0, number])).tolist()
        yield header


def _without_pixels(image: Dataset) -> Dataset:
    if "PixelData" in image:
        del image.PixelData
    return image


def require_here(study: Study, paths: list[str]) -> None:
    """Fetch files.

    Raises
    ------
    DataRefused
        The content of one is not to be had.
    """
    for path in paths:
        study.require(path)
    for path, why in fetch(study.root, paths).failed.items():
        raise DataRefused("export_file_missing", where=path, why=why)
