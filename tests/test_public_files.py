"""What other sites read of the repository: citation, archive, workflows, navigation."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
ARCHIVE = json.loads((REPOSITORY / ".zenodo.json").read_text("utf-8"))


def test_citation_and_archive_agree_with_the_package() -> None:
    """One title, one licence, one author; the article is the one that the package links."""
    assert CITATION["title"] == ARCHIVE["title"]
    assert CITATION["license"] == ARCHIVE["license"] == PROJECT["license"]
    authors = [author["name"] for author in PROJECT["authors"]]
    assert [author["name"] for author in CITATION["authors"]] == authors
    assert [author["name"] for author in ARCHIVE["creators"]] == authors
    doi = CITATION["preferred-citation"]["doi"]
    assert PROJECT["urls"]["Article"] == f"https://doi.org/{doi}"
    assert ARCHIVE["related_identifiers"][0]["identifier"] == doi


def test_continuous_integration_runs_every_python_that_is_promised() -> None:
    """The versions of the classifiers are those of the test matrix; all commands are of make."""
    promised = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    workflows = {
        path.stem: yaml.safe_load(path.read_text("utf-8"))
        for path in (REPOSITORY / ".github" / "workflows").glob("*.yml")
    }
    matrix = workflows["tests"]["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python-version"] == promised
    targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    made = re.findall(r"'run': 'make (\w+)", str(workflows))
    assert {"lint", "test", "docs", "coverage"} <= set(made) <= set(targets)


def test_the_site_shows_every_page() -> None:
    """Each page of docs/ is in the navigation; decisions are listed by their own index."""
    text = (REPOSITORY / "mkdocs.yml").read_text("utf-8")
    shown = set(_pages(yaml.safe_load(text[text.index("nav:") :])["nav"]))
    docs = REPOSITORY / "docs"
    pages = {
        page.relative_to(docs).as_posix()
        for page in docs.rglob("*.md")
        if not re.match(r"\d{4}-", page.name)
    }
    assert pages <= shown
    for name in shown - pages:
        assert (REPOSITORY / f"{name.removesuffix('.md').upper()}.md").is_file()


def test_every_extra_is_pinned() -> None:
    """Whatever an extra or the build asks for has a version in constraints.txt."""
    pinned = {
        _plain(line.partition("==")[0])
        for line in (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    configuration = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wanted = [*PROJECT["dependencies"], *configuration["build-system"]["requires"]]
    for extra in PROJECT["optional-dependencies"].values():
        wanted += extra
    names = {_plain(re.split(r"[<>=!;\[ ]", requirement)[0]) for requirement in wanted}
    assert names - pinned == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pages(entries: Any) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [page for entry in values for page in _pages(entry)]
