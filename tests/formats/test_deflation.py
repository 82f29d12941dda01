"""Gzip of voxels: the same content back, the same bytes again, also where most of it is zero."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip
from numpy.typing import NDArray

from cta_data.formats.deflation import COMPRESSION_LEVEL, PIECE, gzipped

HEADER = bytes(range(256)) + b"nifti" * 19


def packed(voxels: NDArray[np.generic]) -> bytes:
    return b"".join(gzipped(HEADER, voxels))


@given(
    runs=st.lists(
        st.tuples(st.booleans(), st.integers(0, 3 * PIECE) | st.sampled_from([PIECE, 2 * PIECE])),
        max_size=5,
    ),
    seed=st.integers(0, 2**16),
)
def test_content_comes_back(runs: list[tuple[bool, int]], seed: int) -> None:
    """Whatever of the content is zero, other programs read the same bytes, checksum and length."""
    random = np.random.default_rng(seed)
    parts = [
        random.integers(0, 4, size, np.uint8) if used else np.zeros(size, np.uint8)
        for used, size in runs
    ]
    content = np.concatenate([*parts, np.zeros(1, np.uint8)])
    made = packed(content)
    assert gzip.decompress(made) == HEADER + content.tobytes()
    assert igzip.decompress(made) == HEADER + content.tobytes()
    assert packed(content.copy()) == made


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "bool"])
def test_voxels_of_every_type(dtype: str) -> None:
    """The bytes of memory are what is kept, whatever the type; −0.0 is no zero byte."""
    voxels = np.zeros((3, 200, 200), dtype)
    voxels[1, 5, 7] = 1
    if dtype.startswith("float"):
        voxels[2, 0, 0] = -0.0
    assert gzip.decompress(packed(voxels)) == HEADER + voxels.tobytes()


def test_zeros_are_packed_more_tightly_than_by_zlib_at_once() -> None:
    """A mask of zeros alone is smaller than what zlib makes of it at the level of all else."""
    voxels = np.zeros((100, 256, 256), np.uint8)
    assert len(packed(voxels)) < len(zlib.compress(voxels.tobytes(), COMPRESSION_LEVEL))
