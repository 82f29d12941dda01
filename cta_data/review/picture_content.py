"""What the pictures of one subject-session show: its files are read, and cut into planes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import SimpleITK as sitk
from matplotlib.figure import Figure

from cta_data.drawing.crops import Outline
from cta_data.drawing.planes import ViewPlane, middle, orthogonal_planes, show_lesion
from cta_data.drawing.views import views_figure
from cta_data.files import read_json_object
from cta_data.formats.nifti.image import read_image
from cta_data.pipeline.session_images import SessionImages
from cta_data.pipeline.session_views import lesion_views
from cta_data.review.lesion_entry import Lesion, LesionEntry
from cta_data.review.transfer_pictures import Checkerboard, boards_figure
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow, TransformRow, VariantRow

MOST_LESIONS = 12
BOARD_MM, BOARD_PIXEL_MM = 220.0, 0.75
SIDES = {"axial": "R", "coronal": "R", "sagittal": "A"}
LesionKey = tuple[int, str, str]
"""Lesion, annotation and grid."""


@dataclass(frozen=True, eq=False)
class SessionFiles:
    """The rows of the tables that tell what there is of one subject-session.

    Attributes
    ----------
    reference
        Technique that the others are registered to.
    images, brains
        Rows of `images` by technique: as acquired, and with the brain extracted (for their masks).
    transforms, variants
        Rows of those tables.
    flags, checks
        Of lesions: flags, as the table `lesions` has them, and what is outside its limits.
    state
        One of `pictures_page.STATES`.
    failures
        Why a registration was not accepted or the transfer failed.
    decisions
        What people decided about them.
    """

    session: SessionId
    reference: str
    images: Mapping[str, ImageRow]
    brains: Mapping[str, ImageRow]
    transforms: tuple[TransformRow, ...]
    variants: tuple[VariantRow, ...]
    flags: Mapping[LesionKey, tuple[str, ...]]
    checks: Mapping[LesionKey, tuple[str, ...]]
    state: str
    failures: tuple[str, ...]
    decisions: tuple[str, ...] = ()

    @cached_property
    def moving(self) -> list[str]:
        """Spaces beside the reference: of variants, failed registrations, and an earlier phase.

        Another phase than the one worked on is registered only where an annotation lies on it. All
        that were registered, where there is no annotation.
        """
        known = {row.moving for row in self.transforms}
        if not self.variants:
            return sorted(known & set(self.images))
        shown = {variant.grid for variant in self.variants}
        shown |= {row.moving for row in self.transforms if not row.accepted}
        shown |= {space for space, row in self.images.items() if row.technique != space}
        return sorted(known & shown & set(self.images))

    def paths(self) -> list[str]:
        """Return all files that the pictures are made of, from the top of the study."""
        techniques = [t for t in (self.reference, *self.moving) if t in self.images]
        paths = [self.images[t].path for t in techniques]
        brains = [self.brains[t] for t in techniques if t in self.brains]
        paths += [row.mask_path for row in brains if row.mask_path]
        paths += [row.path for row in self.transforms]
        for variant in self.variants:
            paths += [variant.labels_path, variant.account_path]
        return paths


def lesion_entries(files: SessionFiles, root: Path) -> tuple[LesionEntry, ...]:
    """Read what became of each lesion on each grid; the worst `MOST_LESIONS` are to be drawn."""
    entries = []
    for variant in files.variants:
        account = read_json_object(root / variant.account_path)
        for lesion in account["lesions"]:
            key = (lesion["id"], variant.annotation, variant.grid)
            entries.append(
                LesionEntry(
                    *key,
                    volume_cm3=lesion["volume_mm3"] / 1000,
                    transfer_volume_ratio=_known(lesion["volume_ratio"]),
                    centroid_shift_mm=_known(lesion["centroid_shift_mm"]),
                    flags=tuple(files.flags.get(key, lesion["flags"])),
                    lost_reason=lesion["lost_reason"] or "",
                    failed=files.checks.get(key, ()),
                )
            )
    entries.sort(key=lambda one: (one.annotation, one.lesion_id, one.grid))
    drawn = _worst_lesions(entries)
    return tuple(replace(one, drawn=one.lesion in drawn) for one in entries)


def _worst_lesions(entries: Iterable[LesionEntry]) -> set[Lesion]:
    """Return which lesions are drawn: those that were lost, then those with the highest score."""
    badness: dict[Lesion, tuple[bool, float]] = {}
    for one in entries:
        found = (bool(one.lost_reason), one.score)
        badness[one.lesion] = max(found, badness.get(one.lesion, found))
    ranked = sorted(badness, key=lambda i: (*(-float(v) for v in badness[i]), i))
    return set(ranked[:MOST_LESIONS])


class SessionPlanes:
    """The images and variants of one subject-session, read once, and figures of them."""

    def __init__(self, files: SessionFiles, root: Path) -> None:
        self._files = files
        techniques = [t for t in (files.reference, *files.moving) if t in files.images]
        images = {t: files.images[t] for t in techniques}
        self._images = SessionImages(root, images, files.brains, files.transforms)
        self._labels = {
            variant: read_image(root / variant.labels_path) for variant in files.variants
        }

    def boards(self) -> Figure | None:
        """Draw each moving technique in three planes through the brain; None without any."""
        boards = tuple(self._checkerboards())
        return boards_figure(boards) if boards else None

    def _checkerboards(self) -> Iterator[Checkerboard]:
        reference, images = self._files.reference, self._images
        centre = middle(images.head(reference))
        planes = orthogonal_planes(images.images[reference], centre, BOARD_MM, BOARD_PIXEL_MM)
        accepted = {row.moving: row.accepted for row in self._files.transforms}
        for technique in self._files.moving:
            told = "" if accepted[technique] else " (not accepted)"
            for name, plane in planes.items():
                fixed, moving = (
                    images.shown(t, plane, frame=reference) for t in (reference, technique)
                )
                caption = f"{reference} | {technique}{told}, {name}"
                yield Checkerboard(caption, SIDES[name], fixed, moving)

    def lesion(self, lesion: Lesion) -> Figure | None:
        """Draw a lesion on every technique, in planes of the reference; None if it is nowhere."""
        annotation, lesion_id = lesion
        own = [one for one in self._labels if one.annotation == annotation]
        plane = self._lesion_plane(own, lesion_id)
        if plane is None:
            return None
        views = lesion_views(
            self._images,
            plane,
            frame=self._files.reference,
            techniques=list(self._images.images),
            outlines=lambda one: self._outlines(own, lesion_id, one),
        )
        return views_figure(views, tuple(map(_name, own)))

    def _outlines(
        self, variants: list[VariantRow], lesion_id: int, plane: ViewPlane
    ) -> tuple[Outline, ...]:
        return tuple(
            Outline(
                _name(one),
                show_lesion(self._labels[one], lesion_id, plane, self._to_hub(one.grid)),
            )
            for one in variants
        )

    def _to_hub(self, grid: str) -> sitk.Transform:
        return self._images.transform(frame=self._files.reference, technique=grid)

    def _lesion_plane(self, variants: list[VariantRow], lesion_id: int) -> ViewPlane | None:
        reference = self._files.reference
        # The reference's own variant first: its slices are then seen as they were acquired.
        for one in sorted(variants, key=lambda variant: variant.grid != reference):
            labels = self._labels[one]
            plane = self._images.lesion_plane(labels, lesion_id, grid=one.grid, frame=reference)
            if plane is not None:
                return plane
        return None


def _name(variant: VariantRow) -> str:
    return f"{variant.annotation} on {variant.grid}"


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
