"""A command that prints JSON says in JSON why it stopped."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.command_line import run_cta

from cta_data.reasons import Reason


def test_a_program_reads_the_code_of_an_error(tmp_path: Path) -> None:
    """Code, place and values are on the output; the sentence is on both streams."""
    plain, done = (run_cta("status", *words, study=tmp_path) for words in ([], ["--json"]))
    assert plain.out == "" and plain.code == done.code == 1
    content = json.loads(done.out)["error"]
    assert content["code"] == "not_a_study"
    assert str(Reason.from_dict(content)) == content["reason"]
    assert content["reason"] in done.err.replace("\n", "")
