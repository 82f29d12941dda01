"""Crops through findings of an evaluation: a case's masks on the images of its subject-session."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.drawing.crops import Crop, Outline
from cta_data.drawing.planes import ViewPlane, show_lesion
from cta_data.drawing.views import LesionViews
from cta_data.engine.sessions import Upstream, require_outputs
from cta_data.errors import CtaError, DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.pipeline.session_images import SessionImages, SessionRows, require_files
from cta_data.pipeline.session_views import lesion_views
from cta_data.scoring import Convention
from cta_data.scoring.mask_files import instance_labels, read_mask
from cta_data.scoring.models.findings import REFERENCE
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, TransformRow
from cta_data.training.models import kept_at
from cta_data.versioning.datasets import fetch


@dataclass(frozen=True)
class Masks:
    """The masks of one case: of the reference, and of each model (by name).

    Models may have read other techniques than the reference is on: each mask is shown through the
    registration of the image on whose grid it is.
    """

    case: str
    reference: Path
    predictions: Mapping[str, Path]

    @property
    def paths(self) -> dict[str, Path]:
        """All by the name of their outlines, the reference first."""
        return {REFERENCE: self.reference} | {
            outline_name(model): path for model, path in self.predictions.items()
        }


def outline_name(model: str) -> str:
    """Return what the outline of a model is called."""
    return f"model {model}"


class CaseFinder:
    """Which subject-session a case is of: `<cohort>_sub-<label>_ses-<label>`, as builds name it.

    Parameters
    ----------
    techniques
        Only these are shown; all that the subject has where it is empty.
    """

    def __init__(self, study: Study, techniques: Iterable[str] = ()) -> None:
        self._study = study
        self._techniques = set(techniques)
        self._upstream = Upstream(study)
        sessions = {row.session for row in study.tables.rows(ImageRow)}
        self._sessions = {session.case: session for session in sessions}

    def files(self, case: str) -> SessionRows:
        """Return the rows of a case.

        Raises
        ------
        DataRefused
            No session with an image has this name.
        CtaError
            The dataset that holds its images is not to be had.
        """
        if case not in self._sessions:
            raise DataRefused("case_not_in_study", where=case)
        session = self._sessions[case]
        require_outputs(self._study, session.cohort)
        images = {
            technique: row
            for technique, row in sorted(self._upstream.images(session).items())
            if not self._techniques or technique in self._techniques
        }
        brains = self._upstream.images(session, "brain")
        return SessionRows(
            self._study.configuration.registration.reference,
            images,
            {t: row for t, row in brains.items() if t in images},
            tuple(self._transforms(session, {*images, self._hub})),
        )

    def _transforms(self, session: SessionId, techniques: set[str]) -> Iterator[TransformRow]:
        """Yield the registrations of these techniques that passed, or that a person accepted."""
        registration = self._upstream.unit("register", session)
        accepted = registration is not None and registration.status == "ok"
        for row in self._upstream.transforms(session):
            if {row.fixed, row.moving} <= techniques and (row.accepted or accepted):
                yield row

    @property
    def _hub(self) -> str:
        return self._study.configuration.registration.reference

    def fetch(self, cases: Iterable[Masks], note: Callable[[str], None]) -> dict[str, str]:
        """Fetch what crops of cases need; return why files did not come, by path in the study.

        Cases that are none of the study's need nothing. `note` takes a line of progress.
        """
        root, wanted = self._study.root, set()
        for masks in cases:
            try:
                wanted.update(self.files(masks.case).paths())
            except CtaError:
                continue  # told where its crops are asked for
            inside = [p for p in masks.paths.values() if p.is_relative_to(root)]
            wanted.update(kept_at(path, root) for path in inside)
        there = [path for path in sorted(wanted) if os.path.lexists(root / path)]
        fetched = fetch(root, there)
        if fetched.paths:
            note(f"fetched the content of {len(fetched.paths)} files")
        return fetched.failed


class CaseCrops:
    """The masks of one case and the images of its session, read once.

    Attributes
    ----------
    names
        Of the outlines: the reference, then the models.
    left_out
        Techniques, and outlines of masks on their grids, that cannot be shown, with the reason.

    Raises
    ------
    DataRefused
        A file is gone, damaged or was not fetched, or the masks are on the grid of no image.
    """

    def __init__(
        self,
        study: Study,
        files: SessionRows,
        masks: Masks,
        convention: Convention,
        not_fetched: Mapping[str, str],
    ) -> None:
        require_files(study.root, files.paths(), not_fetched)
        self.names = tuple(masks.paths)
        self._masks = masks
        self._convention = convention
        self._files = files
        self._images = SessionImages(study.root, files.images, files.brains, files.transforms)
        self._frames = {
            name: self._images.technique_of_grid(path, files.reference)
            for name, path in masks.paths.items()
        }
        self.left_out: dict[str, str] = {}
        for technique in self._images.images:
            try:
                self._images.transform(frame=self._frames[REFERENCE], technique=technique)
            except DataRefused as error:
                self.left_out[technique] = error.what

    @cached_property
    def _labels(self) -> dict[str, sitk.Image]:
        return {
            name: instance_labels(read_mask(path), self._convention)
            for name, path in self._masks.paths.items()
        }

    @cached_property
    def _inside(self) -> dict[str, sitk.Image]:
        return {
            name: sitk.Cast(labels > 0, sitk.sitkUInt8) for name, labels in self._labels.items()
        }

    def _between(self, frame: str, other: str) -> sitk.Transform | None:
        """Return the transform from points of one image to points of another; None for the same."""
        return None if frame == other else self._images.transform(frame=frame, technique=other)

    def overlapped(self, model: str, lesion: int) -> tuple[int, ...]:
        """Return the lesions of the reference that a model's lesion shares voxels with.

        None where the two masks are on different grids.
        """
        if self._frames[outline_name(model)] != self._frames[REFERENCE]:
            return ()
        own = sitk.GetArrayViewFromImage(self._labels[outline_name(model)]) == lesion
        shared = np.unique(sitk.GetArrayViewFromImage(self._labels[REFERENCE])[own])
        return tuple(int(number) for number in shared if number)

    def require_volume(self, model: str, lesion: int, volume_mm3: float) -> None:
        """Refuse a mask whose lesion is not the one that was scored.

        Raises
        ------
        DataRefused
            The lesion of this number has another volume (mm³).
        """
        labels = self._labels[outline_name(model)]
        voxels = int((sitk.GetArrayViewFromImage(labels) == lesion).sum())
        measured = voxels * Grid.of(labels).voxel_volume_mm3
        if not math.isclose(measured, volume_mm3, rel_tol=1e-4):
            raise DataRefused(
                "scored_mask_differs",
                where=f"{self._masks.case}, {outline_name(model)}, lesion {lesion}",
                measured=measured,
                volume_mm3=volume_mm3,
            )

    def crops(self, origin: str, lesion: int) -> tuple[Crop, ...]:
        """Return the axial surroundings of a finding on every technique, in one plane.

        The arguments and errors are those of `views`.
        """
        return tuple(one.at for one in self.views(origin, lesion).techniques)

    def views(self, origin: str, lesion: int) -> LesionViews:
        """Return a finding on every technique: in its axial plane, and in those beside it.

        The plane goes through the finding's centre along the axes of the image that its mask is on;
        what is on other images is resampled into it through the registration. Outlines are of
        whole masks.

        Parameters
        ----------
        origin
            `reference`, or the model whose lesion it is.
        lesion
            Number of the lesion in that mask, as in the scores.

        Raises
        ------
        DataRefused
            The mask has no such lesion, or cannot be read.
        """
        name = REFERENCE if origin == REFERENCE else outline_name(origin)
        labels, frame = self._labels[name], self._frames[name]
        plane = self._images.lesion_plane(labels, lesion, grid=frame, frame=frame)
        if plane is None:
            raise DataRefused(
                "lesion_not_in_mask", where=f"{self._masks.case}, {name}", lesion=lesion
            )
        techniques = [t for t in self._images.images if t not in self.left_out]
        reference, rows = self._files.reference, self._files.images
        techniques.sort(key=lambda t: (t != reference, rows[t].modality == "CT", t))
        return lesion_views(
            self._images,
            plane,
            frame=frame,
            techniques=techniques,
            outlines=lambda one: self._outlines(one, frame),
        )

    def _outlines(self, plane: ViewPlane, frame: str) -> tuple[Outline, ...]:
        """Return what the masks hold in a plane, those that hold nothing left out."""
        cuts = [
            Outline(n, show_lesion(mask, 1, plane, self._between(frame, self._frames[n])))
            for n, mask in self._inside.items()
            if self._frames[n] not in self.left_out
        ]
        return tuple(one for one in cuts if np.any(one.inside))
