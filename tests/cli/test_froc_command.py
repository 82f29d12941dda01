"""`cta-data froc` without a study: what is printed, written, named and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.command_line import run_cta
from helpers.probability_maps import made_up_cases, write_cases
from helpers.read_page import check_page

from cta_data.reports.froc import FRAMES, NAMES


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References of 12 cases, and maps of two models."""
    top = tmp_path_factory.mktemp("froc")
    write_cases(made_up_cases(), top, "references", "A")
    write_cases(made_up_cases(skill=2), top, maps="B")
    return top


def as_json(*words: object) -> tuple[int, dict[str, Any]]:
    outcome = run_cta("froc", *words, "--json")
    return outcome.code, json.loads(outcome.out, parse_constant=pytest.fail)


def test_known_answers(folders: Path) -> None:
    """The sensitivities of both models at 0.5 and 1, as MONAI has them, and their difference."""
    code, content = as_json(*(folders / name for name in ("references", "A", "B")), "--at", "1,0.5")
    levels = [
        (one["model"], one["fp"], round(one["sensitivity"], 6)) for one in content["froc_levels"]
    ]
    assert code == 0
    assert levels == [
        *(("A", 6, 0.682927), ("A", 12, 0.682927)),
        *(("B", 6, 0.780488), ("B", 12, 0.829268)),
    ]
    [half, one] = content["froc_differences"]
    assert (half["model_a"], half["model_b"], half["patients"]) == ("A", "B", 12)
    assert half["difference"] == pytest.approx(4 / 41)
    assert half["low"] <= half["difference"] <= half["high"]
    assert 0 < one["p"] <= one["holm_p"] <= 1


def test_a_folder_with_a_page(folders: Path, tmp_path: Path) -> None:
    """All tables and figures lie beside the page; a second run leaves them, and gives the same."""
    words = (
        "froc",
        *(folders / name for name in ("references", "A", "B")),
        "--out",
        tmp_path / "o",
    )
    assert run_cta(*words).code == 0
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"froc.html", *NAMES}
    page = check_page((tmp_path / "o" / "froc.html").read_text("utf-8"))
    assert page.all("footer")
    shown = {one["src"] for one in page.all("img")}
    assert shown == {name for name in NAMES if name.endswith(".svg")}
    frames = {name: pd.read_csv(tmp_path / "o" / f"{name}.csv") for name in FRAMES}
    assert all(len(frame) for frame in frames.values())
    assert set(frames["froc_candidates"]["model"]) == {"A", "B"}
    before = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    assert run_cta(*words).code == 1
    assert run_cta(*words, "--overwrite").code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()} == before


def test_a_case_without_a_map_is_named(folders: Path, tmp_path: Path) -> None:
    """It is not in the curve, and the command says that something is missing."""
    write_cases(made_up_cases(5), tmp_path, maps="probabilities")
    code, content = as_json(folders / "references", tmp_path / "probabilities")
    assert code == 3
    assert {one["cases"] for one in content["froc_levels"]} == {5}
    assert len(content["not_used"]) == 7
    words = (folders / "references", tmp_path / "probabilities", "--confidence", "0.9")
    assert run_cta("froc", *words, "--out", tmp_path / "o").code == 3
    page = (tmp_path / "o" / "froc.html").read_text("utf-8")
    assert all(one.removeprefix("not used: ") in page for one in content["not_used"])
    assert "95 % interval" not in page and "90 % interval" in page
    assert {one["model"] for one in content["froc_levels"]} == {tmp_path.name}


def test_a_narrow_terminal_shows_every_number(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 80 columns tables are split, nothing is cut off, and no line is longer."""
    monkeypatch.setenv("COLUMNS", "80")
    outcome = run_cta("froc", *(folders / name for name in ("references", "A", "B")))
    assert outcome.code == 0
    assert "…" not in outcome.out and max(map(len, outcome.out.splitlines())) <= 80
    assert outcome.out.count("68.3 [52.6, 85.4]*") == 9  # at 2, 4 and 8, in three tables


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--at", "0"), "false_positives_option_invalid"),
        (("--at", "many"), "false_positives_option_invalid"),
        (("--score", "sum"), "score_option_invalid"),
        (("--candidates-from", "2"), "candidates_option_invalid"),
        (("--candidates-from", "0"), "candidates_option_invalid"),
        (("--confidence", "95"), "confidence_invalid"),
        (("--test-set", "internal-HAQ"), "probability_folders_unclear"),
        (("--model", "A", "--model", "B"), "probability_models_unclear"),
    ],
)
def test_options_that_make_no_sense(words: tuple[str, ...], reason: str, folders: Path) -> None:
    """Each has a reason of its own, and nothing is read."""
    code, content = as_json(folders / "references", folders / "A", *words)
    assert (code, content["error"]["code"]) == (1, reason)
