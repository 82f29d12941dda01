"""`cta-data froc` without a study: what is printed, written, named and refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.command_line import run_cta
from helpers.probability_maps import made_up_cases, write_cases
from helpers.read_page import check_page

from cta_data.reports.froc import FRAMES, NAMES


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples, which are not what is looked at here."""
    monkeypatch.setattr("cta_data.scoring.probabilities.asked.RESAMPLES", 500)


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
    whole = re.findall(r"68\.3 \[[\d.]+, [\d.]+\]\*", outcome.out)
    assert len(whole) == 9  # at 2, 4 and 8, in three tables


def test_without_a_usable_map_there_is_json_as_well(folders: Path, tmp_path: Path) -> None:
    """Masks are no maps: every case is named with its reason, no page is made, and no figure."""
    cases = [(name, mask, mask) for name, mask, _ in made_up_cases()]
    write_cases(cases, tmp_path, maps="masks")  # type: ignore[arg-type]
    words = (folders / "references", tmp_path / "masks", "--out", tmp_path / "out")
    code, content = as_json(*words)
    assert code == 3 and "froc_levels" not in content
    assert len(content["not_used"]) == 12 and content["convention"] == "article"
    assert not (tmp_path / "out").exists()


def test_arrays_of_nnunet_are_no_maps(folders: Path, tmp_path: Path) -> None:
    """A folder of .npz files alone is one error, with what to do instead."""
    (tmp_path / "a.npz").write_bytes(b"")
    code, content = as_json(folders / "references", tmp_path)
    assert (code, content["error"]["code"]) == (1, "probabilities_as_arrays")


def test_two_models_are_compared_on_the_cases_of_both(folders: Path, tmp_path: Path) -> None:
    """Each has its own curve; the difference is that of the common cases, and of no others."""
    write_cases(made_up_cases(9, skill=2)[2:], tmp_path, maps="B")
    code, content = as_json(folders / "references", folders / "A", tmp_path / "B", "--at", "1")
    assert code == 3
    cases = {one["model"]: one["cases"] for one in content["froc_levels"]}
    [difference] = content["froc_differences"]
    assert (cases, difference["cases"]) == ({"A": 12, "B": 7}, 7)
    write_cases(made_up_cases(9)[2:], tmp_path, "common", "A")
    _, common = as_json(tmp_path / "common", tmp_path / "A", tmp_path / "B", "--at", "1")
    assert common["froc_differences"] == content["froc_differences"]
    alone = {one["model"]: one["sensitivity"] for one in common["froc_levels"]}
    assert alone == {m: difference[f"sensitivity_{m.lower()}"] for m in "AB"}


def test_a_place_that_cannot_be_written_is_known_before(folders: Path, tmp_path: Path) -> None:
    """Below a file, nothing can be: nothing is computed."""
    (tmp_path / "file").write_text("", "utf-8")
    words = (folders / "references", folders / "A", "--out", tmp_path / "file" / "out")
    code, content = as_json(*words)
    assert (code, content["error"]["code"]) == (1, "output_not_a_folder")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--at", "nan"), "false_positives_option_invalid"),
        (("--at", "-1"), "false_positives_option_invalid"),
        (("--at", "inf"), "false_positives_option_invalid"),
        (("--confidence", "0"), "confidence_invalid"),
        (("--confidence", "1"), "confidence_invalid"),
        (("--candidates-from", "nan"), "candidates_option_invalid"),
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
