"""Small tiles of the sliding window, several at a time: nnU-Net's logits but for rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.foreign_model import write_foreign_model

pytestmark = [pytest.mark.slow, pytest.mark.train]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

SHAPE = (2, 37, 29, 33)
"""Channels and voxels: tiles overlap unevenly, and the last ones together are fewer."""


@pytest.mark.parametrize("mirroring", [False, True])
def test_tiles_together_give_what_tiles_alone_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirroring: bool
) -> None:
    """The same labels, and probabilities that differ by less than one in a thousand."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    from cta_data.training.nnunet import tiles
    from cta_data.training.nnunet.ensemble import load_ensemble

    write_foreign_model(tmp_path)
    folds = [path.name.removeprefix("fold_") for path in sorted(tmp_path.glob("fold_*"))][:1]
    predictor = load_ensemble(tmp_path, folds, "cpu", mirroring=mirroring, tile_step=0.5)
    image = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    assert tiles.tiles_at_once(predictor.configuration_manager.patch_size) > 1
    together = predictor.predict_sliding_window_return_logits(image).float()

    def alone(*_: object) -> int:
        return 1

    own = []
    theirs = nnUNetPredictor._internal_predict_sliding_window_return_logits
    monkeypatch.setattr(tiles, "tiles_at_once", alone)
    monkeypatch.setattr(
        nnUNetPredictor,
        "_internal_predict_sliding_window_return_logits",
        lambda *given: own.append(theirs(*given)) or own[-1],
    )
    single = predictor.predict_sliding_window_return_logits(image).float()
    assert len(own) == 1
    assert torch.equal(together.argmax(0), single.argmax(0))
    difference = torch.softmax(together, 0) - torch.softmax(single, 0)
    assert difference.abs().max() < 1e-3


def test_large_tiles_stay_alone() -> None:
    """A plan of nnU-Net's own takes one tile at a time, as it does itself."""
    from cta_data.training.nnunet.tiles import MOST_TILES, tiles_at_once

    assert tiles_at_once((128, 128, 128)) == tiles_at_once((512, 512)) == 1
    assert tiles_at_once((64, 64, 64)) == 1 and tiles_at_once((48, 48, 48)) == 2
    assert tiles_at_once((24, 24, 24)) == MOST_TILES
