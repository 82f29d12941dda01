"""From which change of volume on a lesion grew or shrank.

Nothing here loads what measures lesions, so that a study's configuration can be read without it.
"""

from __future__ import annotations

from dataclasses import dataclass

GROWTH_PERCENT = 72.8
"""Of the volume: a ball whose diameter is a fifth larger, from which on RANO-BM counts progression
(Lin et al. 2015, Lancet Oncol 16:e270)."""
SHRINKAGE_PERCENT = 65.7
"""Of the volume: a ball whose diameter is 30 % smaller, RANO-BM's partial response."""
OUTLINE_SD_VOXELS = 0.25
"""Half a voxel is twice the standard deviation."""


@dataclass(frozen=True)
class ChangeLimits:
    """Changes of volume, in percent of the earlier one, from which on a lesion grew or shrank."""

    growth_percent: float = GROWTH_PERCENT
    shrinkage_percent: float = SHRINKAGE_PERCENT
