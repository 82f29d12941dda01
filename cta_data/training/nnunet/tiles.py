"""Tiles of the sliding window, several at a time on a processor.

PyTorch computes a convolution of one small patch by another, slower method than that of two. A few
small tiles together take a quarter of the time of one after the other; of large ones nothing is
gained, and they stay alone, as nnU-Net has it. Sums are added in the same order, so that logits
differ by the rounding of convolutions alone.

This module imports nnU-Net and torch: import it in a job only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.inference.sliding_window_prediction import compute_gaussian

MOST_TILES = 8
VOXELS_AT_ONCE = 64**3
"""Voxels of the tiles that are predicted together, or fewer; a single tile may have more."""


def tiles_at_once(patch_size: Sequence[int]) -> int:
    """Return how many tiles of this size (voxels) are predicted together; at least one."""
    return max(1, min(MOST_TILES, VOXELS_AT_ONCE // math.prod(patch_size)))


class TilesAtOnce(nnUNetPredictor):
    """nnU-Net's predictor, which takes several small tiles at a time on a processor."""

    @torch.inference_mode()
    def _internal_predict_sliding_window_return_logits(
        self, data: torch.Tensor, slicers: Sequence[Any], do_on_device: bool = True
    ) -> torch.Tensor:
        patch_size = tuple(self.configuration_manager.patch_size)
        at_once = tiles_at_once(patch_size)
        if self.device.type != "cpu" or at_once == 1:
            return super()._internal_predict_sliding_window_return_logits(
                data, slicers, do_on_device
            )
        logits = torch.zeros(
            (self.label_manager.num_segmentation_heads, *data.shape[1:]), dtype=torch.half
        )
        weights = torch.zeros(data.shape[1:], dtype=torch.half)
        weight = torch.ones(patch_size, dtype=torch.half)
        if self.use_gaussian:
            weight = compute_gaussian(
                patch_size, sigma_scale=1 / 8, value_scaling_factor=10, device=self.device
            )
        for where, tile in self._tiles(data, slicers, at_once):
            logits[where] += tile * weight
            weights[where[1:]] += weight
        logits /= weights
        if torch.isinf(logits).any():
            raise RuntimeError("the network's logits are not finite")
        return logits

    def _tiles(
        self, data: torch.Tensor, slicers: Sequence[Any], at_once: int
    ) -> Iterator[tuple[Any, torch.Tensor]]:
        """Yield where each tile lies in the image, and its logits."""
        for start in range(0, len(slicers), at_once):
            part = slicers[start : start + at_once]
            given = torch.stack([data[where] for where in part])
            yield from zip(part, self._internal_maybe_mirror_and_predict(given), strict=True)
