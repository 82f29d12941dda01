"""The command `trace`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.options import JsonOption, OverwriteOption, StudyOption
from cta_data.destinations import require_file_place
from cta_data.engine.records import EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, print_json

if TYPE_CHECKING:
    from cta_data.pipeline.lineage import Lineage, LineageStep

MOST_FILES = 4
SHORT = 12


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("trace")(trace)


def trace(
    path: Annotated[
        Path, typer.Argument(help="A figure, table, prediction, build, label or any other file.")
    ],
    graph: Annotated[
        Path | None, typer.Option("--graph", help="Also write a graph: .mmd (Mermaid) or .dot.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Tell where a file comes from, step by step back to the raw series; nothing is fetched."""
    from cta_data.files import write_text
    from cta_data.pipeline.lineage import trace as trace_back
    from cta_data.pipeline.lineage_graph import WRITERS, graph_text

    opened = open_study(study)
    if graph is not None:
        if graph.suffix not in WRITERS:
            raise ConfigurationError(
                "a graph is written as .mmd or .dot", where=str(graph), next_step="Name it so"
            )
        require_file_place(graph, [opened.root / path, path], overwrite=overwrite)
    lineage = trace_back(opened, _from_top(opened, path))
    if graph is not None:
        write_text(graph_text(lineage, graph.suffix), graph)
    if as_json:
        files, steps = lineage.files.values(), lineage.steps
        print_json(
            {
                "path": lineage.path,
                "files": list(map(asdict, files)),
                "steps": list(map(asdict, steps)),
            }
        )
    else:
        _print(lineage)
    return EXIT_OK


def _from_top(study: Study, path: Path) -> str:
    """Return a path from the top of the study; given from there, or from the working directory."""
    top = Path(os.path.realpath(study.root))
    for start in (Path.cwd(), study.root):
        # Of the last name no link is followed: an annexed file is a link.
        named = Path(os.path.normpath(start / path))
        whole = Path(os.path.realpath(named.parent)) / named.name
        if whole.is_relative_to(top) and (start == study.root or os.path.lexists(whole)):
            return whole.relative_to(top).as_posix()
    raise ConfigurationError(
        "the file is not in the study", where=str(path), why=f"the study is {study.root}"
    )


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
    out = console()
    version = f", step version {step.version}" if step.version is not None else ""
    software = step.software.get("cta_data", "not known")
    out.print(f"{step.number}. {step.name} (cta_data {software}{version})", soft_wrap=True)
    out.print(f"   {step.command or 'no record in the history'}", soft_wrap=True)
    out.print(
        f"   commit {step.commit[:SHORT] or 'none'}; makes {_some(step.outputs)}", soft_wrap=True
    )
    if step.parameters:
        out.print(f"   parameters {step.parameters['digest']}", soft_wrap=True)
        for name in (name for name in step.parameters if name not in ("digest", "software")):
            out.print(f"     {name}: {json.dumps(step.parameters[name])}", soft_wrap=True)
    for path, key in list(step.inputs.items())[:MOST_FILES]:
        changed = " (another content by now)" if path in step.changed else ""
        out.print(f"   from {path} [{key or 'not available here'}]{changed}", soft_wrap=True)
    if len(step.inputs) > MOST_FILES:
        out.print(f"   … and {len(step.inputs) - MOST_FILES} more: --json lists all")


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else ""
    return ", ".join(paths[:MOST_FILES]) + more
