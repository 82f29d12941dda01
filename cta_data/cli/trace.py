"""The command `trace`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.bundles import Takes
from cta_data.cli.options import Output, StudyChoice, require_suffix
from cta_data.engine.records import EXIT_OK
from cta_data.terminal.output import console

if TYPE_CHECKING:
    from cta_data.pipeline.lineage import Lineage, LineageStep

MOST_FILES = 4
SHORT = 12


def trace(
    path: Annotated[
        Path, typer.Argument(help="A figure, table, prediction, build, label or any other file.")
    ],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    chosen: StudyChoice,
    graph: Annotated[
        Path | None, typer.Option("--graph", help="Also write a graph: .mmd (Mermaid) or .dot.")
    ] = None,
) -> int:
    """Tell where a file comes from, step by step back to the raw series; nothing is fetched."""
    from cta_data.bids.files import write_text
    from cta_data.destinations import require_file_place
    from cta_data.pipeline.lineage import path_from_top
    from cta_data.pipeline.lineage import trace as trace_back
    from cta_data.pipeline.lineage_graph import WRITERS, graph_text

    study = chosen.open()
    require_suffix(graph, "a graph", *WRITERS)
    if graph is not None:
        require_file_place(graph, [study.root / path, path], overwrite=output.overwrite)
    lineage = trace_back(study, path_from_top(study, path))
    if graph is not None:
        write_text(graph_text(lineage, graph.suffix), graph)
    output.show(lambda: _content(lineage), lambda: _print(lineage))
    return EXIT_OK


def _content(lineage: Lineage) -> dict[str, object]:
    files, steps = map(asdict, lineage.files.values()), map(asdict, lineage.steps)
    return {"path": lineage.path, "files": list(files), "steps": list(steps)}


def _print(lineage: Lineage) -> None:
    from cta_data.pipeline.lineage import RAW

    out = console()
    raw = [file.path for file in lineage.files.values() if file.origin == RAW]
    told = f"{len(lineage.steps)} steps back to {len(raw)} raw files"
    out.print(f"{lineage.path}: {told}", soft_wrap=True)
    alike: dict[tuple[int, str], list[LineageStep]] = {}
    for step in lineage.steps:
        alike.setdefault((step.level, step.kind), []).append(step)
    for steps in alike.values():
        _print_step(steps[0])
        if len(steps) > 1:
            out.print(f"   and {len(steps) - 1} more of {steps[0].kind}: --json lists all")
    others = [f.path for f in lineage.files.values() if f.step is None and f.origin == "kept"]
    for title, paths in (("raw files", raw), ("files that no step made", others)):
        if paths:
            out.print(f"{title}: {_some(paths)}", soft_wrap=True)


def _print_step(step: LineageStep) -> None:
    version = f", step version {step.version}" if step.version is not None else ""
    software = step.software.get("cta_data", "not known")
    lines = [
        f"{step.number}. {step.name} (cta_data {software}{version})",
        f"   {step.command or 'no record in the history'}",
        f"   commit {step.commit[:SHORT] or 'none'}; makes {_some(step.outputs)}",
    ]
    if step.parameters:
        lines.append(f"   parameters {step.parameters['digest']}")
        names = (name for name in step.parameters if name not in ("digest", "software"))
        lines += [f"     {name}: {json.dumps(step.parameters[name])}" for name in names]
    for path, key in list(step.inputs.items())[:MOST_FILES]:
        changed = " (another content by now)" if path in step.changed else ""
        lines.append(f"   from {path} [{key or 'not available here'}]{changed}")
    if len(step.inputs) > MOST_FILES:
        lines.append(f"   … and {len(step.inputs) - MOST_FILES} more: --json lists all")
    for line in lines:
        console().print(line, soft_wrap=True)


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else ""
    return ", ".join(paths[:MOST_FILES]) + more
