"""What the delineations of one session gave: annotations, rows of regions, notes and problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from cta_data.cohorts.card import Card
from cta_data.engine import UnitId, Workspace, content_key
from cta_data.formats.dicom.time import Moment, in_order, is_later
from cta_data.pipeline.convert.annotation_rows import rejected_columns
from cta_data.pipeline.convert.image_rows import ConvertedImages, RawSession
from cta_data.pipeline.convert.roi_names import RoiNaming, identity_in
from cta_data.reasons import Reason
from cta_data.redaction import Identity, Redactor
from cta_data.study.annotations import CURRENT, SUPERSEDED, annotation_name
from cta_data.study.session_id import SessionId
from cta_data.study.tables import AnnotationRow, RoiRow


@dataclass(frozen=True)
class NewAnnotation:
    """An annotation to be written: its columns that do not depend on what is in its file.

    `space` is the image that it lies on; `made` is when it was, None where nothing says so.
    """

    name: str
    reader: str
    drawn_on: str
    quality: str | None
    version: int
    space: str
    status: str = CURRENT
    reason: Reason | None = None
    made: Moment | None = None


def new_annotation(
    card: Card,
    *,
    reader: str,
    drawn_on: str,
    space: str,
    version: int = 1,
    latest: int = 1,
    made: Moment | None = None,
) -> NewAnnotation:
    """Return an annotation as delivered; it is superseded where a later version counts."""
    quality = card.quality_of(drawn_on)
    older = version < latest
    return NewAnnotation(
        annotation_name(quality or drawn_on, reader, version),
        reader,
        drawn_on,
        quality,
        version,
        space,
        SUPERSEDED if older else CURRENT,
        Reason("annotation_older") if older else None,
        made,
    )


def ranks(made: Sequence[Moment | None]) -> list[int | None]:
    """Return the positions of moments in their order, from 1; None for all where it is unknown."""
    order = sorted(range(len(made)), key=lambda place: in_order(made[place]))
    certain = all(is_later(made[b], made[a]) for a, b in pairwise(order))
    if not certain or None in made:
        return [None] * len(made)
    return [order.index(place) + 1 for place in range(len(made))]


@dataclass
class SessionAnnotations:
    """What the structure sets, segmentations or masks of a session gave.

    `names` are the names of regions without identity, by structure set and published name: to join
    tables by, not to be kept. `redactor` finds the session's patient. `techniques` are those that
    somebody delineated on.
    """

    rows: list[RoiRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    techniques: list[str] = field(default_factory=list)
    names: dict[tuple[int, str], str] = field(default_factory=dict)
    refused: Reason | None = None
    redactor: Redactor | None = None
    written: list[AnnotationRow] = field(default_factory=list)
    _writers: list[Callable[[], None]] = field(default_factory=list)
    _made: list[Moment | None] = field(default_factory=list)

    def write_last(self, writer: Callable[[], None]) -> None:
        """Have an annotation written when the whole session is known to be usable."""
        self._writers.append(writer)

    def finish(self) -> None:
        """Write all annotations, or none where something keeps the session from being used."""
        if self.refused:
            return
        for writer in self._writers:
            writer()
        found = zip(self.written, ranks(self._made), strict=True)
        self.written = [replace(row, made_rank=rank) for row, rank in found]

    def refuse(self, reason: Reason | None) -> None:
        """Keep the session from being used; the first reason stays."""
        self.refused = self.refused or reason

    def add(
        self,
        session: SessionId,
        new: NewAnnotation,
        form: str,
        n_lesions: int,
        path: str,
        workspace: Workspace,
        names_path: str | None = None,
    ) -> None:
        """List an annotation that was written."""
        row = AnnotationRow(
            session=session,
            annotation=new.name,
            reader=new.reader,
            drawn_on=new.drawn_on,
            quality=new.quality,
            version=new.version,
            status=new.status,
            reason=str(new.reason) if new.reason else None,
            space=new.space,
            form=form,
            n_lesions=n_lesions,
            path=path,
            names_path=names_path,
            annex_key=content_key(workspace.write(path)),
        )
        self.written.append(row)
        self._made.append(new.made)

    def change_rows(self, of: Callable[[RoiRow], bool], **columns: Any) -> None:
        """Change columns of the rows that a condition holds for."""
        self.rows = [replace(row, **columns) if of(row) else row for row in self.rows]

    def reject_rows(self, of: Callable[[RoiRow], bool], reason: Reason | None) -> None:
        """Say of regions why they do not count."""
        self.change_rows(of, selected=False, **rejected_columns(reason))


@dataclass(frozen=True)
class ObjectReader:
    """Reads the structure sets or segmentations of one session by the rules of its card.

    `listed` is the technique that the cohort's own table gives for the subject, if any.
    """

    unit: UnitId
    images: ConvertedImages
    card: Card
    naming: RoiNaming
    listed: str | None
    result: SessionAnnotations

    @classmethod
    def of(
        cls,
        unit: UnitId,
        session: RawSession,
        images: ConvertedImages,
        card: Card,
        listed: str | None,
    ) -> ObjectReader:
        """Return the reader of a session, with nothing read yet."""
        naming = RoiNaming(card.withholds_roi_names, Redactor(session_identity(session)))
        return cls(unit, images, card, naming, listed, SessionAnnotations(redactor=naming.redactor))


def session_identity(session: RawSession) -> Identity:
    """Return whom any object of a session names; of an image's slices the first speaks for all."""
    return identity_in(
        dataset
        for one in session.series
        for dataset in (one.datasets[:1] if one.kind in ("MR", "CT") else one.datasets)
    )
