"""Reasons are codes with values; every code has its sentence, and every sentence its code."""

from __future__ import annotations

import ast
import pickle
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import cta_data
from cta_data.errors import CtaError, DataRefused
from cta_data.reasons import CATALOGUE, Reason, Sentence, catalogue, together

PACKAGE = Path(cta_data.__file__).parent
KINDS = {"CtaError", "DataRefused", "TooLarge", "ConfigurationError", "NotAvailable"}
MADE_BY = {*KINDS, "WorkersNotStarted", "Reason"}
NESTED = {"cause", "findings"}
"""Values that are the reasons behind a reason: kept whether or not a sentence names them."""
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if named and node.args and node.func.id in MADE_BY:
                yield path, node


def _codes(first: ast.expr) -> list[str]:
    """Codes that the first argument of a call may be; none where it is a variable."""
    if isinstance(first, ast.IfExp):
        return [*_codes(first.body), *_codes(first.orelse)]
    return [first.value] if isinstance(first, ast.Constant) else []


def _fields(template: Sentence) -> set[str]:
    sentences = (template.what, template.why, template.next_step)
    parsed = [field for text in sentences for _, field, *_ in string.Formatter().parse(text)]
    return {re.split(r"[.\[]", name)[0] for name in parsed if name}


def test_no_error_is_made_with_a_sentence() -> None:
    """Every error and reason is made with a code of the catalogue, or from a known reason."""
    for path, call in _calls():
        for code in _codes(call.args[0]):
            place = f"{path.relative_to(PACKAGE)}:{call.lineno}"
            assert code in catalogue(), f"{place}: {code!r} is not in {CATALOGUE.name}"


def test_every_sentence_is_used() -> None:
    """Each entry of the catalogue is a code that stands somewhere in the package."""
    words: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
    assert not sorted(catalogue().keys() - words)


def test_the_values_are_those_that_the_sentences_name() -> None:
    """What a call passes is what its sentence shows: nothing is missing, and nothing is lost."""
    for path, call in _calls():
        codes = _codes(call.args[0])
        named = {keyword.arg for keyword in call.keywords if keyword.arg}
        if not codes or len(named) < len(call.keywords):
            continue
        wanted = set().union(*(_fields(catalogue()[code]) for code in codes))
        place = f"{path.relative_to(PACKAGE)}:{call.lineno}"
        assert named - NESTED - {"where"} == wanted - NESTED, f"{place}: {codes}"
        assert wanted & NESTED <= named, f"{place}: {codes}"


def test_codes_are_words_and_unique() -> None:
    """A code is two words or more in small letters, and stands in one room of the catalogue."""
    assert not [code for code in catalogue() if not CODE.fullmatch(code)]
    headings = re.findall(r"^\[\w+\.(\w+)\]$", CATALOGUE.read_text(encoding="utf-8"), re.M)
    assert len(headings) == len(set(headings)) == len(catalogue())


def test_rooms_and_codes_of_the_catalogue_stand_in_alphabetical_order() -> None:
    """Who looks for a code finds it where the alphabet has it."""
    headings = re.findall(r"^\[(\w+)\.(\w+)\]$", CATALOGUE.read_text(encoding="utf-8"), re.M)
    assert headings == sorted(headings)


def test_a_sentence_says_where_what_why_and_what_next() -> None:
    """All parts stand in one line, in reading order; values are put into their places."""
    reason = Reason("slices_too_few", where="sub-01", slices=2, minimum_slices=3)
    assert (reason.code, reason.where) == ("slices_too_few", "sub-01")
    assert str(reason) == f"sub-01: {reason.what} ({reason.why}). {reason.next_step}"
    assert "2" in reason.why and "3" in reason.why


def test_a_command_that_a_sentence_suggests_can_be_pasted() -> None:
    """A path with blanks or quotes is one word of the command."""
    for path in ("plain/path", "two words/it's"):
        told = Reason("link_content_not_fetched", path=path).next_step
        assert shlex.split(told.partition("datalad")[2])[1:] == [path]


def test_a_reason_travels_between_processes_and_through_json() -> None:
    """Code, place and values are the same after pickling, and after JSON and back."""
    cause = Reason("slices_too_few", slices=2, minimum_slices=3)
    reason = together([cause, Reason("series_empty", where="sub-01")])
    for copy in (pickle.loads(pickle.dumps(reason)), Reason.from_dict(reason.as_dict())):
        assert copy == reason
        assert str(copy) == str(reason)


def test_values_are_plain() -> None:
    """Numbers of numpy, paths and lists are kept as plain numbers, texts and tuples."""
    numpy = pytest.importorskip("numpy")
    values = {"a": numpy.float32(0.5), "b": Path("x"), "c": [numpy.int64(1)]}
    assert Reason("series_empty", **values).values == {"a": 0.5, "b": "x", "c": (1,)}


def test_a_reason_of_a_table_keeps_its_sentence() -> None:
    """What a table kept is shown as it was, whatever the catalogue says today."""
    kept = Reason.kept("slices_too_few", "2 slices")
    assert (kept.code, str(kept), kept.finding.code) == ("slices_too_few", "2 slices", kept.code)


def test_the_reason_behind_a_reason_is_found() -> None:
    """A chain of causes ends with what was found in the first place."""
    found = Reason("slices_too_few", slices=2, minimum_slices=3)
    reason = Reason("stopped_at_step", step="convert", cause=found)
    assert [one.code for one in reason.chain] == ["stopped_at_step", "slices_too_few"]
    assert reason.finding == found


def test_folders_are_left_out_of_all_values() -> None:
    """A reason that is kept names no folder of this machine, however deep it stands."""
    cause = Reason("file_not_found", where="/study/a", path="/study/a")
    reason = Reason("stopped_at_step", step="convert", cause=cause).without("/study/")
    assert reason.values["cause"] == Reason("file_not_found", where="a", path="a")


@pytest.mark.parametrize("kind", [CtaError, DataRefused])
def test_an_error_takes_a_known_reason(kind: type[CtaError]) -> None:
    """An error raised again about another place keeps code and values."""
    reason = Reason("slices_too_few", slices=2, minimum_slices=3)
    error = kind(reason.at("sub-02"))
    assert (error.code, error.where) == (reason.code, "sub-02")
    assert error.reason.values == reason.values
