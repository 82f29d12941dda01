"""`cta-data compare`: what is paired, tested, printed, kept and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.command_line import run_cta

from cta_data.scoring.summary import METRICS

OPTIONS = {"connectivity": 26, "threshold": 0.1, "label": None}
SIX_BETTER = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, *[0.0] * 9]


def content(scores: dict[str, dict[str, Any]], convention: str = "article", **more: Any) -> Any:
    cases = [
        {"case": case, "tp": 1, **dict.fromkeys(METRICS, 0.5), "pairs": [], **values}
        for case, values in scores.items()
    ]
    return {"convention": convention, "options": OPTIONS | more, "cases": cases, "summary": {}}


def write(path: Path, what: Any) -> Path:
    path.write_text(what if isinstance(what, str) else json.dumps(what), encoding="utf-8")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """15 cases; B finds more in six of them, by six amounts; its file is in another order."""
    a = {f"sub-{i:02d}": {"sensitivity": 0.2} for i in range(15)}
    b = {f"sub-{i:02d}": {"sensitivity": 0.2 + d} for i, d in enumerate(SIX_BETTER)}
    a["sub-14"]["ppv"] = None
    return (
        write(tmp_path / "a.json", content(a)),
        write(tmp_path / "b.json", content(dict(reversed(b.items())))),
    )


def compared(*words: object) -> tuple[int, dict[str, Any]]:
    outcome = run_cta("compare", *words, "--json")
    return outcome.code, json.loads(outcome.out, parse_constant=pytest.fail)


def test_known_answers(pair: tuple[Path, Path]) -> None:
    """Six untied differences of one sign among 15 pairs, and metrics that do not differ."""
    code, found = compared(*pair)
    assert (code, found["n_cases"], found["convention"]) == (0, 15, "article")
    rows = {row["metric"]: row for row in found["metrics"]}
    assert list(rows) == list(METRICS)
    row = rows["sensitivity"]
    assert (row["n_pairs"], row["n_zero"], row["n_undefined"], row["n_tied"]) == (15, 9, 0, 0)
    assert row["wilcoxon_p"] == pytest.approx(0.0277, abs=5e-5)
    assert (row["wilcoxon_method"], row["w_plus"], row["rank_biserial"]) == ("normal", 21, 1)
    assert row["holm_p"] == row["wilcoxon_p"]  # the only metric with a test
    assert row["mean_difference"] == pytest.approx(2.1 / 15)
    assert 0 < row["mean_difference_low"] < 0.14 < row["mean_difference_high"] < 0.6
    assert row["cliffs_delta"] == pytest.approx(6 / 15)
    assert (rows["f1"]["wilcoxon_p"], rows["f1"]["mean_difference_interval"]) == (None, "constant")
    ppv = rows["ppv"]
    assert (ppv["n_pairs"], ppv["n_undefined"], ppv["n_undefined_a"]) == (14, 1, 1)


def test_people_see_rules_counts_and_tests(pair: tuple[Path, Path]) -> None:
    """The convention with its options, and beside p the pairs, the equal ones and the method."""
    outcome = run_cta("compare", *pair, "--metric", "sensitivity")
    assert outcome.code == 0
    assert "Convention: article (connectivity 26, label None, threshold 0.1)" in outcome.out
    row = "sensitivity 15 9 0 0.0277 normal 0.0277"
    assert row in outcome.text
    assert "seed 20250015" in outcome.text
    assert "f1" not in outcome.out


def test_exchanged_files_give_mirrored_differences(pair: tuple[Path, Path]) -> None:
    """p stays, signs change."""
    (_, one), (_, other) = compared(*pair), compared(*reversed(pair))
    first, second = one["metrics"][0], other["metrics"][0]
    assert second["wilcoxon_p"] == first["wilcoxon_p"]
    assert second["mean_difference"] == -first["mean_difference"]
    assert second["rank_biserial"] == -1


def test_holm_is_over_the_metrics_that_are_compared(tmp_path: Path) -> None:
    """Two metrics with the same p: doubled together, not alone; a name given twice counts once."""
    a = {f"{i:02d}": {"f1": 0.1, "ppv": 0.1} for i in range(8)}
    b = {f"{i:02d}": {"f1": 0.2 + i / 20, "ppv": 0.2 + i / 20} for i in range(8)}
    files = write(tmp_path / "a.json", content(a)), write(tmp_path / "b.json", content(b))
    _, alone = compared(*files, "--metric", "f1", "--metric", "f1")
    _, both = compared(*files, "--metric", "f1", "--metric", "ppv")
    assert [row["holm_p"] for row in alone["metrics"]] == [2 / 2**8]
    assert [row["holm_p"] for row in both["metrics"]] == [4 / 2**8] * 2


def test_counts_can_be_compared_too(tmp_path: Path) -> None:
    """Any number of a case is a metric when it is named."""
    files = [
        write(tmp_path / f"{n}.json", content({f"{i}": {"tp": n * i} for i in range(4)}))
        for n in (1, 2)
    ]
    _, found = compared(*files, "--metric", "tp")
    assert found["metrics"][0]["mean_difference"] == 1.5


def test_cases_of_one_file_only_are_listed(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The others are compared, and the exit code is 3."""
    other = json.loads(pair[1].read_text())
    other["cases"][0]["case"] = "sub-99"
    changed = write(tmp_path / "c.json", other)
    code, found = compared(pair[0], changed)
    assert (code, found["n_cases"]) == (3, 14)
    assert (found["only_a"], found["only_b"]) == (["sub-14"], ["sub-99"])
    outcome = run_cta("compare", pair[0], changed)
    assert "Only in A, and left out (1): sub-14 Only in B, and left out (1): sub-99" in outcome.text


def test_no_common_case_is_nothing_to_do(tmp_path: Path) -> None:
    """Exit code 2; JSON is printed nevertheless."""
    files = [write(tmp_path / f"{n}.json", content({n: {}})) for n in "xy"]
    outcome = run_cta("compare", *files)
    assert (outcome.code, "no case has the same name in both" in outcome.text) == (2, True)
    outcome = run_cta("compare", *files, "--json")
    assert (outcome.code, json.loads(outcome.out)["n_cases"]) == (2, 0)


def test_parquet_and_json_of_the_same_scores_agree(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A file of `score --out` holds its rules as columns, and null where undefined."""
    path = tmp_path / "a.parquet"
    rows = json.loads(pair[0].read_text())["cases"]
    frame = pd.DataFrame(rows).drop(columns="pairs")
    frame.assign(convention="article", **OPTIONS).to_parquet(path, index=False)
    assert compared(path, pair[1])[1]["metrics"] == compared(*pair)[1]["metrics"]
    frame.assign(convention="article", connectivity=18).to_parquet(path, index=False)
    outcome = run_cta("compare", path, pair[1])
    assert outcome.code == 1
    assert "A by article, connectivity 18; B by article, connectivity 26" in outcome.text


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_what_is_kept_is_what_is_printed(
    pair: tuple[Path, Path], tmp_path: Path, suffix: str
) -> None:
    """One row a metric, nothing else in the folder, the same bytes a second time."""
    out = tmp_path / "kept" / f"c.{suffix}"
    _, found = compared(*pair, "--out", out)
    frame = pd.read_parquet(out) if suffix == "parquet" else pd.read_csv(out)
    assert list(frame["metric"]) == [row["metric"] for row in found["metrics"]]
    assert frame["wilcoxon_p"][0] == found["metrics"][0]["wilcoxon_p"]
    before = out.read_bytes()
    assert run_cta("compare", *pair, "--out", out).code == 1
    compared(*pair, "--out", out, "--overwrite")
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_seed_and_confidence_are_used_and_told(pair: tuple[Path, Path]) -> None:
    """The same seed, the same interval; a higher confidence, a wider one."""
    first, again, wider = (
        compared(*pair, "--seed", 3, "--confidence", c)[1] for c in (0.9, 0.9, 0.99)
    )
    assert first == again
    assert (first["seed"], first["confidence"], first["resamples"]) == (3, 0.9, 10_000)
    ends = [(f["metrics"][0]["mean_difference_low"]) for f in (first, wider)]
    assert ends[1] < ends[0]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (content({"sub-01": {}}, "tables"), "A by article; B by tables"),
        (content({"sub-01": {}}, threshold=0.5), "threshold 0.1; B by article, threshold 0.5"),
        ("no json", "neither JSON nor Parquet"),
        ("PAR1 and no more", "not readable as Parquet"),
        ([], "it names no convention"),
        ({"convention": "article"}, "it holds no list of cases"),
        (content({}), "it holds no case"),
        ({"convention": "article", "cases": [{"f1": 1}]}, "a case has no name"),
        ({"convention": "article", "cases": [{"case": "x"}] * 2}, "cases are there twice: x"),
        (content({"sub-01": {"f1": "high"}}), "f1 is 'high'"),
        (content({"sub-01": {"f1": float("inf")}}), "f1 is inf"),
        ({"convention": "article", "cases": [{"case": "x"}]}, "both files must hold a metric"),
    ],
)
def test_what_is_no_score_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, wrong: Any, told: str
) -> None:
    """Exit code 1, with what was found; nothing is written."""
    out = tmp_path / "out.csv"
    outcome = run_cta("compare", pair[0], write(tmp_path / "wrong", wrong), "--out", out)
    assert (outcome.code, out.exists()) == (1, False)
    assert told in outcome.text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--metric", "auc"), "both files must hold auc"),
        (("--confidence", "95"), "the confidence must be between 0 and 1"),
        (("--out", "c.xlsx"), "Use one of .parquet, .csv"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_wrong_options(pair: tuple[Path, Path], words: tuple[str, ...], told: str) -> None:
    """Exit code 1 and what is allowed."""
    outcome = run_cta("compare", *pair, *words)
    assert (outcome.code, told in outcome.text) == (1, True)


def test_a_file_that_is_not_there(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Missing, or a link whose content was dropped."""
    outcome = run_cta("compare", pair[0], tmp_path / "none.json")
    assert (outcome.code, "there is no such file" in outcome.text) == (1, True)
    (tmp_path / "link.json").symlink_to(tmp_path / "gone")
    outcome = run_cta("compare", pair[0], tmp_path / "link.json")
    assert (outcome.code, "datalad get" in outcome.text) == (1, True)


@pytest.fixture
def of_a_study(tmp_path: Path) -> Path:
    """Scores of two models on two test sets in one file, as `evaluate` keeps them."""
    rows = [
        {"test_set": t, "model": m, "case": f"c{i}", "convention": "article", **OPTIONS}
        | dict.fromkeys(METRICS, 0.5)
        | {"sensitivity": {"A": 0.2, "B": 0.2 + d}[m] if t == "internal-HAQ" else 0.9}
        for t in ("internal-HAQ", "susm")
        for m in "AB"
        for i, d in enumerate(SIX_BETTER)
    ]
    path = tmp_path / "scores.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_models_and_a_test_set_are_chosen_from_one_file(of_a_study: Path) -> None:
    """The same comparison as of two files; the other test set does not get into it."""
    words = ("--model", "A", "--model", "B", "--test-set", "internal-HAQ")
    code, found = compared(of_a_study, *words)
    assert (code, found["n_cases"]) == (0, 15)
    row = next(row for row in found["metrics"] if row["metric"] == "sensitivity")
    assert row["wilcoxon_p"] == pytest.approx(0.0277, abs=5e-5)
    assert compared(of_a_study, of_a_study, *words)[1]["metrics"] == found["metrics"]
    itself = run_cta("compare", of_a_study, of_a_study, "--model", "A", "--test-set", "susm")
    assert itself.code == 1 and "both sets of scores are the same" in itself.text
    swapped = compared(of_a_study, "--model", "B", "--model", "A", "--test-set", "internal-HAQ")[1]
    back = next(row for row in swapped["metrics"] if row["metric"] == "sensitivity")
    assert back["mean_difference"] == pytest.approx(-row["mean_difference"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "a comparison needs two models"),
        (("--model", "A"), "a comparison needs two models"),
        (("--model", "A", "--model", "A"), "a comparison needs two models"),
        (("--model", "A", "--model", "B"), "--test-set"),
        (("--model", "A", "--model", "Z", "--test-set", "susm"), "no scores of model 'Z'"),
        (("--model", "A", "--model", "B", "--test-set", "mars"), "no scores of test set 'mars'"),
    ],
)
def test_what_is_not_chosen_or_not_there_is_told(
    of_a_study: Path, words: tuple[str, ...], told: str
) -> None:
    """Exit code 1: nothing is compared with itself, or over test sets."""
    outcome = run_cta("compare", of_a_study, *words)
    assert outcome.code == 1 and told in outcome.text


def test_in_a_study_the_scores_are_its_own(
    of_a_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without files the study's evaluation is taken; where there is none, it is said to run it."""
    root = tmp_path / "study"
    (root / "evaluation/article").mkdir(parents=True)
    (root / "study.toml").write_text('[study]\nname = "own"\n', "utf-8")
    of_a_study.rename(root / "evaluation/article/scores.parquet")
    words = ("--model", "A", "--model", "B", "--test-set", "internal-HAQ")
    outcome = run_cta("compare", *words, "--json", study=root)
    assert outcome.code == 0 and json.loads(outcome.out)["n_cases"] == 15
    never = run_cta("compare", *words, "--convention", "tables", study=root)
    assert never.code == 1 and "cta-data evaluate --convention tables" in never.text
