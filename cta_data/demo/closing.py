"""How the demonstration ends: which pages to open, and which commands come next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

PAGES = {
    "index.html": "the study's home page",
    "evaluation/article/report.html": "scores of models A to D, and examples",
    "evaluation/table_1.html": "Table 1 beside the paper's figures",
}
"""Pages from the top of the study, and what they show; named where they are."""
COMMANDS = {
    "cta-data status": "where every session stands",
    "cta-data pictures": "a page of all registrations and transfers",
    "cta-data build --setting B": "run again, it does nothing that is done",
    "git log": "one record for each command; `datalad rerun` repeats it",
}
OF_READERS = {
    "cta-data agreement --by reader": "readers against each other",
    "cta-data agreement --by quality": "NAQ against HAQ",
}
OF_MODELS = {
    "cta-data audit --truth ../trial/truth": "false positives, held against the truth",
}
OF_TRAINING = {
    "cta-data train --setting B --fold 0 --device cpu": "a model; on a GPU without --device",
}


def closing_lines(
    root: Path, shown: Path, *, trained: bool, readers: bool = False
) -> Iterator[str]:
    """Yield the pages that are there, and the commands to go on with.

    Parameters
    ----------
    root
        The study.
    shown
        Its path as the user gave it.
    trained
        Whether models were trained.
    readers
        Whether there are annotations of several readers.
    """
    pages = {f"{shown}/{name}": text for name, text in PAGES.items() if (root / name).is_file()}
    if pages:
        yield "Open in a browser:"
        yield from _aligned(pages, "  ")
    yield "Go on with:"
    yield f"  cd {shlex.quote(str(shown))}"
    further = (OF_READERS if readers else {}) | (OF_MODELS if trained else OF_TRAINING)
    yield from _aligned(COMMANDS | further, "  # ")


def _aligned(entries: dict[str, str], between: str) -> Iterator[str]:
    longest = max(map(len, entries))
    yield from (f"  {name:<{longest}}{between}{text}" for name, text in entries.items())
