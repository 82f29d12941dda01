"""The documentation agrees with the code and with itself."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

import cta_data
from cta_data.cli.application import app
from cta_data.cohorts.card import Card
from cta_data.imaging.registration.limits import QualityLimits
from cta_data.study.configuration import StudyConfiguration
from cta_data.study.tables.queries import query

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PACKAGE = Path(cta_data.__file__).parent
PAGES = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *DOCS.rglob("*.md"),
    ]
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
QUERY = re.compile(r'cta-data query "([^"]+)"')
CODE_FILE = re.compile(r"`(?:python )?([\w/]+/\w+\.py)\b[^`]*`")


@pytest.fixture(scope="module")
def make_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        spec.loader.exec_module(module)
    return module


def test_reference_of_tables_is_what_the_schemas_say(make_reference: ModuleType) -> None:
    """The page of tables is exactly what `python docs/make_reference.py` writes now."""
    schemas = tomllib.loads(make_reference.SCHEMAS.read_text("utf-8"))
    assert make_reference.TARGET.read_text("utf-8") == make_reference.reference(schemas)


def test_reference_of_python_is_what_the_code_says(make_reference: ModuleType) -> None:
    """Every public name has an entry, written by `python docs/make_reference.py`."""
    page = make_reference.PYTHON.read_text("utf-8")
    assert page == make_reference.python_page()
    assert {n for n in cta_data.__all__ if f"### `{n}`" not in page} == {"__version__"}


def test_reference_of_files_is_what_the_layout_says(make_reference: ModuleType) -> None:
    """The lists of files are exactly those that `python docs/make_reference.py` writes now."""
    page = make_reference.FILES.read_text("utf-8")
    assert make_reference.with_lists(page) == page


def test_a_column_that_is_missing_from_the_page_is_noticed(make_reference: ModuleType) -> None:
    """A new column changes the page, so that the test above fails until it is written again."""
    schemas = tomllib.loads(make_reference.SCHEMAS.read_text("utf-8"))
    before = make_reference.reference(schemas)
    schemas["lesions"]["columns"]["new"] = {"type": "int", "description": "something"}
    after = make_reference.reference(schemas)
    assert after != before
    assert "| `new` | whole number |  | something |" in after


def test_every_command_and_option_is_in_the_reference() -> None:
    """The command line's page has a section for every command, and names each visible option."""
    page = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    missing = []
    for name, command in _commands().items():
        found = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", page, re.DOTALL | re.M)
        if not found:
            missing.append(name)
            continue
        shared = page.split("\n## ", 1)[0]
        missing += [
            f"{name} {option}"
            for option in _visible_options(command)
            if f"`{option}" not in found.group(1) and f"`{option}" not in shared
        ]
    assert not missing


def test_the_reference_names_no_command_that_does_not_exist() -> None:
    """Every `cta-data WORD` in the documentation is a command of the program."""
    commands = set(_commands()) | {"--help"}
    wrong = [
        f"{page.relative_to(REPOSITORY)}: cta-data {word}"
        for page in PAGES
        for word in re.findall(r"(?:`|^\$ |^    )cta-data ([a-z][a-z-]*)", page.read_text(), re.M)
        if word not in commands
    ]
    assert not wrong


QUERIES = [
    (page.relative_to(REPOSITORY).as_posix(), " ".join(sql.split()))
    for page in PAGES
    for sql in QUERY.findall(page.read_text("utf-8"))
    if "<table>" not in sql  # how any query begins
]


def test_queries_are_found() -> None:
    """Also where a page breaks one over two lines."""
    assert {page for page, _ in QUERIES} >= {"README.md", "docs/how-to/read-failures.md"}
    assert any("quality_values from transforms" in sql for _, sql in QUERIES)


@pytest.mark.parametrize(("page", "sql"), QUERIES)
def test_every_query_names_what_there_is(page: str, sql: str, tmp_path: Path) -> None:
    """Its tables and columns are those of a study; here, of an empty one."""
    assert len(query(tmp_path, f"explain {sql}"))


def test_every_file_of_code_that_a_page_names_is_there() -> None:
    """`room/file.py` in the package, `tests/…`, `benchmarks/…` and `docs/…` beside it."""
    wrong = [
        f"{page.relative_to(REPOSITORY)}: {name}"
        for page in PAGES
        for name in CODE_FILE.findall(page.read_text("utf-8"))
        if not any((folder / name).is_file() for folder in (REPOSITORY, PACKAGE))
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("page", "model"), [("study-toml.md", StudyConfiguration), ("card-toml.md", Card)]
)
def test_every_key_of_a_configuration_file_is_in_the_reference(
    page: str, model: type[BaseModel]
) -> None:
    """Each key that a file may have is named in that file's page."""
    text = (DOCS / "reference" / page).read_text("utf-8")
    missing = sorted({key for key in _keys(model) if f"`{key}`" not in text})
    assert not missing


def test_every_limit_of_a_registration_is_in_the_reference() -> None:
    """Each limit is in the page of study.toml, in a line that gives its default."""
    text = (DOCS / "reference" / "study-toml.md").read_text("utf-8")
    defaults = QualityLimits()
    lines = [
        f"| `{field.name}` | {getattr(defaults, field.name):g} |" for field in fields(defaults)
    ]
    assert [line for line in lines if line not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page leads to a file, and to a heading where it names one."""
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(target)
    assert not broken


def test_every_page_can_be_reached() -> None:
    """Starting from README.md and following links, one comes to every page of docs/."""
    seen: set[Path] = set()
    waiting = [(REPOSITORY / "README.md").resolve()]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (target.partition("#")[0] for target in LINK.findall(page.read_text("utf-8")))
        waiting += [(page.parent / t).resolve() for t in targets if t and ":" not in t]
    assert [page for page in PAGES if page.resolve() not in seen] == []


def _commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def _visible_options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
            yield from (o for o in parameter.opts if o.startswith("--") and o != "--help")


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for inner in _models(field.annotation):
            yield from _keys(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    plain = (re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings)
    return set(plain)


def test_the_index_leads_to_every_page_for_users() -> None:
    """A guide, explanation or result that no table links is found by nobody."""
    index = (DOCS / "index.md").read_text("utf-8")
    pages = [
        path.relative_to(DOCS).as_posix()
        for folder in ("tutorial", "how-to", "reference", "explanation", "results")
        for path in sorted((DOCS / folder).glob("*.md"))
    ]
    assert [page for page in pages if page not in index] == []
