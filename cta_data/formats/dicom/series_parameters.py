"""Whether the slices of a series were acquired alike."""

from __future__ import annotations

from collections.abc import Sequence

import pydicom

from cta_data.formats.dicom.geometry import Deviation
from cta_data.formats.dicom.header import measured

MIXED = "mixed_parameters"
KEYWORDS = ("RepetitionTime", "EchoTime", "InversionTime")
ALIKE = 0.02
"""Share of the largest value: some scanners write what they measured for every slice."""


def mixed_parameters(datasets: Sequence[pydicom.Dataset]) -> list[Deviation]:
    """Name the times (ms) that differ between the instances of a series, or that some lack."""
    found = []
    for keyword in KEYWORDS:
        texts = (str(dataset.get(keyword) or "") for dataset in datasets)
        values = {measured({keyword: text}, keyword) for text in texts}
        known = sorted(value for value in values if value is not None)
        if not known or (len(known) == len(values) and known[-1] - known[0] <= ALIKE * known[-1]):
            continue
        told = f"{known[0]:g} to {known[-1]:g} ms" if known[-1] > known[0] else f"{known[0]:g} ms"
        lacking = ", absent in some" if None in values else ""
        found.append(f"{keyword} {told}{lacking}")
    return [Deviation(MIXED, f"slices differ in {'; '.join(found)}", "tolerated")] if found else []
