"""A lineage as a small graph, for Mermaid or Graphviz: a box a kind of step, not one a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from cta_data.pipeline.lineage import RAW, Lineage

SHORT = 8
"""Characters of a commit that are shown."""
Edge = tuple[str, str]


def graph_text(lineage: Lineage, ending: str) -> str:
    """Return the graph as text of a file with one of the endings of `WRITERS`."""
    boxes, edges = _boxes(lineage), _edges(lineage)
    return WRITERS[ending](boxes, edges)


def _boxes(lineage: Lineage) -> dict[str, str]:
    """Return the label of each box: the step, how often it was done, and its commits."""
    boxes = {"target": lineage.path}
    for kind, number in Counter(step.kind for step in lineage.steps).items():
        own = dict.fromkeys(step.commit[:SHORT] for step in lineage.steps if step.kind == kind)
        commits = ", ".join(commit or "not committed" for commit in own)
        boxes[kind] = f"{kind}{f' × {number}' if number > 1 else ''} ({commits})"
    raw = sum(file.origin == RAW for file in lineage.files.values())
    others = sum(file.step is None and file.origin != RAW for file in lineage.files.values())
    named = (("raw", raw, "raw files"), ("kept", others, "files that no step made"))
    return boxes | {name: f"{count} {text}" for name, count, text in named if count}


def _edges(lineage: Lineage) -> dict[Edge, int]:
    """Return how many files go from one box to another."""
    kinds = {step.number: step.kind for step in lineage.steps}

    def source(path: str) -> str:
        file = lineage.files.get(path)
        if file is None or file.step is None:
            return "raw" if file and file.origin == RAW else "kept"
        return kinds[file.step]

    found: Counter[Edge] = Counter()
    for step in lineage.steps:
        found.update((source(path), step.kind) for path in step.inputs)
    ends = [p for p in lineage.files if p == lineage.path or p.startswith(f"{lineage.path}/")]
    found.update((source(path), "target") for path in ends)
    return {edge: count for edge, count in sorted(found.items()) if edge[0] != edge[1]}


def _mermaid(boxes: dict[str, str], edges: dict[Edge, int]) -> str:
    lines = ["flowchart TD"]
    lines += [f'    {_name(name)}["{_entities(label)}"]' for name, label in boxes.items()]
    lines += [f"    {_name(a)} -->|{count}| {_name(b)}" for (a, b), count in edges.items()]
    return "\n".join(lines) + "\n"


def _dot(boxes: dict[str, str], edges: dict[Edge, int]) -> str:
    lines = ["digraph lineage {", "    node [shape=box];"]
    lines += [f'    "{name}" [label="{_escaped(label)}"];' for name, label in boxes.items()]
    lines += [f'    "{a}" -> "{b}" [label="{count}"];' for (a, b), count in edges.items()]
    return "\n".join([*lines, "}"]) + "\n"


def _entities(label: str) -> str:
    """Return a label with what ends or changes a text of Mermaid as entities."""
    return "".join(f"#{ord(c)};" if c in '"#<>&' else c for c in label)


def _escaped(label: str) -> str:
    """Return a label with what ends or changes a text of Graphviz escaped."""
    return label.replace("\\", "\\\\").replace('"', '\\"')


def _name(name: str) -> str:
    return "step_" + "".join(c if c.isalnum() else "_" for c in name)


WRITERS: dict[str, Callable[[dict[str, str], dict[Edge, int]], str]] = {
    ".mmd": _mermaid,
    ".dot": _dot,
}
"""Endings of graph files: Mermaid and Graphviz."""
