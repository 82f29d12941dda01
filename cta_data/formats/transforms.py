"""Read ITK transforms, which ITK itself does not check: a damaged one can end the process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import DataRefused

HEADER = "#Insight Transform File V1.0"
NUMBERS = {
    "IdentityTransform": (0, 0),
    "TranslationTransform": (3, 0),
    "VersorTransform": (3, 3),
    "VersorRigid3DTransform": (6, 3),
    "Euler3DTransform": (6, 4),
    "Similarity3DTransform": (7, 3),
    "ScaleVersor3DTransform": (9, 3),
    "ScaleSkewVersor3DTransform": (15, 3),
    "AffineTransform": (12, 3),
    "MatrixOffsetTransformBase": (12, 3),
}
"""Parameters and fixed parameters of the kinds of transform that have always as many."""
GRIDS = ("BSplineTransform", "DisplacementFieldTransform")
GRID_NUMBERS = 18
"""Fixed parameters of a grid: size, origin and spacing, and its direction."""
NESTED = "CompositeTransform"
_FEW = 10_000
"""Parameters that are read one by one."""
_LONGEST_S = 120
_TRY = "import sys, SimpleITK; SimpleITK.ReadTransform(sys.argv[1])"


def read_transform(path: Path) -> sitk.Transform:
    """Read a transform between points (LPS, mm) in three dimensions.

    Raises
    ------
    DataRefused
        If the file is no ITK transform, is damaged, has another number of dimensions, or holds
        numbers that are not finite or that put space onto a plane.
    """
    _check(path)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise _refused(path, str(error).strip().splitlines()[-1]) from error
    if transform.GetDimension() != 3:
        raise _refused(path, f"it has {transform.GetDimension()} dimensions")
    if not np.all(np.isfinite(_numbers(transform))):
        raise _refused(path, "it holds numbers that are not finite")
    if transform.IsLinear() and _is_flat(transform):
        raise _refused(path, "it puts space onto a plane, and cannot be inverted")
    return transform


def _check(path: Path) -> None:
    """Refuse what ITK would stumble over."""
    try:
        with path.open("rb") as file:
            start = file.read(len(HEADER))
        if start == HEADER.encode():
            _check_text(path, path.read_text("utf-8"))
            return
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, str(error)) from error
    # Of other forms, such as HDF5, nothing tells whether ITK survives them but ITK.
    command = [sys.executable, "-c", _TRY, str(path)]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired as error:
        raise _refused(path, f"it is not read within {_LONGEST_S} s") from error
    if tried.returncode:
        why = tried.stderr.strip().splitlines()[-1:] or ["ITK cannot read it"]
        raise _refused(path, why[0][:200])


def _check_text(path: Path, text: str) -> None:
    """Hold the numbers of every transform of a text file against its kind."""
    if not text.endswith("\n"):
        raise _refused(path, "its last line is cut off")
    fields: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, text.splitlines()[1:])):
        if not line.startswith("#"):
            name, colon, value = line.partition(":")
            fields.append((name.strip(), value.strip()) if colon else ("", ""))
    names = [name for name, _ in fields]
    kinds = [value for name, value in fields if name == "Transform"]
    if not kinds or names != list(_expected_names(kinds)):
        raise _refused(path, "lines are missing, or there are others than its transforms have")
    values = iter(value for name, value in fields if name != "Transform")
    for kind in kinds:
        name = _kind(path, kind)
        if name != NESTED:
            _check_numbers(path, name, next(values), next(values))


def _expected_names(kinds: list[str]) -> Iterator[str]:
    for kind in kinds:
        yield "Transform"
        if not kind.startswith(NESTED):
            yield from ("Parameters", "FixedParameters")


def _kind(path: Path, kind: str) -> str:
    found = re.fullmatch(r"(\w+?)_(double|float)_3_3", kind)
    name = found[1] if found else ""
    if name not in (*NUMBERS, *GRIDS, NESTED):
        raise _refused(path, f"{kind[:80]!r} is no kind of transform in three dimensions")
    return name


def _check_numbers(path: Path, kind: str, own: str, fixed: str) -> None:
    try:
        parameters, placed = (np.array(text.split(), float) for text in (own, fixed))
    except ValueError as error:
        raise _refused(path, f"{kind}: {error}") from error
    if not (np.isfinite(parameters).all() and np.isfinite(placed).all()):
        raise _refused(path, "it holds numbers that are not finite")
    if kind in NUMBERS:
        right = NUMBERS[kind]
    else:
        size = placed[:3] if len(placed) == GRID_NUMBERS else np.zeros(3)
        right = (int(3 * np.prod(size)), GRID_NUMBERS)
    counted = (len(parameters), len(placed))
    # Older ITK wrote Euler angles without the order of their rotations.
    if counted != right and (kind, counted) != ("Euler3DTransform", (6, 3)):
        raise _refused(path, f"{counted} numbers, where {kind} has {right}")


def _numbers(transform: sitk.Transform) -> tuple[float, ...]:
    """Return its numbers; of a displacement field, which has millions, those of its grid."""
    few = transform.GetNumberOfParameters() <= _FEW
    own = transform.GetParameters() if few else ()
    return (*own, *transform.GetFixedParameters())


def _is_flat(transform: sitk.Transform) -> bool:
    """Return whether a linear transform leaves no volume."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    axes = [np.subtract(transform.TransformPoint(axis), origin) for axis in np.eye(3).tolist()]
    return bool(abs(np.linalg.det(axes)) < np.finfo(np.float32).eps)


def _refused(path: Path, why: str) -> DataRefused:
    return DataRefused("transform_unusable", where=path, why=why)
