"""The command `trace`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import Output, StudyChoice, require_suffix
from cta_data.engine.records import EXIT_OK

if TYPE_CHECKING:
    from cta_data.pipeline.lineage import Lineage, LineageStep

MOST_FILES = 4
SHORT = 12


def trace(
    path: Annotated[
        Path, Argument(help="A figure, table, prediction, build, label or any other file.")
    ],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    chosen: StudyChoice,
    graph: Annotated[
        Path | None, Option("--graph", help="Also write a graph: .mmd (Mermaid) or .dot.")
    ] = None,
) -> int:
    """Trace a file back to the raw series; nothing is fetched."""
    from cta_data.destinations import require_file_place
    from cta_data.files import write_text
    from cta_data.pipeline.lineage import path_from_top
    from cta_data.pipeline.lineage import trace as trace_back
    from cta_data.pipeline.lineage_graph import WRITERS, graph_text

    study = chosen.open()
    require_suffix(graph, WRITERS)
    if graph is not None:
        require_file_place(graph, [study.root / path, path], overwrite=output.overwrite)
    lineage = trace_back(study, path_from_top(study, path))
    if graph is not None:
        write_text(graph_text(lineage, graph.suffix), graph)
    output.show(lambda: _content(lineage), _lines(lineage))
    return EXIT_OK


def _content(lineage: Lineage) -> dict[str, object]:
    files, steps = map(asdict, lineage.files.values()), map(asdict, lineage.steps)
    return {"path": lineage.path, "files": list(files), "steps": list(steps)}


def _lines(lineage: Lineage) -> Iterator[str]:
    from cta_data.pipeline.lineage import RAW

    raw = [file.path for file in lineage.files.values() if file.origin == RAW]
    yield f"{lineage.path}: {len(lineage.steps)} steps back to {len(raw)} raw files"
    alike: dict[tuple[int, str], list[LineageStep]] = {}
    for step in lineage.steps:
        alike.setdefault((step.level, step.kind), []).append(step)
    for steps in alike.values():
        yield from _step_lines(steps[0])
        if len(steps) > 1:
            yield f"   and {len(steps) - 1} more of {steps[0].kind}: --json lists all"
    others = [f.path for f in lineage.files.values() if f.step is None and f.origin == "kept"]
    for title, paths in (("raw files", raw), ("files that no step made", others)):
        if paths:
            yield f"{title}: {_some(paths)}"


def _step_lines(step: LineageStep) -> Iterator[str]:
    version = f", step version {step.version}" if step.version is not None else ""
    software = step.software.get("cta_data", "not known")
    yield f"{step.number}. {step.name} (cta_data {software}{version})"
    yield f"   {step.command or 'no record in the history'}"
    yield f"   commit {step.commit[:SHORT] or 'none'}; makes {_some(step.outputs)}"
    if step.parameters:
        yield f"   parameters {step.parameters['digest']}"
        for name in (name for name in step.parameters if name not in ("digest", "software")):
            yield f"     {name}: {json.dumps(step.parameters[name])}"
    for path, key in list(step.inputs.items())[:MOST_FILES]:
        changed = " (another content by now)" if path in step.changed else ""
        yield f"   from {path} [{key or 'not available here'}]{changed}"
    if len(step.inputs) > MOST_FILES:
        yield f"   … and {len(step.inputs) - MOST_FILES} more: --json lists all"


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else ""
    return ", ".join(paths[:MOST_FILES]) + more
