"""Files of the repository outside docs/ that the documentation site shows, and links to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md")
"""They get names in small letters, at the top of the site."""
OUTSIDE = re.compile(r"\]\(((?:\.\./)+)(README\.md|[A-Z_]+\.md|datasets/)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the shipped cards."""
    for name in PAGES:
        text = (REPOSITORY / name).read_text("utf-8").replace("](docs/", "](")
        for other in PAGES:
            text = text.replace(f"]({other}", f"]({other.lower()}")
        files.append(File.generated(config, name.lower(), content=text))
    for card in sorted(REPOSITORY.glob("datasets/*/card.toml")):
        name = card.relative_to(REPOSITORY).as_posix()
        files.append(File.generated(config, name, content=card.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links out of docs/ lead to what `on_files` added; README.md is the home page here."""
    return OUTSIDE.sub(_inside, markdown)


def _inside(link: re.Match[str]) -> str:
    up, target = link.groups()
    target = "index.md" if target == "README.md" else target.lower()
    return f"]({up.removeprefix('../')}{target}"
