"""The outline of a mask along the edges of its pixels, and the colours of outlines.

Arrays in, lines out; nothing is drawn here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# Okabe and Ito, 2008: colours that remain apart for the colour-blind, without black and the greys.
COLOURS = ("#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#F0E442", "#D55E00")


def colour(number: int) -> str:
    """Return the colour of an outline by its place among those of a picture, from 0."""
    return COLOURS[number % len(COLOURS)]


def outline_segments(inside: Mask) -> NDArray[np.float64]:
    """Return the pixel edges between inside and outside: (n, 2, 2), each two points (x, y).

    Coordinates are those of the pixels' centres (column, row), so that an edge lies half a pixel
    away from the pixel it bounds. A mask is bounded at the edge of the picture, too.
    """
    padded = np.pad(inside, 1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    x, y = columns - 0.5, rows - 1.0
    upright = np.stack([np.stack([x, y - 0.5], -1), np.stack([x, y + 0.5], -1)], 1)
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    x, y = columns - 1.0, rows - 0.5
    level = np.stack([np.stack([x - 0.5, y], -1), np.stack([x + 0.5, y], -1)], 1)
    return np.concatenate([upright, level]).astype(np.float64)


def outline_lines(inside: Mask) -> list[NDArray[np.float64]]:
    """Return the outline of a mask as long lines, each (n, 2) of points (x, y).

    Coordinates are those of `outline_segments`.
    """
    return _joined(outline_segments(inside))


def corners(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a line, (n, 2), without the points between which it goes straight on."""
    steps = np.diff(line, axis=0)
    turns = np.any(steps[1:] != steps[:-1], axis=1)
    return line[np.concatenate([[True], turns, [True]])]


def _joined(segments: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Join edges to long lines, along which dashes can be seen."""
    by_start: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for a, b in ((tuple(s[0]), tuple(s[1])) for s in segments.tolist()):
        by_start.setdefault(a, []).append(b)
        by_start.setdefault(b, []).append(a)
    lines = []
    while by_start:
        point = next(iter(by_start))
        line = [point]
        while by_start.get(point):
            following = by_start[point].pop()
            by_start[following].remove(point)
            line.append(following)
            point = following
        for end in [p for p in line if p in by_start and not by_start[p]]:
            by_start.pop(end, None)
        lines.append(np.array(line))
    return lines
