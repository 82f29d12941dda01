"""`cta-data review`: the server over HTTP, decisions in the study, pages for elsewhere."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.interrupts import heed_interrupts
from helpers.refusals import has_reason
from helpers.review_client import Client, serving, start_review
from helpers.review_study import make_review_study
from PIL import Image

from cta_data.engine import Report
from cta_data.errors import CtaError
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import Grid, same_grid
from cta_data.pipeline.session_images import SessionImages
from cta_data.review.items import ReviewItem
from cta_data.review.journal import left_journals
from cta_data.review.server import niivue
from cta_data.review.server.gallery import SESSIONS_KEPT, Gallery
from cta_data.review.server.serve import serve
from cta_data.review.sitting import Sitting, commit_sitting
from cta_data.review.worklist import Asked, worklist
from cta_data.scoring.reread import UNBIASED
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow, ImageRow, UnitRow

pytestmark = pytest.mark.slow
KINDS = ("transfer", "annotation", "finding")


@pytest.fixture(scope="module")
def study(built: tuple[Study, Report], tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_review_study(built[0].root, tmp_path_factory.mktemp("review") / "study")


@pytest.fixture(scope="module")
def served(study: Study) -> Iterator[tuple[Client, Sitting]]:
    with serving(study, "Reader-1") as served:
        yield served


def test_wrong_token_host_or_origin_is_refused(served: tuple[Client, Sitting]) -> None:
    """Every address of the server, also those that do not exist, answers 403 and nothing else."""
    client, _ = served
    item = client.items()[0]["id"]
    stranger = Client(client.port, "wrong")
    own = f"http://127.0.0.1:{client.port}"
    where = "plane=axial&x=0&y=0&z=0&width=220&pixels=64&level=0.5&window=1&technique=MPRAGE"
    paths = ["/", "/api/list", f"/api/item/{item}", f"/slice/{item}?{where}", "/static/review.js"]
    paths += [f"/outlines/{item}?{where}", "/nothing", "/study.toml", "/?token=wrong"]
    for path in paths:
        refused = stranger.send(path)
        assert refused.status == 403, path
        body = refused.read()
        assert b"sub-" not in body and b"script" not in body
        assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            assert client.send(path, **headers).status == 403, path
    said = {"id": item, "verdict": "uncertain", "note": ""}
    for path in ("/api/decide", "/api/undo", "/api/end"):
        assert stranger.send(path, said).status == 403
        assert client.send(path, said, Origin="http://evil.example").status == 403
        assert client.send(path, said, Origin="").status == 403
        assert client.send(path, said, Origin=own, Host="localhost").status == 403
    assert all(one["state"] == "open" for one in client.items())


def test_images_are_served_by_id_alone(served: tuple[Client, Sitting]) -> None:
    """No path leads to a file, whatever is in it; nothing may stay in the browser's cache."""
    client, _ = served
    for path in (
        *(
            "/study.toml",
            "/static/../serve.py",
            "/static/..%2fserve.py",
            "/manifests/units.parquet",
        ),
        *("/static/export.html/", "/api/item/../../study.toml", "/slice/..%2f..%2fstudy.toml"),
        *("//etc/passwd", "/api/item/0123456789abcdef"),
    ):
        answer = client.send(path)
        assert answer.status == 404, path
        assert len(answer.read()) < 200
    assert client.send("/").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed_and_drawn(served: tuple[Client, Sitting], kind: str) -> None:
    """A slice of each technique in three planes shows something, with outlines at the place."""
    client, _ = served
    item = client.json(f"/api/item/{client.items(kind)[0]['id']}")
    view = item["view"]
    assert {"MPRAGE", "SPACE"} <= set(view["techniques"]) and view["left_out"] == {}
    x, y, z = view["stops"][0]["point"]
    seen = []
    for plane in ("axial", "coronal", "sagittal"):
        place = f"plane={plane}&x={x}&y={y}&z={z}&width=100&pixels=96&level=0.5&window=1"
        for technique in view["techniques"]:
            answer = client.send(f"/slice/{item['id']}?{place}&technique={technique}")
            assert answer.headers["Content-Type"] == "image/png"
            image = Image.open(io.BytesIO(answer.read()))
            assert image.size == (96, 96)
        seen += client.json(f"/outlines/{item['id']}?{place}")
    assert seen and all(one["lines"] for one in seen)
    for wrong in ("plane=oblique", "x=nan", "width=1e9", "pixels=100000", "technique=X", "z=a"):
        name = wrong.split("=")[0]
        place = f"plane=axial&x={x}&y={y}&z={z}&width=100&pixels=96&level=0.5&window=1"
        query = re.sub(rf"\b{name}=[^&]*", wrong, f"{place}&technique=MPRAGE")
        assert client.send(f"/slice/{item['id']}?{query}").status in (400, 404)


def test_volumes_of_the_viewer_are_on_one_grid(
    served: tuple[Client, Sitting], tmp_path: Path
) -> None:
    """Every technique and the masks: the same voxel is the same place in all views."""
    client, _ = served
    item = client.json(f"/api/item/{client.items('transfer')[0]['id']}")
    grids = []
    for technique in (*item["view"]["techniques"], "labels"):
        answer = client.send(f"/volume/{item['id']}?technique={technique}")
        (tmp_path / "volume.nii.gz").write_bytes(answer.read())
        image = read_image(tmp_path / "volume.nii.gz")
        grids.append(Grid.of(image))
        assert sitk.GetArrayViewFromImage(image).any()
    assert all(same_grid(grids[0], grid) for grid in grids)
    assert client.send(f"/volume/{item['id']}?technique=X").status == 404


def test_outside_of_an_image_is_dark_in_the_viewer(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a technique does not cover has its darkest value, and no grey of the brain."""
    view = Gallery(study).view(worklist(study, Asked(of="transfers")).items[0])
    [other] = [one for one in view.techniques if one != view.frame][:1]
    away = sitk.TranslationTransform(3, (1000.0, 0.0, 0.0))
    monkeypatch.setattr(SessionImages, "transform", lambda *_, **__: away)
    values = sitk.GetArrayFromImage(view.on_frame(other))
    own = sitk.GetArrayFromImage(view._images.images[other])
    assert values.min() == values.max() == own.min() < own.max()


def test_another_version_of_the_viewer_is_refused(
    served: tuple[Client, Sitting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names are those of one file alone; without it, slices are shown."""
    client, _ = served
    (tmp_path / "widget.js").write_text("export default 1;")
    for path, code in ((tmp_path / "widget.js", "another"), (None, "not installed")):
        niivue.bundle.cache_clear()
        monkeypatch.setattr(niivue, "bundle_path", lambda path=path: path)
        answer = client.send("/static/niivue.js")
        told = answer.read().decode()
        assert answer.status == 409 and ("2.4.4" in told or code in told)
    niivue.bundle.cache_clear()


def test_worst_is_first_and_a_blinded_reader_is_told_nothing(
    served: tuple[Client, Sitting],
) -> None:
    """What is on hold leads; of a finding neither model, nor reference, nor type is sent."""
    client, sitting = served
    assert client.items()[0]["kind"] == "transfer"
    found = [item for item in sitting.listed.items if item.kind == "finding"]
    assert {item.type for item in found} == {"false", "missed", "detected"}
    shown = []
    for one in client.items("finding"):
        item = client.json(f"/api/item/{one['id']}")
        assert [mask["name"] for mask in item["masks"]] == ["finding"]
        text = json.dumps([one, item])
        assert not re.search(r"reference|model|EXT|false pos|missed|detected", text)
        shown.append([name for name, _ in item["facts"]])
    assert all(names == ["Volume"] for names in shown)


def test_decisions_can_be_changed_and_taken_back(served: tuple[Client, Sitting]) -> None:
    """Each kind with its verdicts alone; undo brings back what was said before."""
    client, sitting = served
    for kind in KINDS:
        item = client.json(f"/api/item/{client.items(kind)[0]['id']}")
        for number, verdict in enumerate(item["verdicts"]):
            said = {"id": item["id"], "verdict": verdict, "note": f"note {number}"}
            assert client.json("/api/decide", said)["verdict"] == verdict
        again = client.json(f"/api/item/{item['id']}")
        assert again["decision"]["note"] == f"note {len(item['verdicts']) - 1}"
        for verdict in reversed(item["verdicts"][:-1]):
            assert client.json("/api/undo", {})["verdict"] == verdict
        assert client.json("/api/undo", {}) == {"id": item["id"], "state": "open", "verdict": ""}
    assert client.json("/api/undo", {}) == {"id": ""}
    item = client.items("transfer")[0]["id"]
    for wrong in ({"id": item, "verdict": "vessel"}, {"id": item}, {"verdict": "accepted"}, [1]):
        assert client.send("/api/decide", wrong).status in (400, 404)
    nested = "[" * 30_000
    assert client.send("/api/decide", nested).status == 400, "a string is no decision"
    assert client.send("/api/decide", nested, raw=True).status == 400
    assert sitting.journal.stands() == {}


def test_which_annotation_is_right_is_a_value_of_its_own(
    served: tuple[Client, Sitting],
) -> None:
    """Of two annotations either, both or neither; of anything else nothing of the kind."""
    client, sitting = served
    item = client.json(f"/api/item/{client.items('annotation')[0]['id']}")
    first = item["choices"][0]
    assert item["choices"][2:] == ["both", "neither"] and len(set(item["choices"])) == 4
    said = {"id": item["id"], "verdict": "rejected", "preferred": first}
    client.json("/api/decide", said)
    assert [row.preferred for row in sitting.journal.stands().values()] == [first]
    assert client.json(f"/api/item/{item['id']}")["decision"]["preferred"] == first
    assert client.send("/api/decide", said | {"preferred": "a third"}).status == 400
    finding = {"id": client.items("finding")[0]["id"], "verdict": "vessel"}
    assert client.send("/api/decide", finding | {"preferred": "both"}).status == 400
    client.json("/api/undo", {})
    assert sitting.journal.stands() == {}


def test_a_note_that_is_no_text_can_be_saved(served: tuple[Client, Sitting]) -> None:
    """Half of a pair of UTF-16 would stop the commit of all decisions of the sitting."""
    client, sitting = served
    said = {"id": client.items()[0]["id"], "verdict": "accepted", "note": "a\ud800b"}
    client.json("/api/decide", said)
    [row] = sitting.journal.stands().values()
    assert (row.reason or "").encode("utf-8") == b"a?b"
    client.json("/api/undo", {})


def test_sessions_that_others_took_the_place_of_are_released(study: Study) -> None:
    """Images of few sessions are in memory at a time, however many items were looked at."""
    sessions = sorted({row.session for row in study.tables.rows(ImageRow)})
    assert len(sessions) > SESSIONS_KEPT
    gallery, readings = Gallery(study), []
    for session in sessions:
        empty = {"reader": "", "verdict": "", "decided_on": "", "content_key": ""}
        about = DecisionRow(kind="transfer", step="transfer", session=session, **empty)
        view = gallery.view(ReviewItem(about, "", (), 0.0))
        readings.append(weakref.ref(view._reading))
        del view
    gc.collect()
    alive = [one() is not None for one in readings]
    assert sum(alive) == SESSIONS_KEPT and all(alive[-SESSIONS_KEPT:])


def test_findings_of_one_mask_share_it_in_memory(study: Study) -> None:
    """A session may have hundreds of findings, and a mask is as large as a head."""
    found = [one for one in worklist(study, Asked(of="findings")).items if one.masks[0].only]
    views = [Gallery(study).view(one) for one in found[:1]]
    reading = views[0]._reading
    by_file: dict[tuple[str, str], set[int]] = {}
    for one in found:
        mask = one.masks[0]
        by_file.setdefault((mask.path, mask.convention), set()).add(id(reading.mask(mask)))
    assert len(found) > len(by_file) and all(len(images) == 1 for images in by_file.values())


def decide_all(client: Client, choose: Callable[[list[str]], str]) -> None:
    for one in client.items():
        item = client.json(f"/api/item/{one['id']}")
        said = {"id": item["id"], "verdict": choose(item["verdicts"]), "note": "seen"}
        client.json("/api/decide", said)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def own(study: Study, tmp_path: Path) -> Study:
    """A copy that a test may change."""
    import shutil

    shutil.copytree(study.root, tmp_path / "own", symlinks=True)
    shutil.rmtree(tmp_path / "own/.cta/review", ignore_errors=True)
    return Study(tmp_path / "own")


def test_a_sitting_is_one_commit_and_other_commands_see_it(own: Study) -> None:
    """Rows of every kind; `accept` and `audit` list them; what was on hold is not any more."""
    before = git(own.root, "rev-parse", "HEAD")
    with serving(own, "R1") as (client, sitting):
        decide_all(client, lambda verdicts: verdicts[0])
    done = commit_sitting(own, sitting.journal, ["cta-data", "review", "--reader", "R1"])
    assert done.void == () and done.decisions == len(sitting.listed.items)
    assert git(own.root, "rev-parse", "HEAD~1") == before and left_journals(own.root) == []
    rows = Study(own.root).decisions()
    assert set(rows["kind"]) == set(KINDS) and set(rows["reader"]) == {"R1"}
    assert rows["number"].is_unique and len(rows) == done.decisions
    held = sitting.listed.items[0].about
    accepted = json.loads(run_cta("accept", "--json", study=own.root).out)
    assert all(one["decision"] for one in accepted)
    assert "R1" in next(o for o in accepted if o["subject"] == held.session.subject)["decision"]
    [unit] = [
        row
        for row in Study(own.root).tables.rows(UnitRow)
        if row.step == "transfer" and row.id.about == held.session
    ]
    assert unit.status == "ok" and unit.reason_code == "accepted_by_reviewer"
    [scores] = json.loads(run_cta("review", "--scores", "--json", study=own.root).out)
    assert scores["basis"] == UNBIASED and scores["blinded"]
    assert scores["corrected_ppv"]["estimate"] == 1 > scores["ppv"]
    [false] = json.loads(run_cta("audit", "--no-page", "--json", study=own.root).out)[
        "false_positives"
    ]
    assert (false["verdict"], false["reader"]) == ("metastasis", "R1")
    _a_second_reader_disagrees(own)
    _what_changed_is_void(own)


def _a_second_reader_disagrees(own: Study) -> None:
    """Agreement counts what both decided; items that differ are to be discussed."""
    study = Study(own.root)
    with serving(study, "R2") as (client, sitting):
        assert all(one["state"] == "open" for one in client.items())
        shown = [client.json(f"/api/item/{one['id']}") for one in client.items("transfer")]
        assert any("lesion 1" in dict(one["facts"])["Checks"] for one in shown)
        assert not re.search("R1|accepted|a reader", json.dumps([one["facts"] for one in shown]))
        last = client.items("finding")[-1]["id"]
        choose = {True: "vessel", False: "metastasis"}
        for one in client.items("finding"):
            said = {"id": one["id"], "verdict": choose[one["id"] == last]}
            client.json("/api/decide", said)
    commit_sitting(study, sitting.journal, ["cta-data", "review", "--reader", "R2"])
    [told] = json.loads(run_cta("review", "--agreement", "--json", study=own.root).out)
    assert (told["kind"], told["first"], told["second"]) == ("finding", "R1", "R2")
    assert told["n"] - told["n_equal"] == len(told["to_discuss"]) == 1


def _what_changed_is_void(own: Study) -> None:
    """The result is another one: the decision is void, and the reader is told."""
    study = Study(own.root)
    units = [row for row in study.tables.rows(UnitRow) if row.step == "transfer"]
    study.tables.upsert([replace(row, key="changed") for row in units])
    with serving(study, "R1") as (client, _):
        assert {one["state"] for one in client.items("transfer")} == {"void"}
        assert {one["state"] for one in client.items("finding")} == {"decided"}


def test_a_port_that_is_taken_is_named(study: Study) -> None:
    """The server says which, and nothing of the sitting is left."""
    sitting = Sitting(study, worklist(study, Asked()), "Port-1", "2026-03-01")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CtaError, check=has_reason("review_port_unusable", port=port)):
            serve(study, sitting, {}, lambda address: None, opens=False, port=port)
    sitting.journal.remove()


@pytest.mark.parametrize(
    "words",
    [
        ("--import", "decisions.json", "--reader", "R9"),
        ("--scores", "--subject", "001"),
        ("--agreement", "--port", "8765"),
        ("--reader", "R1", "--overwrite"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    study: Study, words: tuple[str, ...]
) -> None:
    """Whoever gives it expects something of it: another reader, one subject, a page replaced."""
    done = run_cta("review", *words, "--json", study=study.root)
    assert done.code == 1
    assert json.loads(done.out)["error"]["code"] == "review_option_unused"


def test_standard_output_is_json_alone(study: Study) -> None:
    """With --json the address is printed to standard error: it is needed, and is no JSON."""
    command = [sys.executable, "-m", "cta_data", "review", "--no-open", "--reader", "J1", "--json"]
    process = subprocess.Popen(
        [*command, "--study", str(study.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stderr
    assert any("http://127.0.0.1" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and json.loads(out) == {"decisions": 0, "void": []}


def test_a_killed_review_loses_nothing_and_ctrl_c_saves(own: Study) -> None:
    """What was confirmed before `kill -9` is committed by the next start; Ctrl-C ends with 0."""
    process, client = start_review(own.root, "--reader", "R1")
    first, second = (one["id"] for one in client.items()[:2])
    client.json("/api/decide", {"id": first, "verdict": "rejected", "note": "cut"})
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert len(Study(own.root).decisions()) == 0 and left_journals(own.root) == ["R1"]
    process, client = start_review(own.root, "--reader", "R1")
    assert [one["state"] for one in client.items() if one["id"] == first] == ["decided"]
    assert git(own.root, "log", "-1", "--format=%s").endswith("1 decisions by R1")
    client.json("/api/decide", {"id": second, "verdict": "uncertain", "note": ""})
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "saved 1 decisions of R1" in err and "1 decisions saved" in out
    rows = Study(own.root).decisions().set_index("verdict")
    assert list(rows.loc["rejected", ["reader", "reason"]]) == ["R1", "cut"]
    assert "uncertain" in rows.index and left_journals(own.root) == []
    assert git(own.root, "status", "--short", "--", "manifests") == ""


def test_a_page_for_elsewhere_and_back(own: Study, tmp_path: Path) -> None:
    """The page loads nothing; its decisions are checked against what the study holds now."""
    page = tmp_path / "review.html"
    words = ("--of", "findings", "--export", page)
    written = run_cta("review", *words, "--json", study=own.root)
    assert written.code == 0 and json.loads(written.out)["file"] == str(page)
    assert run_cta("review", *words, study=own.root).code == 1, "a file is not replaced unasked"
    inside = run_cta("review", "--export", own.root / "review.html", study=own.root)
    assert inside.code == 1 and not (own.root / "review.html").exists(), "it would be committed"
    text = page.read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy and "default-src 'none'" in policy[1] and "img-src data:" in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    data = json.loads(found[1])
    assert all(item["stops"] and not item["failure"] for item in data["items"])
    assert json.loads(written.out)["items"] == len(data["items"])
    assert not re.search(r"\bEXT\b|predicted_lesion|reference", found[1]), "it is blinded"
    keys = ("id", "content_key")
    said = [
        {key: item[key] for key in keys}
        | {"verdict": "other", "note": "", "preferred": "", "decided_on": "2026-03-02"}
        for item in data["items"]
    ]
    said[0]["content_key"] = "of another mask"
    names = ("format", "version", "study", "convention", "blinded")
    made = {name: data[name] for name in names} | {"reader": "R7", "decisions": said}
    (tmp_path / "decisions.json").write_text(json.dumps(made), "utf-8")
    outcome = run_cta("review", "--import", tmp_path / "decisions.json", study=own.root)
    assert outcome.code == 3 and outcome.err.count("refused") == 1, outcome.text
    rows = Study(own.root).decisions()
    assert len(rows) == len(said) - 1 and set(rows["verdict"]) == {"other"}
    # Sent again, after the reader decided anew on another day; each item is counted once.
    newer = [said[1] | {"verdict": "vessel", "decided_on": "2026-03-04"}]
    for decisions, count in (([*newer, *newer], 1), (said[1:], len(said) - 2)):
        again = made | {"decisions": decisions}
        (tmp_path / "decisions.json").write_text(json.dumps(again), "utf-8")
        outcome = run_cta(
            "review", "--import", tmp_path / "decisions.json", "--json", study=own.root
        )
        assert json.loads(outcome.out)["decisions"] == count, outcome.text
    assert sorted(Study(own.root).decisions()["verdict"])[-1] == "vessel"
    wrong = [[1], [said[1] | {"verdict": "no"}], [said[1] | {"preferred": "both"}], None]
    changes = [
        {"study": "another"},
        {"reader": "a name"},
        {"version": 2},
        {"blinded": 1},
        {"study": None},
    ]
    for change in [*changes, *({"decisions": one} for one in wrong)]:
        (tmp_path / "wrong.json").write_text(json.dumps(made | change), "utf-8")
        assert run_cta("review", "--import", tmp_path / "wrong.json", study=own.root).code == 1
    assert run_cta("review", "--import", tmp_path / "not there", study=own.root).code == 1
