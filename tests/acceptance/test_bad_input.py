"""Bad input: each mistake ends in one line that says what, where, why and what next."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.command_line import CARD, Cta

from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.versioning.tools import use_environment_tools


@pytest.fixture(scope="module")
def study(new_study: Callable[[str], Path]) -> Path:
    """An empty study."""
    return new_study("bad")


@pytest.fixture
def any_dicom(patients: list[Path]) -> bytes:
    """Content of some DICOM file."""
    return next(path for path in patients[0].rglob("*") if path.is_file()).read_bytes()


def one_line(text: str) -> bool:
    """Whether a message is one line and no traceback."""
    return text.strip().count("\n") == 0 and "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("empty", 1, "empty: the source is empty. Check the path"),
        ("absent", 1, "absent: the source does not exist. Give a folder, a zip or a tar file"),
        ("text", 3, "the source holds no readable DICOM (1 files, 1 of them not DICOM)"),
        ("text/note.txt", 3, "the source holds no readable DICOM (1 files, 1 of them not DICOM)"),
    ],
)
def test_sources_without_dicom(
    cta: Cta, study: Path, tmp_path: Path, name: str, code: int, told: str
) -> None:
    """An empty or absent source is a mistake; one without DICOM is data that is refused."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "note.txt").write_text("no image")
    outcome = cta("add", "internal", tmp_path / name, study=study)
    assert outcome.code == code
    assert told in outcome.text
    assert one_line(outcome.err)


def archive(path: Path, content: bytes, bad: str, kind: bytes = tarfile.REGTYPE) -> Path:
    """Write a tar with a good member and a bad one."""
    with tarfile.open(path, "w") as packed:
        for name in ("good.dcm", bad):
            member = tarfile.TarInfo(name)
            member.type = tarfile.REGTYPE if name == "good.dcm" else kind
            member.linkname = "/etc/passwd" if member.issym() or member.islnk() else ""
            member.size = len(content) if member.isreg() else 0
            packed.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


@pytest.mark.parametrize(
    ("bad", "kind", "told"),
    [
        ("../../evil.dcm", tarfile.REGTYPE, "has a path that climbs out with '..'"),
        ("/tmp/evil.dcm", tarfile.REGTYPE, "has an absolute path"),
        ("link", tarfile.SYMTYPE, "is a link out of the archive"),
        ("hard", tarfile.LNKTYPE, "is a link out of the archive"),
        ("device", tarfile.CHRTYPE, "is a device or a pipe"),
    ],
)
def test_unsafe_tars(
    cta: Cta, study: Path, tmp_path: Path, any_dicom: bytes, bad: str, kind: bytes, told: str
) -> None:
    """The whole archive is refused, its member named; nothing is kept, nothing left behind."""
    source = archive(tmp_path / "source.tar", any_dicom, bad, kind)
    outcome = cta("add", "internal", source, study=study)
    assert outcome.code == 3
    assert f"source.tar: the archive was refused (member {bad!r} {told})" in outcome.text
    assert one_line(outcome.err)
    assert list((study / ".cta" / "unpacked").iterdir()) == []
    assert not (tmp_path.parent / "evil.dcm").exists()


@pytest.mark.parametrize("bad", ["../../evil.dcm", "/tmp/evil.dcm"])
def test_unsafe_zips(cta: Cta, study: Path, tmp_path: Path, any_dicom: bytes, bad: str) -> None:
    """A zip is no safer than a tar."""
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as packed:
        packed.writestr("good.dcm", any_dicom)
        packed.writestr(bad, any_dicom)
    outcome = cta("add", "internal", tmp_path / "source.zip", study=study)
    assert outcome.code == 3
    assert f"member {bad!r} has" in outcome.text


def test_archives_that_are_cut_or_swell(cta: Cta, study: Path, tmp_path: Path) -> None:
    """An archive that ends early or unpacks to more than the limit is refused, with advice."""
    whole = archive(tmp_path / "whole.tar", bytes(4000), "more.dcm")
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[:3000])
    outcome = cta("add", "internal", tmp_path / "cut.tar", study=study)
    assert outcome.code == 3
    assert "cut.tar: the archive is truncated or damaged" in outcome.text
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(3 << 20))
    outcome = cta("add", "internal", tmp_path / "bomb.zip", "--unpacked-limit", 0.001, study=study)
    assert outcome.code == 3
    assert "above the limit" in outcome.text and "--unpacked-limit" in outcome.text


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("same_frame", "same_fraem", "unknown key 'registration.same_fraem'; did you mean 'same_f"),
        ("[build]", "[biuld]", "unknown key 'biuld'; did you mean 'build'?"),
        ("folds = 5", 'folds = "five"', "build.folds: Input should be a valid integer"),
        ("folds = 5", "folds = 1", "build.folds: Input should be greater than or equal to 2"),
        ("folds = 5", "folds = ", "study.toml: not valid TOML"),
        ('kind = "rigid"', 'kind = "rigit"', "registration.kind: Input should be 'rigid' or 'aff"),
        ('"morphology"', '"morfology"', "brain_extraction.backend: Input should be 'morphology'"),
    ],
)
def test_mistakes_in_study_toml(cta: Cta, study: Path, right: str, wrong: str, told: str) -> None:
    """Exit code 1; the key is named, with the nearest right one or what it should be."""
    path = study / "study.toml"
    before = path.read_text("utf-8")
    path.write_text(before.replace(right, wrong, 1), "utf-8")
    try:
        outcome = cta("status", study=study)
    finally:
        path.write_text(before, "utf-8")
    assert outcome.code == 1
    assert told in outcome.text
    assert one_line(outcome.err)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("technique = 'T1'\nwhere = { Modality = '(MR' }", "'(MR' is not a regular expression"),
        ("tecnique = 'T1'\nwhere = { Modality = 'MR' }", "did you mean 'technique'?"),
        ("technique = 'T1'", "series.0.where: Field required"),
    ],
)
def test_mistakes_in_a_card(
    cta: Cta, study: Path, tmp_path: Path, patients: list[Path], rules: str, told: str
) -> None:
    """Exit code 1, and no cohort is made."""
    card = tmp_path / "mine.toml"
    card.write_text(CARD.format(name="mine") + f"\n[[series]]\n{rules}\n", "utf-8")
    outcome = cta("add", "mine", patients[0], "--card", card, study=study)
    assert outcome.code == 1
    assert told in outcome.text and str(card) in outcome.text
    assert not (study / "datasets" / "mine").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("convert", "nowhere"), 1, "the study has no cohort 'nowhere'"),
        (("add", "nowhere", "."), 1, "there is no card named 'nowhere'"),
        (("build", "--setting", "Z"), 1, "there is no setting 'Z' (the study has A, B, C, D)"),
        (("build",), 1, "Missing option '--setting'"),
        (("convert", "-j", "0"), 1, "Invalid value for '-j'"),
        (("convrt",), 1, "No such command 'convrt'"),
        (("convert", "--subject", "999"), 2, "nothing matches subject 999: `cta-data status` li"),
        (("build", "--setting", "A", "--subject", "9"), 2, "nothing matches subject 9"),
        (("convert",), 2, "the study holds no subject yet"),
        (("query", "select * from nothing"), 1, "the query failed"),
        (("add", "internal", ".", "--id", "a b"), 1, "letters and digits only"),
    ],
)
def test_mistakes_on_the_command_line(
    cta: Cta, study: Path, patients: list[Path], words: tuple[str, ...], code: int, told: str
) -> None:
    """1 for a mistake, 2 where nothing matches; the message says what there is."""
    named = [patients[0] if word == "." else word for word in words]
    outcome = cta(*named, study=study)
    assert outcome.code == code
    assert told in outcome.text


def test_outside_a_study(cta: Cta, tmp_path: Path) -> None:
    """The folder is named, and how to make a study."""
    outcome = cta("status", study=tmp_path)
    assert outcome.code == 1
    assert f"{tmp_path}: not a study" in outcome.text
    assert "cta-data init" in outcome.text


def test_a_study_is_never_made_over_something(cta: Cta, study: Path, tmp_path: Path) -> None:
    """Neither over a study nor where a card is missing; nothing is left behind."""
    assert cta("init", study).code == 1
    outcome = cta("init", tmp_path / "new", "--cohort", "nowhere")
    assert outcome.code == 1
    assert not (tmp_path / "new").exists()


def test_while_another_command_works(cta: Cta, study: Path, patients: list[Path]) -> None:
    """A second command does nothing and says so."""
    with study_lock(Study(study)):
        for words in (("convert",), ("build", "--setting", "A"), ("add", "internal", patients[0])):
            outcome = cta(*words, study=study)
            assert outcome.code == 1
            assert "another cta-data command is running on this study" in outcome.text


@pytest.mark.parametrize("kind", ["cut", "garbage", "other"])
def test_a_damaged_table(cta: Cta, new_study: Callable[[str], Path], kind: str) -> None:
    """No step runs on a table that is damaged, or is another; the message says how to restore."""
    study = new_study("table")
    path = study / "manifests" / "units.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"a": [1]}), path)
    if kind != "other":
        path.write_bytes(path.read_bytes()[:100] if kind == "cut" else b"garbage")
    before = path.read_bytes()
    for words in (("convert",), ("status",), ("query", "select * from units")):
        outcome = cta(*words, study=study)
        assert outcome.code == 1
        assert f"{path}: " in outcome.text and "git checkout -- manifests" in outcome.text
    assert path.read_bytes() == before


def test_git_without_an_identity(study: Path, patients: list[Path], tmp_path: Path) -> None:
    """Every command that would commit says what to configure, before it does anything."""
    use_environment_tools()
    bare = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for words in (("init", "new"), ("-C", "add", "internal", str(patients[0])), ("-C", "convert")):
        words = (*words[1:], "--study", str(study)) if words[0] == "-C" else words
        done = subprocess.run(
            [sys.executable, "-m", "cta_data", *words],
            env=bare, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "git does not know who you are. Run `git config" in done.stderr
        assert one_line(done.stderr)


def test_what_is_not_allowed_to_be_written(cta: Cta, new_study: Callable[[str], Path]) -> None:
    """A study that cannot be written is an error in one line, and can still be looked at."""
    study = new_study("locked")
    lock = study / ".cta" / "lock"
    lock.unlink()
    lock.mkdir()  # as good as a read-only disk, also where the tester is root
    outcome = cta("convert", study=study)
    assert outcome.code == 1
    assert str(lock) in outcome.text and one_line(outcome.err)
    assert cta("status", study=study).code == 0


def test_a_demonstration_keeps_what_is_there(cta: Cta, tmp_path: Path) -> None:
    """A folder that holds something is refused."""
    (tmp_path / "mine.txt").write_text("mine")
    outcome = cta("demo", tmp_path)
    assert outcome.code == 1 and "the folder is not empty" in outcome.text
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
