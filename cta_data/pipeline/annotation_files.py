"""The files of annotations, as the steps that read annotations list them among their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cta_data.engine.inputs import Files
from cta_data.study.tables import AnnotationRow, ImageRow


@dataclass(frozen=True)
class AnnotationFiles:
    """Annotations of a session, and the images that they lie on.

    An annotation is `contours`, or labels (`drawn`) with the `names` of their lesions, by its name.
    `space` (the image that it lies on) is by name, too; `spacing_mm` and `drawn_on`, the images
    that annotations lie on, by space.
    """

    space: Mapping[str, str]
    spacing_mm: Mapping[str, tuple[float, ...] | None]
    contours: Files[str]
    drawn: Files[str]
    names: Files[str]
    drawn_on: Files[str]

    @classmethod
    def of(
        cls, annotations: Sequence[AnnotationRow], spaces: Mapping[str, ImageRow]
    ) -> AnnotationFiles:
        """Return the files of annotations; `spaces` are the images of the session by space."""
        return cls(
            space={one.annotation: one.space for one in annotations},
            spacing_mm={one.space: spaces[one.space].spacing_mm for one in annotations},
            contours=Files({a.annotation: a.path for a in annotations if not a.names_path}),
            drawn=Files({a.annotation: a.path for a in annotations if a.names_path}),
            names=Files({a.annotation: a.names_path for a in annotations if a.names_path}),
            drawn_on=Files({one.space: spaces[one.space].path for one in annotations}),
        )
