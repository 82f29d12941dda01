"""The house: rooms in one order, none too large, nothing that looks upwards."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import cta_data

HOUSE = Path(cta_data.__file__).parent
ROOMS = (
    "imaging",
    "drawing",
    "redaction",
    "formats",
    "scoring",
    "versioning",
    "bids",
    "cohorts",
    "study",
    "engine",
    "intake",
    "pipeline",
    "training",
    "api",
    "reports",
    "review",
    "publish",
    "phantom",
    "terminal",
    "demo",
    "cli",
)
"""From the bottom to the top. What lies beside them in `cta_data` is the ground: below all."""
FACE = ("__init__", "__main__")
"""What a user calls: above all rooms."""
LARGEST = 0.15
"""The most that one room may hold of all lines."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(path): path for path in sorted(HOUSE.rglob("*.py"))}


def floor_of(module: str) -> int:
    """Return the place of a module's room in the order; the ground is -1."""
    if module in FACE:
        return len(ROOMS)
    room = module.partition(".")[0]
    return ROOMS.index(room) if room in ROOMS else -1


def imports(module: str) -> Iterator[str]:
    """Yield the modules of the house that one imports, within functions and for types as well."""
    for node in ast.walk(ast.parse(FILES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cta_data"):
            base = str(node.module).removeprefix("cta_data").removeprefix(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}".removeprefix(".")
                yield whole if whole in FILES else base


def test_every_folder_is_a_room_of_the_order() -> None:
    """A new folder gets its place in the order."""
    folders = {path.name for path in HOUSE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("module", FILES)
def test_nothing_is_imported_from_a_higher_floor(module: str) -> None:
    """Data flows one way: what is below knows nothing of what is above."""
    higher = {name for name in imports(module) if floor_of(name) > floor_of(module)}
    assert not higher


def test_no_circle_of_modules() -> None:
    """Each module can be read without the ones that read it."""
    left = {module: set(imports(module)) & set(FILES) - {module} for module in FILES}
    while ends := [module for module, needed in left.items() if not needed & set(left)]:
        for module in ends:
            del left[module]
    assert not left


def test_no_room_is_too_large() -> None:
    """A room that grows beyond is two rooms."""
    lines: Counter[str] = Counter()
    for module, path in FILES.items():
        lines[module.partition(".")[0]] += len(path.read_text("utf-8").splitlines())
    most = LARGEST * lines.total()
    assert {room: count for room, count in lines.items() if count > most} == {}
