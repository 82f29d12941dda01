"""Transforms of one session: from any technique to any other, by way of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import SimpleITK as sitk

from cta_data.engine import Workspace
from cta_data.errors import DataRefused
from cta_data.imaging.inverse import inverse_of


class TransformChain:
    """Transforms between the techniques of a session.

    Every transform is in ITK's resampling direction: it maps points of the target (fixed) image
    to points of the source (moving) image, LPS, mm.

    Parameters
    ----------
    transforms
        (fixed, moving) to transform.
    """

    def __init__(self, transforms: Mapping[tuple[str, str], sitk.Transform]) -> None:
        self._given = dict(transforms)

    def between(self, *, target: str, source: str) -> sitk.Transform:
        """Return the transform from points of `target` to points of `source`.

        Raises
        ------
        DataRefused
            Nothing connects the two, or a deformation between them cannot be inverted.
        """
        if target == source:
            return sitk.Transform(3, sitk.sitkIdentity)
        direct = self._step(target, source)
        if direct is not None:
            return direct
        for middle in sorted({technique for pair in self._given for technique in pair}):
            first, second = self._step(target, middle), self._step(middle, source)
            if first is not None and second is not None:
                # ITK applies the last transform of a composite first.
                return sitk.CompositeTransform([second, first])
        raise DataRefused(
            f"no registration connects {source} with {target}",
            next_step="Run `cta-data register`",
        )

    def _step(self, target: str, source: str) -> sitk.Transform | None:
        """The transform between two techniques that were registered; inverted only if asked."""
        if (target, source) in self._given:
            return self._given[(target, source)]
        back = self._given.get((source, target))
        return None if back is None else inverse_of(back)


def read_chain(paths: Mapping[str, str], workspace: Workspace) -> TransformChain:
    """Read transforms whose roles are `<fixed>:<moving>`."""
    return TransformChain(
        {
            (role.split(":")[0], role.split(":")[1]): sitk.ReadTransform(str(workspace.read(path)))
            for role, path in paths.items()
        }
    )


def transform_inputs(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the transforms of a session as inputs of a unit.

    One that its checks reject is among them only after a person has accepted it: until then the
    registration of the session is not done, and nothing is planned on it.
    """
    return {f"transform:{r['fixed']}:{r['moving']}": r["path"] for r in rows}
