"""Pixels that a header declares to be padding (PS3.3 C.7.5.1.1.2): no measured value is theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydicom
from numpy.typing import NDArray

from cta_data.formats.dicom.frames import Frame
from cta_data.formats.dicom.geometry import Deviation

PADDING = "pixel_padding"


def fill_padding(
    volume: NDArray[np.generic], datasets: Sequence[pydicom.Dataset], frames: Sequence[Frame]
) -> tuple[NDArray[np.generic], list[Deviation]]:
    """Give padding the lowest of the other values, so that it is background.

    Padding that is 0 where nothing is lower is background already, and stays.

    Parameters
    ----------
    volume
        Values (slice, row, column), slope and intercept applied; never changed itself.
    datasets, frames
        Those of the volume; the frames in the order of its slices.
    """
    declared = [_stored_limits(dataset) for dataset in datasets]
    if not any(declared):
        return volume, []
    padding = np.zeros(volume.shape, bool)
    for number, frame in enumerate(frames):
        limits = declared[frame.dataset]
        if limits is None:
            continue
        slope, intercept = 1.0 if frame.slope is None else frame.slope, frame.intercept or 0.0
        ends = sorted(limit * slope + intercept for limit in limits)
        # Between two stored values lies a whole slope.
        reach = 0.49 * abs(slope)
        padding[number] = (volume[number] >= ends[0] - reach) & (volume[number] <= ends[1] + reach)
    count = int(np.count_nonzero(padding))
    if not count or count == volume.size:
        return volume, []
    lowest = volume[~padding].min()
    if lowest >= 0 and not volume[padding].any():
        return volume, []
    stored = [end for limits in declared if limits for end in limits]
    named = " to ".join(str(end) for end in sorted({min(stored), max(stored)}))
    measured = f"{count} of {volume.size} voxels are PixelPaddingValue {named}"
    method = f"set to {lowest:g}, the lowest other value"
    return np.where(padding, lowest, volume), [Deviation(PADDING, measured, "replaced", method)]


def _stored_limits(dataset: pydicom.Dataset) -> tuple[int, int] | None:
    """Stored values that are padding, both ends included; None where none is declared."""
    value = dataset.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = (int(value), int(value) if limit in (None, "") else int(limit))
    signed = int(dataset.get("PixelRepresentation", 0)) == 1
    bits = int(dataset.get("BitsAllocated", 16))
    # Its VR is US or SS, and some writers take the wrong one.
    first, last = (_as_stored(end, bits, signed=signed) for end in ends)
    return min(first, last), max(first, last)


def _as_stored(value: int, bits: int, *, signed: bool) -> int:
    wrapped = value % (1 << bits)
    return wrapped - (1 << bits) if signed and wrapped >= 1 << (bits - 1) else wrapped
