"""Write the reference of tables, files, reasons and Python: python docs/make_reference.py.

`tables.md` is written from manifests/schemas.toml, the lists of `files.md` from
cta_data/study/layout.py, `reasons.md` from cta_data/reasons.toml, and `python.md` from signatures
and docstrings.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from python_reference import python_page

from cta_data.reasons import Sentence, catalogue
from cta_data.study import layout  # noqa: F401  # its functions register themselves
from cta_data.study.artefacts import ARTEFACTS, Artefact
from cta_data.study.session_id import SessionId

REPOSITORY = Path(__file__).parents[1]
SCHEMAS = REPOSITORY / "manifests" / "schemas.toml"
TARGET = REPOSITORY / "docs" / "reference" / "tables.md"
FILES = REPOSITORY / "docs" / "reference" / "files.md"
PYTHON = REPOSITORY / "docs" / "reference" / "python.md"
REASONS = REPOSITORY / "docs" / "reference" / "reasons.md"
TYPES = {
    "string": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "strings": "list of text",
    "ints": "list of whole numbers",
    "floats": "list of numbers",
}
HEAD = """\
# Tables

<!-- Written by docs/make_reference.py from manifests/schemas.toml. Change that file instead. -->

Every table is one Parquet file, `manifests/<table>.parquet` in the study. Rows are ordered by the
table's key. Key columns and columns marked "always" always have a value; all others may be null.
Types and units are also in the metadata of the Arrow schema.

From Python: `cta_data.open_study(path).table("<table>")` returns a typed DataFrame, and so does a
method with the name of the table (except for `clinical_links`). In the terminal:
`cta-data query "select … from <table>"`. A table without a file is empty.

"""


def reference(schemas: dict[str, Any]) -> str:
    """Return the page for these schemas: an overview, then a section a table."""
    overview = ["| table | one row is | key |", "|---|---|---|"]
    for name, table in schemas.items():
        overview.append(f"| [{name}](#{name}) | {table['row']} | {_code(table['key'])} |")
    sections = [_section(name, table) for name, table in schemas.items()]
    return HEAD + "\n".join(overview) + "\n\n" + "\n".join(sections)


def _section(name: str, table: dict[str, Any]) -> str:
    lines = [f"## {name}", "", f"One row is {table['row']}. Key: {_code(table['key'])}.", ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for column, about in table["columns"].items():
        meaning = about["description"].replace("|", "\\|").replace("<", "&lt;")
        unit = about.get("unit", "")
        kind = TYPES[about["type"]] + (", always" if about.get("required") else "")
        lines.append(f"| `{column}` | {kind} | {unit} | {meaning} |")
    return "\n".join(lines) + "\n"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


SESSION = SessionId("internal", "001", "1")
ANATOMY = "datasets/internal/sub-001/ses-1/anat"
MODEL = "models/Dataset502_CTAB/nnUNetTrainer__nnUNetPlans__3d_fullres"
EXAMPLES: dict[str, Any] = {
    "session": SESSION,
    "space": "SPACE",
    "fixed_frame": 1,
    "moving_frame": 2,
    "fixed": "MPRAGE",
    "moving": "SPACE",
    "technique": "MPRAGE",
    "earlier": "0",
    "grid": "MPRAGE",
    "annotation": "HAQ",
    "image_path": f"{ANATOMY}/sub-001_ses-1_acq-mprageLate_ce-gadolinium_T1w.nii.gz",
    "dataset": "Dataset502_CTAB",
    "model": MODEL,
    "fold": 0,
    "folds": range(5),
    "case": SESSION.case,
    "model_name": "B",
    "test_set": "internal-HAQ",
    "network": "resnet18_SPACE",
    "seed": 0,
}
"""What stands for the arguments of functions of the layout."""
SECTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "derivatives": (
        ("convert", "register", "register-sessions", "transfer", "strip"),
        "datasets/internal/derivatives/cta/sub-001/ses-1/anat/",
    ),
    "training sets": (("build",), "builds/"),
    "models": (("plan", "train", "crossvalidate", "validate", "calibrate"), f"{MODEL}/"),
    "evaluation": (("predict", "patches", "classify"), "evaluation/"),
}
"""Lists of files.md: the steps whose files they hold, and the folder that these lie in."""


def list_of_files(steps: Iterable[str], folder: str) -> str:
    """Return the table of what these steps make, with an example of each name."""
    made = [one for one in ARTEFACTS if one.step in set(steps)]
    lines = [f"In `{folder}`, for example:", "", "| name | content | step |", "|---|---|---|"]
    lines += [f"| `{_example(one, folder)}` | {one.content} | {one.step} |" for one in made]
    return "\n".join(lines) + "\n"


def _example(one: Artefact, folder: str) -> str:
    names = inspect.signature(one.path).parameters
    path = one.path(**{name: EXAMPLES[name] for name in names})
    return path.removeprefix(folder).replace("sub-001_ses-1_", "…_", 1)


def with_lists(page: str) -> str:
    """Return the page of files with its lists as the layout has them."""
    for name, (steps, folder) in SECTIONS.items():
        begin, end = f"<!-- {name}: by docs/make_reference.py -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        content = f"{begin}\n{list_of_files(steps, folder)}{end}"
        page, found = pattern.subn(lambda _, content=content: content, page)
        if found != 1:
            raise SystemExit(f"{FILES.name} has {found} places for the list of {name}")
    return page


HEAD_OF_REASONS = """\
# Reasons

<!-- Written by docs/make_reference.py from cta_data/reasons.toml. Change that file instead. -->

Everything that was refused, was not done, or is on hold has a reason: a code, and a sentence with
the measured values. Use the code in queries and programs; the wording may change. Codes are in the
columns `reason_code` of `units`, `exclusion_code` of `subjects`, `rejected_code` of `rois` and
`rejection_code` of `transforms`, and beside the reason in JSON.

{names} are placeholders for values. Codes are grouped by package; `shared` ones occur in several.

"""


def reasons_page(reasons: Mapping[str, Sentence]) -> str:
    """Return the page of all codes, a section a package."""
    rooms: dict[str, list[str]] = {}
    for code, template in reasons.items():
        rooms.setdefault(template.room, []).append(_reason_line(code, template))
    head = ["| code | reason | next step |", "|---|---|---|"]
    sections = ["\n".join([f"## {room}", "", *head, *lines]) for room, lines in rooms.items()]
    return HEAD_OF_REASONS + "\n\n".join(sections) + "\n"


def _reason_line(code: str, template: Sentence) -> str:
    found = f"{template.what} ({template.why})" if template.why else template.what
    cells = [_cell(text) for text in (found, template.next_step)]
    return f"| `{code}` | {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Return a sentence with the names of its values alone, as a cell of a table."""
    named = re.sub(r"\{(\w+)[^{}]*\}", r"{\1}", text)
    plain = named.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(plain.replace("[", "\\[").split())


def main() -> None:
    """Write all pages."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(reference(tomllib.loads(SCHEMAS.read_text("utf-8"))), encoding="utf-8")
    FILES.write_text(with_lists(FILES.read_text("utf-8")), encoding="utf-8")
    REASONS.write_text(reasons_page(catalogue()), encoding="utf-8")
    PYTHON.write_text(python_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
