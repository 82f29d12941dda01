"""Public names of `cta_data` without a user in the package: python benchmarks/unused.py

A name counts as used where another module imports it or reaches it as an attribute, where its own
module uses it beyond its definition, or where a string is its dotted path (`module:function`).
Beside each name stand the folders outside of the package that mention it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTSIDE = ("tests", "benchmarks", "docs")
_PATH = re.compile(r"[\w.:]+")


def definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the public names that a module defines, methods as `Class.method`, and their lines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)):
                yield name, node.lineno
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and not member.decorator_list:
                    yield f"{node.name}.{member.name}", member.lineno


def uses(tree: ast.Module) -> Iterator[str]:
    """Yield every name that a module reads, imports, reaches as an attribute, or has as a path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and _PATH.fullmatch(str(node.value)):
            yield from re.split("[.:]", str(node.value))[1:]


def mentions(name: str) -> list[str]:
    """Return the folders outside of the package that hold a word."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    files = {f: [*(ROOT / f).rglob("*.py"), *(ROOT / f).rglob("*.md")] for f in OUTSIDE}
    return [
        f for f, paths in files.items() if any(word.search(p.read_text("utf-8")) for p in paths)
    ]


def unused() -> Iterator[tuple[Path, int, str]]:
    """Yield file, line and name of what nothing in the package uses."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in (ROOT / "cta_data").rglob("*.py")}
    used = Counter(name for tree in trees.values() for name in uses(tree))
    for path, tree in sorted(trees.items()):
        for name, line in definitions(tree):
            last = name.rpartition(".")[2]
            if not last.startswith("_") and not used[last]:
                yield path.relative_to(ROOT), line, name


if __name__ == "__main__":
    for path, line, name in unused():
        print(f"{path}:{line} {name}", *mentions(name.rpartition(".")[2]), sep="  ")
