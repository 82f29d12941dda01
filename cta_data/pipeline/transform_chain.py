"""Transforms of one session: from any technique to any other, by way of the reference image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Workspace
from cta_data.engine.inputs import Files
from cta_data.errors import DataRefused
from cta_data.formats.transforms import read_transform
from cta_data.imaging.geometry.inverse import inverse_of

MOST_APART_MM = 2.0
"""Ways that were registered each for itself agree up to here."""
_HEAD_MM = 100.0 * np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T


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
            Nothing connects the two, several ways between them lead to different places, or a
            deformation between them cannot be inverted.
        """
        if target == source:
            return sitk.Transform(3, sitk.sitkIdentity)
        ways = [self._step(target, source)] if self._connected(target, source) else []
        for middle in sorted({technique for pair in self._given for technique in pair}):
            if self._connected(target, middle) and self._connected(middle, source):
                # ITK applies the last transform of a composite first.
                steps = [self._step(middle, source), self._step(target, middle)]
                ways.append(sitk.CompositeTransform(steps))
        if not ways:
            raise DataRefused("transform_chain_missing", source=source, target=target)
        apart = max((_apart_mm(ways[0], other) for other in ways[1:]), default=0.0)
        if apart > MOST_APART_MM:
            raise DataRefused(
                "transform_chains_contradict",
                n_ways=len(ways),
                source=source,
                target=target,
                apart_mm=apart,
            )
        return ways[0]

    def _connected(self, target: str, source: str) -> bool:
        return (target, source) in self._given or (source, target) in self._given

    def _step(self, target: str, source: str) -> sitk.Transform:
        """The transform between two techniques that were registered; inverted only if asked."""
        if (target, source) in self._given:
            return self._given[(target, source)]
        return inverse_of(self._given[(source, target)])


def _apart_mm(first: sitk.Transform, other: sitk.Transform) -> float:
    """The largest distance between where two transforms take points of a head."""
    off = [
        np.subtract(first.TransformPoint(point), other.TransformPoint(point))
        for point in _HEAD_MM.tolist()
    ]
    return float(np.linalg.norm(off, axis=1).max())


def read_chain(paths: Files[tuple[str, str]], workspace: Workspace) -> TransformChain:
    """Read transforms that are named by their fixed and moving spaces."""
    return TransformChain(
        {(name[0], name[1]): read_transform(workspace.read(path)) for name, path in paths.items()}
    )
