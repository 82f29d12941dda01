"""What the picture of one subject-session shows: its files are read, and cut into planes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from cta_data.drawing.crops import Crop, Outline
from cta_data.drawing.planes import ViewPlane, middle, orthogonal_planes, show_lesion
from cta_data.engine import UnitId
from cta_data.files import read_json_object
from cta_data.formats.nifti.image import read_image
from cta_data.pipeline.artefacts import report_path
from cta_data.pipeline.session_images import SessionImages
from cta_data.review.pictures_page import LesionEntry, SessionEntry
from cta_data.review.transfer_pictures import Checkerboard, LesionPicture, SessionPicture

MOST_LESIONS = 12
BOARD_MM, BOARD_PIXEL_MM = 220.0, 0.75
SIDES = {"axial": "R", "coronal": "R", "sagittal": "A"}
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class SessionFiles:
    """The rows of the tables that tell what there is of one subject-session.

    Attributes
    ----------
    hub
        Technique that the others are registered to.
    images, brains
        Rows of `images` by technique: as acquired, and with the brain extracted (for their masks).
    transforms, variants
        Rows of those tables.
    flags
        (lesion_id, quality, grid) to flags, as the table `lesions` has them.
    failures
        Why a registration was not accepted or the transfer failed.
    decisions
        What people decided about them.
    """

    unit: UnitId
    hub: str
    images: Mapping[str, Row]
    brains: Mapping[str, Row]
    transforms: tuple[Row, ...]
    variants: tuple[Row, ...]
    flags: Mapping[tuple[int, str, str], tuple[str, ...]]
    failures: tuple[str, ...]
    decisions: tuple[str, ...] = ()

    @cached_property
    def moving(self) -> list[str]:
        """Spaces beside the hub: of variants, of failed registrations, and of an earlier phase.

        Another phase than the one worked on is registered only where an annotation lies on it.
        """
        shown = {variant["grid"] for variant in self.variants}
        shown |= {row["moving"] for row in self.transforms if not row["accepted"]}
        shown |= {space for space, row in self.images.items() if row["technique"] != space}
        known = {row["moving"] for row in self.transforms}
        return sorted(known & shown & set(self.images))

    def paths(self) -> list[str]:
        """Return all files that the picture is made of, from the top of the study."""
        techniques = [t for t in (self.hub, *self.moving) if t in self.images]
        paths = [self.images[t]["path"] for t in techniques]
        paths += [self.brains[t]["mask_path"] for t in techniques if t in self.brains]
        paths += [row["path"] for row in self.transforms]
        for variant in self.variants:
            paths += [variant["labels_path"], self.account_path(variant)]
        return paths

    def account_path(self, variant: Row) -> str:
        """Return where the account of a variant's transfer lies."""
        return report_path(self.unit, variant["quality"], variant["grid"])


def lesion_entries(files: SessionFiles, root: Path) -> tuple[LesionEntry, ...]:
    """Read what became of each lesion on each grid; the worst `MOST_LESIONS` are to be drawn."""
    entries = []
    for variant in files.variants:
        account = read_json_object(root / files.account_path(variant))
        for lesion in account["lesions"]:
            key = (lesion["id"], variant["quality"], variant["grid"])
            entries.append(
                LesionEntry(
                    *key,
                    volume_cm3=lesion["volume_mm3"] / 1000,
                    transfer_volume_ratio=_known(lesion["volume_ratio"]),
                    centroid_shift_mm=_known(lesion["centroid_shift_mm"]),
                    flags=tuple(files.flags.get(key, lesion["flags"])),
                    lost_reason=lesion["lost_reason"] or "",
                )
            )
    entries.sort(key=lambda one: (one.lesion_id, one.quality, one.grid))
    drawn = _worst_lesions(entries)
    return tuple(replace(one, drawn=one.lesion_id in drawn) for one in entries)


def _worst_lesions(entries: Iterable[LesionEntry]) -> set[int]:
    """Return which lesions are drawn: those that were lost, then those with the highest score."""
    badness: dict[int, tuple[bool, float]] = {}
    for one in entries:
        found = (bool(one.lost_reason), one.score)
        badness[one.lesion_id] = max(found, badness.get(one.lesion_id, found))
    ranked = sorted(badness, key=lambda i: (*(-float(v) for v in badness[i]), i))
    return set(ranked[:MOST_LESIONS])


class SessionPlanes:
    """The images and variants of one subject-session, read once, and planes through them."""

    def __init__(self, files: SessionFiles, root: Path) -> None:
        self._files = files
        techniques = [t for t in (files.hub, *files.moving) if t in files.images]
        images = {t: files.images[t] for t in techniques}
        self._images = SessionImages(root, images, files.brains, files.transforms)
        self._labels = {
            _name(variant): (variant["grid"], read_image(root / variant["labels_path"]))
            for variant in files.variants
        }

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, in the order of their colours."""
        return tuple(self._labels)

    def _shown(self, technique: str, plane: ViewPlane) -> Any:
        return self._images.shown(technique, plane, frame=self._files.hub)

    def checkerboards(self) -> tuple[Checkerboard, ...]:
        """Return three planes through the middle of the brain for each moving technique."""
        hub, boards = self._files.hub, []
        image, brains = self._images.images[hub], self._images.brains
        head = (
            brains[hub]
            if hub in brains
            else image > float(sitk.GetArrayViewFromImage(image).mean())
        )
        planes = orthogonal_planes(image, middle(head), BOARD_MM, BOARD_PIXEL_MM)
        accepted = {row["moving"]: row["accepted"] for row in self._files.transforms}
        for technique in self._files.moving:
            told = "" if accepted[technique] else " (not accepted)"
            for name, plane in planes.items():
                fixed, moving = self._shown(hub, plane), self._shown(technique, plane)
                caption = f"{hub} | {technique}{told}, {name}"
                boards.append(Checkerboard(caption, SIDES[name], fixed, moving))
        return tuple(boards)

    def crops(self, lesion_id: int) -> tuple[Crop, ...]:
        """Return the axial surroundings of a lesion on every technique, in one plane of the hub."""
        plane = self._lesion_plane(lesion_id)
        if plane is None:
            return ()
        outlines = tuple(
            Outline(name, show_lesion(labels, lesion_id, plane, self._to_hub(grid)))
            for name, (grid, labels) in self._labels.items()
        )
        return tuple(
            Crop(t, self._shown(t, plane), plane.pixel_mm, outlines) for t in self._images.images
        )

    def _to_hub(self, grid: str) -> sitk.Transform:
        return self._images.transform(frame=self._files.hub, technique=grid)

    def _lesion_plane(self, lesion_id: int) -> ViewPlane | None:
        hub = self._files.hub
        # The hub's own variant first: its slices are then seen as they were acquired.
        for grid, labels in sorted(self._labels.values(), key=lambda pair: pair[0] != hub):
            plane = self._images.lesion_plane(labels, lesion_id, grid=grid, frame=hub)
            if plane is not None:
                return plane
        return None


def session_picture(
    files: SessionFiles, lesions: tuple[LesionEntry, ...], root: Path
) -> SessionPicture:
    """Return what is to be drawn of one subject-session; its content is here."""
    planes = SessionPlanes(files, root)
    by_id: dict[int, list[LesionEntry]] = {}
    for lesion in lesions:
        by_id.setdefault(lesion.lesion_id, []).append(lesion)
    drawn = {i: of_one for i, of_one in by_id.items() if of_one[0].drawn}
    remarks = [*files.failures, *files.decisions]
    if len(drawn) < len(by_id):
        remarks.append(f"{len(drawn)} of {len(by_id)} lesions are drawn, the worst")
    if not by_id and not remarks:
        remarks.append("the annotation has no lesion")
    elif not remarks and not files.moving:
        remarks.append("one technique only: there is nothing to compare")
    entry = SessionEntry(files.unit.cohort, files.unit.subject, files.unit.session, "")
    return SessionPicture(
        heading=entry.name,
        remark=_shortened("; ".join(remarks)),
        variants=planes.variants,
        checkerboards=planes.checkerboards(),
        lesions=tuple(_lesion(i, of_one, planes.crops(i)) for i, of_one in sorted(drawn.items())),
    )


def _lesion(lesion_id: int, entries: list[LesionEntry], crops: tuple[Crop, ...]) -> LesionPicture:
    lines, warnings = [], []
    for one in entries:
        where = f"{one.quality} on {one.grid}"
        if one.lost_reason:
            warnings.append(f"lost on {one.grid}: {one.lost_reason}")
            continue
        ratio, shift = one.transfer_volume_ratio, one.centroid_shift_mm
        numbers = [f"{one.volume_cm3:.3f} cm³"]
        numbers += [f"ratio {ratio:.3f}"] if ratio is not None else []
        numbers += [f"shift {shift:.2f} mm"] if shift is not None else []
        lines.append(f"{where}: {', '.join(numbers)}")
        warnings += [f"{flag.replace('_', ' ')} ({one.grid})" for flag in one.flags]
    return LesionPicture(f"Lesion {lesion_id}", tuple(lines), tuple(warnings), crops)


def _name(variant: Row) -> str:
    return f"{variant['quality']} on the grid of {variant['grid']}"


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _shortened(text: str, most: int = 170) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
