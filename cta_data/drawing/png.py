"""Figures as small PNG files: few colours, the same bytes every time."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from cta_data.drawing.outlines import COLOURS

_GREYS = (44, 32, 24, 16)
_MOST_BYTES = 300_000


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG with few colours and no metadata: no clock and no software in it."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    full = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    content = b""
    for greys in _GREYS:
        stream = io.BytesIO()
        _with_palette(full, _palette(greys)).save(stream, "PNG", optimize=True)
        content = stream.getvalue()
        if len(content) <= _MOST_BYTES:
            break
    return content


def _palette(greys: int) -> NDArray[np.int64]:
    """Return greys and the outlines' colours, each whole and mixed with black and white: (n, 3)."""
    entries = [np.full(3, round(255 * i / (greys - 1))) for i in range(greys)]
    for name in COLOURS:
        colour = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)])
        entries += [np.rint(s * colour + (1 - s) * g) for s, g in ((1, 0), (0.6, 0), (0.6, 255))]
    return np.array(entries).astype(np.int64)


def _with_palette(full: NDArray[np.uint8], palette: NDArray[np.int64]) -> Image.Image:
    """Return the picture with each colour replaced by the nearest one of the palette."""
    first = full[..., 0]
    coloured = (full != first[..., None]).any(axis=-1)
    nearest = _nearest(np.arange(256)[:, None].repeat(3, axis=1), palette)[first]
    # Most of a picture is grey: only what is not has its colours sorted.
    colours, where = np.unique(full[coloured], axis=0, return_inverse=True)
    nearest[coloured] = _nearest(colours, palette)[where.ravel()]
    few = Image.fromarray(nearest, mode="L")
    few.putpalette(palette.astype(np.uint8).tobytes())
    return few


def _nearest(colours: NDArray[np.integer], palette: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the place in the palette that is nearest to each colour: (n, 3) to (n,)."""
    nearest = [np.argmin(((palette - one) ** 2).sum(axis=1)) for one in colours.astype(np.int64)]
    return np.array(nearest, dtype=np.uint8)
