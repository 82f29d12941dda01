"""Transforms of one session: from any technique to any other, by way of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import SimpleITK as sitk

from cta_data.engine import Workspace
from cta_data.errors import DataRefused


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
        self._steps: dict[tuple[str, str], sitk.Transform] = {}
        for (fixed, moving), transform in transforms.items():
            self._steps[(fixed, moving)] = transform
            self._steps[(moving, fixed)] = transform.GetInverse()

    def between(self, *, target: str, source: str) -> sitk.Transform:
        """Return the transform from points of `target` to points of `source`.

        Raises
        ------
        DataRefused
            Nothing connects the two.
        """
        if target == source:
            return sitk.Transform(3, sitk.sitkIdentity)
        if (target, source) in self._steps:
            return self._steps[(target, source)]
        for fixed, middle in self._steps:
            if fixed == target and (middle, source) in self._steps:
                # ITK applies the last transform of a composite first.
                return sitk.CompositeTransform(
                    [self._steps[(middle, source)], self._steps[(target, middle)]]
                )
        raise DataRefused(
            f"no registration connects {source} with {target}",
            next_step="Run `cta-data register`",
        )


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
