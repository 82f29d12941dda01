"""Label descriptions of ITK-SNAP: a name and a colour for each value of a label image."""

from __future__ import annotations

from collections.abc import Iterable

from cta_data.formats.segmentation_nrrd import NamedSegment

_HEAD = """\
# ITK-SNAP label descriptions
# Columns: value, red, green, blue (0 to 255), opacity (0 to 1), visible, shown as a mesh, name
"""
_CLEAR = '    0     0    0    0        0  0  0    "Clear Label"\n'


def label_descriptions(segments: Iterable[NamedSegment]) -> str:
    """Return the content of a label description file."""
    return _HEAD + _CLEAR + "".join(map(_line, segments))


def _line(one: NamedSegment) -> str:
    red, green, blue = one.colour
    return f'{one.value:>5} {red:>5} {green:>4} {blue:>4}        1  1  1    "{_quoted(one.name)}"\n'


def _quoted(name: str) -> str:
    return name.replace('"', "'").replace("\n", " ")
