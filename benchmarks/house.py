"""How the package is built: python benchmarks/house.py [--list]

Prints files and lines by folder, and counts what makes a package hard to read: fragments, files
that a single other file imports, untyped signatures, string subscripts, names that stand for two
classes, study paths made outside of `study/layout.py`, long files and functions. `--list` names
them one by one.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "cta_data"
FRAGMENT, LONG_FILE, LONG_FUNCTION = 60, 400, 60
UNTYPED = re.compile(r"(dict|Mapping)\[str, Any\]")
LAYOUT = HOUSE / "study" / "layout.py"
STUDY_PATH = re.compile(r"(^|/)(datasets|derivatives|sourcedata|builds|models|evaluation)/")
Trees = dict[Path, ast.Module]


def module_of(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def lines_of(path: Path) -> int:
    """Return the number of lines of a file."""
    return len(path.read_text("utf-8").splitlines())


def importers(trees: Trees) -> dict[Path, set[Path]]:
    """Return, for every file, the files that import it or a name of it."""
    files = {module_of(path): path for path in trees}
    result: dict[Path, set[Path]] = {path: set() for path in trees}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cta_data"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    target = files.get(whole) or files.get(str(node.module))
                    if target is not None and target != path:
                        result[target].add(path)
    return result


def twice(trees: Trees) -> Iterator[str]:
    """Yield the class names that exist more than once, and where."""
    places = defaultdict(list)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module_of(path))
    yield from (f"{name}: {', '.join(at)}" for name, at in sorted(places.items()) if len(at) > 1)


def functions(trees: Trees) -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function of every file."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def untyped(trees: Trees) -> Iterator[str]:
    """Yield the signatures that take or return mappings of anything."""
    for path, node in functions(trees):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        notes = [argument.annotation for argument in arguments] + [node.returns]
        if any(note is not None and UNTYPED.search(ast.unparse(note)) for note in notes):
            yield f"{module_of(path)}.{node.name}"


def subscripts(trees: Trees) -> Iterator[str]:
    """Yield the places where a value is reached by a string."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            key = node.slice if isinstance(node, ast.Subscript) else None
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield f"{module_of(path)}:{key.lineno} {ast.unparse(node)}"


def study_paths(trees: Trees) -> Iterator[str]:
    """Yield the f-strings outside of the layout that make a path of a study."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if path != LAYOUT and isinstance(node, ast.JoinedStr):
                parts = (p.value for p in node.values if isinstance(p, ast.Constant))
                if any(STUDY_PATH.search(str(part)) for part in parts):
                    yield f"{module_of(path)}:{node.lineno} {ast.unparse(node)}"


def figures(trees: Trees) -> dict[str, list[str]]:
    """Return what is counted, each with its places."""
    users = importers(trees)
    plain = [path for path in trees if path.name not in ("__init__.py", "__main__.py")]
    single = [path for path in plain if len(users[path]) == 1]
    small = [path for path in plain if lines_of(path) <= FRAGMENT]

    def named(paths: list[Path]) -> list[str]:
        return [f"{path.relative_to(ROOT)} {lines_of(path)}" for path in sorted(paths)]

    long_functions = [
        f"{module_of(path)}.{node.name} {(node.end_lineno or 0) - node.lineno + 1}"
        for path, node in functions(trees)
        if (node.end_lineno or 0) - node.lineno + 1 > LONG_FUNCTION
    ]
    return {
        "files imported by one other file": named(single),
        f"files of at most {FRAGMENT} lines": named(small),
        "of them, imported by one other file": named([p for p in small if p in single]),
        "signatures with a mapping of anything": list(untyped(trees)),
        "string subscripts": list(subscripts(trees)),
        "class names that exist twice": list(twice(trees)),
        "f-strings that make study paths": list(study_paths(trees)),
        f"files over {LONG_FILE} lines": named([p for p in trees if lines_of(p) > LONG_FILE]),
        f"functions over {LONG_FUNCTION} lines": long_functions,
    }


def print_folders(trees: Trees) -> None:
    """Print files and lines by folder, rooms with the folders in them."""
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for path in trees:
        parts = path.relative_to(HOUSE).parent.parts
        for depth in range(len(parts) + 1):
            name = "/".join(("cta_data", *parts[:depth]))
            files[name] += 1
            lines[name] += lines_of(path)
    print(f"{'folder':40} {'files':>6} {'lines':>7} {'share':>6}")
    for name in sorted(files):
        print(f"{name:40} {files[name]:6} {lines[name]:7} {lines[name] / lines['cta_data']:6.1%}")


def print_longest(trees: Trees, count: int = 10) -> None:
    """Print the longest files and functions."""
    lengths = sorted(((lines_of(path), module_of(path)) for path in trees), reverse=True)
    print(f"\nlongest files: {', '.join(f'{name} {n}' for n, name in lengths[:count])}")
    spans = sorted(
        (((node.end_lineno or 0) - node.lineno + 1, f"{module_of(path)}.{node.name}")
         for path, node in functions(trees)), reverse=True,
    )  # fmt: skip
    print(f"longest functions: {', '.join(f'{name} {n}' for n, name in spans[:count])}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name everything that is counted")
    listed = parser.parse_args().list
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(HOUSE.rglob("*.py"))}
    print_folders(trees)
    print_longest(trees)
    print()
    for what, places in figures(trees).items():
        print(f"{what}: {len(places)}")
        for place in places if listed else ():
            print(f"    {place}")


if __name__ == "__main__":
    main()
