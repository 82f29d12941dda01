"""`cta-data evaluate`: folders of predictions to scores, tables, figures and a page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.blank_figures import leave_figures_blank
from helpers.command_line import run_cta
from helpers.made_once import made_once
from helpers.read_page import check_page

from cta_data.formats.nifti.image import write_voxels

FOLDERS = ("references", "predictions")
CONVENTIONS = ("article", "tables")
Both = tuple[Path, dict[str, tuple[int, dict]]]


def write(path: Path, *starts: int) -> None:
    """A mask with bars of four voxels."""
    mask = np.zeros((6, 8, 40), np.uint8)
    for number, start in enumerate(starts):
        mask[3, 2 * number + 1, start : start + 4] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_voxels(mask, np.eye(4), path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models on two test sets of three cases, with blank figures: those of `both` are drawn."""
    leave_figures_blank(monkeypatch)
    return written(tmp_path)


def written(folder: Path) -> Path:
    for test_set in ("SPACE", "SUSM"):
        for case in range(3):
            name = f"{test_set}/c{case}.nii.gz"
            write(folder / "references" / name, 2, 20, 30)
            write(folder / "predictions" / "A" / name, 2)
            write(folder / "predictions" / "B" / name, 2, 20 + case)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The same, evaluated by each convention; exit codes and what was told. Not to be changed."""

    def make(folder: Path) -> Both:
        written(folder)
        outcomes = {name: evaluated(folder, "--convention", name) for name in CONVENTIONS}
        return folder, {name: (code, told) for name, (code, told, _) in outcomes.items()}

    return made_once(tmp_path_factory, "evaluated_by_both", make)


def evaluated(folder: Path, *words: object) -> tuple[int, dict, str]:
    places = [w for name in FOLDERS for w in (f"--{name}", folder / name)]
    outcome = run_cta("evaluate", *places, "--out", folder / "out", "--overwrite", "--json", *words)
    return outcome.code, json.loads(outcome.out or "{}"), outcome.text


def test_everything_is_written_and_cases_are_conserved(both: Both, tmp_path: Path) -> None:
    """Scores of every case, tables 2, 3, 4 and S1, counts, figures and the page; again the same."""
    folder = Path(shutil.copytree(both[0], tmp_path / "copy"))
    code, told = both[1]["article"]
    assert code == 0 and told["missing"] == []
    assert sum(told["sets"].values()) == 12
    names = {Path(name).name for name in told["files"]}
    wanted = {
        "scores.parquet",
        "scores.lesions.parquet",
        "scores.csv",
        "scores.lesions.csv",
        "report.html",
    }
    printed = ("table_2", "table_3", "table_4", "table_s1", "found_instances")
    wanted |= {f"{name}.{end}" for name in printed for end in ("html", "csv", "tex")}
    wanted |= {f"{n}.csv" for n in ("cases", "found_patients", "found_lesions", "findings")}
    wanted |= {f"figure_{n}.{end}" for n in ("3", "found", "sensitivity") for end in ("svg", "png")}
    assert wanted <= names
    cases = pd.read_parquet(folder / "out/article/scores.parquet")
    assert len(cases) == 12 and set(cases["model"]) == {"A", "B"}
    assert (cases["tp"] + cases["fn"] == cases["n_reference"]).all()
    page = (folder / "out/article/report.html").read_text("utf-8")
    assert "convention “article”" in page and "Table 2" in page
    before = {name: (folder / "out" / name).read_bytes() for name in told["files"]}
    evaluated(folder)
    assert before == {name: (folder / "out" / name).read_bytes() for name in told["files"]}


def test_the_page_begins_with_its_summary(both: Both) -> None:
    """Then the contents, which name every section; figures say in words what they show."""
    folder = both[0]
    html = (folder / "out/article/report.html").read_text("utf-8")
    page = check_page(html)
    sections = [one["id"] for one in page.all("h2")]
    assert sections[:3] == ["summary", "contents", "scores"]
    linked = {one["href"] for one in page.all("a")}
    assert {f"#{name}" for name in sections[2:]} <= linked
    lesions = pd.read_csv(folder / "out/article/found_lesions.csv")
    [found] = [one for one in page.all("img") if one["src"] == "figure_found.svg"]
    alone = ((lesions["test_set"] == "SUSM") & (lesions["found"] == "B only")).sum()
    assert f"SUSM, 9 lesions: A and B 3, only B {alone}" in found["alt"]
    cases = pd.read_parquet(folder / "out/article/scores.parquet")
    by_model = cases.groupby("model")[["tp", "n_reference"]].sum()
    for model, row in by_model.iterrows():
        assert f"<dt>Model {model}</dt><dd>{row['tp']} of {row['n_reference']}</dd>" in html
    assert {"cases.csv", "table_2.tex", "scores.parquet"} <= linked


@pytest.mark.parametrize("name", ["3", "found", "sensitivity"])
def test_figures_have_one_width_and_letters_of_nine_pixels(both: Both, name: str) -> None:
    """As a page shows them, 960 pixels wide."""
    svg = (both[0] / f"out/article/figure_{name}.svg").read_text("utf-8")
    [width] = re.findall(r'<svg [^>]*?width="([\d.]+)pt"', svg)
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", svg)]
    assert float(width) == 720 and sizes
    assert min(sizes) * 960 / 720 >= 9


def test_outside_a_study_the_page_says_why_there_are_no_crops(both: Both) -> None:
    """Masks have no images and no patients: findings are chosen, and nothing is drawn of them."""
    folder, (_, told) = both[0], both[1]["article"]
    page = (folder / "out/article/report.html").read_text("utf-8")
    shown = check_page(page)
    assert {"selected-examples", "patient-flow-and-crops-of-lesions"} <= {
        one.get("id") for one in shown.all("h2")
    }
    assert not any("crops" in name or "flow" in name for name in told["files"])


def test_what_is_missing_is_told_and_stands_on_the_page(folder: Path) -> None:
    """A case without prediction, a damaged one, and a test set without references: exit code 3."""
    (folder / "predictions/A/SPACE/c1.nii.gz").unlink()
    (folder / "predictions/B/SUSM/c0.nii.gz").write_bytes(b"\x1f\x8bnothing")
    write(folder / "predictions/B/NEW/c0.nii.gz", 2)
    code, told, text = evaluated(folder)
    assert code == 3 and len(told["missing"]) == 3
    for part in ("model A on SPACE: c1: there is no prediction", "truncated or damaged", "on NEW"):
        assert part in text
        assert part in (folder / "out/article/report.html").read_text("utf-8")
    assert sum(told["sets"].values()) == 10
    table = pd.read_csv(folder / "out/article/table_2.csv").set_index(["model", "metric"])
    row = table.loc[("A", "f1")]
    assert (row["n"], row["n_undefined"], row["n_not_scored"]) == (2, 0, 1)


def test_both_conventions_lie_side_by_side(both: Both) -> None:
    """Each has a folder of its own, and every table names its own."""
    folder, outcomes = both
    for name in CONVENTIONS:
        assert outcomes[name][0] == 0
        assert f"convention “{name}”" in (folder / f"out/{name}/table_2.html").read_text("utf-8")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_table_names_its_convention(both: Both, convention: str) -> None:
    """A column in every CSV and in both Parquet files, the caption in HTML and LaTeX."""
    folder, (_, told) = both[0], both[1][convention]
    seen = 0
    for path in (folder / "out" / name for name in told["files"]):
        if path.suffix in (".csv", ".parquet"):
            frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
            names = set(frame["convention"]) if len(frame) else {convention}
            assert names == {convention}, path
        elif path.suffix in (".html", ".tex"):
            assert f"convention “{convention}”" in path.read_text("utf-8"), path
        else:
            continue
        seen += 1
    assert seen == 31  # all but the three figures, as SVG and PNG


def test_no_case_is_lost_between_reference_and_table(folder: Path) -> None:
    """References = scored + failed + without prediction, for every model and test set."""
    (folder / "predictions/A/SPACE/c1.nii.gz").unlink()
    (folder / "predictions/B/SUSM/c0.nii.gz").write_bytes(b"\x1f\x8bnothing")
    (folder / "references/SUSM/c2.nii.gz").unlink()
    _, told, _ = evaluated(folder)
    by_set = {(one["model"], one["test_set"]): one for one in told["cases"]}
    assert len(by_set) == 4
    for one in by_set.values():
        parts = one["scored"] + one["failed"] + one["without_prediction"]
        assert one["references"] == parts
    assert sum(one["scored"] for one in by_set.values()) == sum(told["sets"].values())
    assert by_set["A", "SPACE"]["without_prediction"] == 1
    assert by_set["B", "SUSM"]["failed"] == 1 and by_set["B", "SUSM"]["without_reference"] == 1
    lost = sum(
        one["failed"] + one["without_prediction"] + one["without_reference"]
        for one in by_set.values()
    )
    assert len(told["missing"]) == lost == 4
    kept = pd.read_csv(folder / "out/article/cases.csv").drop(columns="convention")
    assert kept.to_dict("records") == told["cases"]


def test_a_test_set_that_a_model_has_not_predicted_is_told(folder: Path) -> None:
    """No folder for it is no failure (model C of the paper is run on few), and is never silent."""
    shutil.rmtree(folder / "predictions/B/SUSM")
    write(folder / "references/LATER/c0.nii.gz", 2)
    code, told, _ = evaluated(folder)
    lines = ["LATER: no model has predictions", "SUSM: model B has no predictions"]
    assert (code, told["not_predicted"]) == (0, lines)
    page = (folder / "out/article/report.html").read_text("utf-8")
    assert "Not predicted: 2" in page and all(line in page for line in lines)


def test_a_mask_in_no_test_set_s_folder_is_told(folder: Path) -> None:
    """It would be passed over otherwise; exit code 3."""
    write(folder / "predictions/A/c7.nii.gz", 2)
    code, told, _ = evaluated(folder)
    lines = ["A/c7.nii.gz: the mask lies in no folder <model>/<test set>"]
    assert (code, told["missing"]) == (3, lines)


def test_kept_probability_maps_give_a_curve(folder: Path) -> None:
    """Of the sets that keep any; a case without one is named, and curves go when the maps do."""
    maps = folder / "predictions" / "A" / "SUSM" / "probabilities"
    for case in range(2):
        probability = np.zeros((6, 8, 40), np.float32)
        probability[3, 1, 2:6], probability[3, 6, 10:14] = 0.9, 0.4
        maps.mkdir(exist_ok=True)
        write_voxels(probability, np.eye(4), maps / f"c{case}.nii.gz")
    code, _, _ = evaluated(folder)
    out = folder / "out" / "article"
    assert code == 0
    levels = pd.read_csv(out / "froc_levels.csv")
    assert set(zip(levels["model"], levels["test_set"], strict=True)) == {("A", "SUSM")}
    assert levels[["cases", "lesions"]].drop_duplicates().to_numpy().tolist() == [[2, 6]]
    assert levels["fp"].tolist() == [0, 2, 2, 2, 2]
    page = check_page((out / "report.html").read_text("utf-8"))
    assert "model A on SUSM: c2: " in page.text
    assert {"#froc", "#calibration"} <= {one["href"] for one in page.all("a")}
    shutil.rmtree(maps)
    assert evaluated(folder)[0] == 0
    assert not list(out.glob("*froc*")) and not (out / "calibration.csv").exists()


def test_tables_of_an_earlier_evaluation_do_not_stay(folder: Path) -> None:
    """A table that can no longer be made goes and is told; a file of the user's own stays."""
    evaluated(folder)
    own = folder / "out/article/notes.txt"
    own.write_text("mine", "utf-8")
    shutil.rmtree(folder / "predictions/B")
    shutil.rmtree(folder / "predictions/A/SUSM")
    _, told, _ = evaluated(folder)
    gone = {Path(name).name for name in told["removed"]}
    assert {"table_3.csv", "table_3.tex", "found_instances.html", "figure_found.png"} <= gone
    here = {path.name for path in (folder / "out/article").iterdir()}
    assert here == {Path(name).name for name in told["files"]} | {"notes.txt"}


def test_without_a_study_two_folders_are_enough(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then `evaluation` is made here; one folder alone needs a study for the other."""
    monkeypatch.delenv("CTA_STUDY", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = [w for name in FOLDERS for w in (f"--{name}", folder / name)]
    assert run_cta("evaluate", *places).code == 0
    assert (tmp_path / "here/evaluation/article/report.html").is_file()
    alone = run_cta("evaluate", *places[:2])
    assert alone.code == 1 and "not a study" in alone.text


def test_mistakes_and_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    """Exit code 1 for what is not there, 2 where there is no prediction."""
    words = ("--references", folder / "references", "--out", tmp_path / "o")
    absent = run_cta("evaluate", *words, "--predictions", tmp_path / "absent")
    assert absent.code == 1 and "there is no such folder" in absent.text
    wrong = evaluated(folder, "--convention", "own")
    assert wrong[0] == 1 and "no convention 'own'" in wrong[2]
    (tmp_path / "empty").mkdir()
    nothing = run_cta("evaluate", *words, "--predictions", tmp_path / "empty")
    assert nothing.code == 2 and "nothing to score" in nothing.text
