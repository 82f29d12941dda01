"""Files that are no DICOM: taken in by their paths, kept as they are, listed as series are."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from helpers.refusals import has_reason, require_reason

from cta_data.cohorts import Card, parse_card
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.intake import AdditionOptions, execute_addition, plan_addition, read_inventory
from cta_data.intake.add import naming_of, recogniser

CARD = """
[cohort]
name = "own"
title = "Own"
licence = "CC0-1.0"
access = "public"
how_to_get = "here"

[subjects]
pattern = 'P(?P<id>\\d{2})'
source_id = "P{id}"
label = "own{id}"

[[files]]
path = '(?:^|/)(?P<subject>P\\d{2})/ses(?P<session>\\d)/t1\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>P\\d{2})/ses(?P<session>\\d)/seg/(?P<slice>\\d+)\\.png$'
role = "mask"

[[files]]
path = '(^|/)notes[^/]*\\.txt$'
role = "ignore"
reason = "notes"

[masks]
lesion_values = [1]
"""
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture()
def card() -> Card:
    return parse_card(CARD, "own", "card.toml")


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for subject in ("P01", "P02"):
        for session in ("1", "2"):
            place = folder / "release" / subject / f"ses{session}"
            (place / "seg").mkdir(parents=True)
            content = gzip.compress(f"{subject}{session}".encode() * 50, mtime=0)
            (place / "t1.nii.gz").write_bytes(content)
            for number in range(9, 12):
                (place / "seg" / f"{number}.png").write_bytes(
                    PNG + f"{subject}{session}{number}".encode()
                )
    (folder / "notes_about.txt").write_text("ignored")
    (folder / "readme.md").write_text("nobody knows this")
    return folder


def add(source: Path, into: Path, card: Card, **options: object) -> tuple[Counter[str], list[Path]]:
    chosen = AdditionOptions(
        recognise=recogniser(card),
        naming=naming_of(card),
        salt="ab" * 32,
        **options,  # type: ignore[arg-type]
    )
    with plan_addition(source, into, chosen) as plan:
        result = execute_addition(plan)
        return plan.counts, result.written


def test_files_are_kept_as_they_are_and_stacks_in_one_tar(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """Bytes are the source's own; a slice keeps the number that places it, without a clock."""
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, card)
    assert counts["recognised"] == 16 and counts["ignored"] == 1 and counts["not_dicom"] == 1
    assert counts["kept_instances"] == 16 and counts["subjects_accepted"] == 2
    rows = {(r.subject, r.session, r.kind): r for r in read_inventory(into).series}
    assert len(rows) == 8
    row = rows["own01", "2", "NIFTI"]
    assert row.file.endswith(".nii.gz") and row.header["SourceFile"] == "P01/ses2/t1.nii.gz"
    original = source / "release/P01/ses2/t1.nii.gz"
    assert (into / row.file).read_bytes() == original.read_bytes()
    with tarfile.open(into / rows["own01", "2", "PNG"].file) as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["000009.png", "000010.png", "000011.png"]
    assert {m.mtime for m in members} == {0}


def test_a_second_time_and_from_another_folder_nothing_changes(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """The place of a file within its case names it, not where the source lies."""
    into = tmp_path / "sourcedata"
    add(source, into, card)
    before = {p: hashlib.sha256(p.read_bytes()).digest() for p in into.rglob("*") if p.is_file()}
    counts, written = add(source / "release", into, card)
    assert written == [] and counts["series_notneeded"] == 8
    assert before == {
        p: hashlib.sha256(p.read_bytes()).digest() for p in into.rglob("*") if p.is_file()
    }


def test_changed_content_is_a_conflict_until_replacing_is_asked_for(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """A file that differs from the one that was added costs its subject alone."""
    into = tmp_path / "sourcedata"
    add(source, into, card)
    changed = source / "release/P02/ses1/t1.nii.gz"
    changed.write_bytes(gzip.compress(b"another", mtime=0))
    counts, _ = add(source, into, card)
    assert counts["subjects_refused"] == 1 and counts["subjects_accepted"] == 1
    counts, written = add(source, into, card, replace=True)
    assert counts["subjects_refused"] == 0 and any(p.name.endswith(".nii.gz") for p in written)


def test_a_slice_that_comes_later_joins_its_stack(source: Path, tmp_path: Path, card: Card) -> None:
    """Slices that were there stay, the new one is put in its place."""
    into = tmp_path / "sourcedata"
    late = source / "release/P01/ses1/seg/11.png"
    content = late.read_bytes()
    late.unlink()
    add(source, into, card)
    late.write_bytes(content)
    for number in (9, 10):
        (late.parent / f"{number}.png").unlink()
    counts, _ = add(source, into, card)
    assert counts["series_merge"] == 1
    row = next(
        r
        for r in read_inventory(into).series
        if (r.subject, r.session, r.kind) == ("own01", "1", "PNG")
    )
    with tarfile.open(into / row.file) as tar:
        assert [m.name for m in tar] == ["000009.png", "000010.png", "000011.png"]


def test_two_files_of_one_place_that_differ_refuse_their_subject(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """Copies of a release that were split anew may hold one case twice, and not the same."""
    twin = source / "copy" / "P01" / "ses1" / "t1.nii.gz"
    twin.parent.mkdir(parents=True)
    twin.write_bytes(gzip.compress(b"not the same", mtime=0))
    counts, _ = add(source, tmp_path / "sourcedata", card)
    assert counts["subjects_refused"] == 1 and counts["conflicts"] == 1
    told = {row.refused_reason for row in read_inventory(tmp_path / "sourcedata").subjects}
    assert "1 files occur twice with different content" in told


def test_an_empty_file_refuses_its_series(source: Path, tmp_path: Path, card: Card) -> None:
    """A download that stopped at nothing is told, and the rest is taken in."""
    (source / "release/P01/ses1/t1.nii.gz").write_bytes(b"")
    counts, _ = add(source, tmp_path / "sourcedata", card)
    assert counts["damaged"] == 1 and counts["series_refuse"] == 1
    assert counts["kept_instances"] == 15


def test_a_source_without_any_file_that_the_card_knows_is_refused(
    tmp_path: Path, card: Card
) -> None:
    """The message names a file that was seen, and where rules are."""
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "scan.nii.gz").write_bytes(b"x")
    with pytest.raises(DataRefused, check=has_reason("source_without_known_files")):
        add(folder, tmp_path / "sourcedata", card)


def test_a_link_without_content_refuses_its_series(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """A mask that was not fetched is no session without a mask: it is told and set aside."""
    late = source / "release/P01/ses1/t1.nii.gz"
    late.unlink()
    late.symlink_to(".git/annex/objects/none.nii.gz")
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, card)
    assert counts["damaged"] == 1 and counts["series_refuse"] == 1 and counts["recognised"] == 16
    [aside] = read_inventory(into).set_aside
    assert (aside.subject, aside.study_uid) == ("own01", "session:1")
    assert "is a link whose content is not here" in aside.reason


def test_what_macos_writes_beside_files_makes_no_subject(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """A disk that went through a Mac has `._P01…` beside `P01…`: no rule takes it for a case."""
    rule = card.files[0].model_copy(
        update={"path": r"(?P<subject>[^/]+)_t1\.nii\.gz$", "technique": "SPACE"}
    )
    loose = card.model_copy(update={"files": (rule, *card.files)})
    for name in ("P03_t1.nii.gz", "._P03_t1.nii.gz"):
        (source / name).write_bytes(b"x" if name[0] == "." else gzip.compress(b"3", mtime=0))
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, loose)
    assert counts["ignored"] == 2 and counts["subjects"] == 3
    assert [row.source_id for row in read_inventory(into).subjects] == ["P01", "P02", "P03"]


def test_a_session_that_is_no_label_never_becomes_one(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """What a path has for a session is in every file's name: a date with dashes costs its case."""
    rule = card.files[0].model_copy(
        update={"path": r"(?P<subject>P\d{2})/(?P<session>[^/]+)/t1\.nii\.gz$"}
    )
    loose = card.model_copy(update={"files": (rule,)})
    (source / "release/P01/ses2").rename(source / "release/P01/2019-03-04")
    (source / "release/P02/ses2").rename(source / "release/P02/2")
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, loose)
    assert counts["damaged"] == 1 and counts["subjects_accepted"] == 2
    kept = {(row.subject, row.session) for row in read_inventory(into).series}
    assert kept == {("own01", "ses1"), ("own02", "ses1"), ("own02", "2")}
    [aside] = read_inventory(into).set_aside
    assert aside.subject == "own01" and "a session that is not of" in aside.reason
    assert "2019" not in aside.reason


def test_a_label_that_bids_does_not_know_is_refused(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """A template that puts a dash into labels is a mistake in the card, not of a subject."""
    section = card.subjects.model_copy(update={"label": "own-{id}"})
    with pytest.raises(ConfigurationError, check=has_reason("label_invalid")):
        add(source, tmp_path / "sourcedata", card.model_copy(update={"subjects": section}))


@pytest.mark.parametrize("odd", ["own_03", "own-03", "o" * 65, "CON"])
def test_an_identifier_that_makes_no_label_costs_its_own_subject(
    odd: str, source: Path, tmp_path: Path, card: Card
) -> None:
    """One folder with an odd name is refused with the reason; the others are taken in."""
    shutil.copytree(source / "release/P01/ses1", source / "release" / odd / "ses1")
    (source / "release" / odd / "ses1/t1.nii.gz").write_bytes(gzip.compress(b"another", mtime=0))
    rules = tuple(
        rule.model_copy(update={"path": rule.path.replace(r"P\d{2}", "[^/]+")})
        for rule in card.files
    )
    section = card.subjects.model_copy(
        update={"pattern": "(?P<id>.+)", "source_id": "{id}", "label": "{id}"}
    )
    loose = card.model_copy(update={"subjects": section, "files": rules})
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, loose)
    assert counts["subjects_accepted"] == 2 and counts["subjects_refused"] == 1
    [refused] = [row for row in read_inventory(into).subjects if row.status == "refused"]
    assert refused.source_id == odd and refused.refused_code == "label_invalid"


def test_one_image_under_several_identifiers_is_refused(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """Copies of a patient under other identifiers wait; masks may be equal, images may not."""
    release = source / "release"
    for number in (3, 4):
        shutil.copytree(release / "P01", release / f"P0{number}")
    shutil.rmtree(release / "P02/ses1/seg")
    shutil.copytree(release / "P01/ses1/seg", release / "P02/ses1/seg")
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, card)
    assert counts["subjects_refused"] == 3 and counts["subjects_accepted"] == 1
    rows = {row.subject: row for row in read_inventory(into).subjects}
    assert rows["own02"].status == "accepted"
    assert "same image as sub-own03 and sub-own04" in rows["own01"].refused_reason
    different = frozenset(map(frozenset, combinations(["own01", "own03", "own04"], 2)))
    counts, _ = add(source, into, card, different=different)
    assert counts["subjects_refused"] == 0


@pytest.mark.parametrize("number", ["1" * 10, "9" * 200, "9" * 5000])
def test_a_slice_number_that_is_none_costs_its_own_subject(
    source: Path, tmp_path: Path, card: Card, number: str
) -> None:
    """However many digits a path has, the subject is refused with the reason; others are kept."""
    place = recogniser(card)(f"release/P01/ses1/seg/{number}.png")
    assert place is not None and "nine digits" in place.fault and place.subject == "P01"
    if len(number) > 200:
        return  # longer than a name on disk can be, but not in an archive
    (source / f"release/P01/ses1/seg/{number}.png").write_bytes(b"slice")
    counts, written = add(source, tmp_path / "sourcedata", card)
    assert counts["series_refuse"] >= 1
    assert any("sub-own02" in str(path) for path in written)


OUT = "is a link that leads out of the source"


@pytest.mark.parametrize("name", ["t1.nii.gz", "seg/9.png"])
def test_a_link_that_leads_out_of_the_source_is_not_followed(
    name: str, source: Path, tmp_path: Path, card: Card
) -> None:
    """Whatever lies there would be taken in as the patient's: its series is refused, unread."""
    outside = tmp_path / "elsewhere"
    late = source / "release/P01/ses1" / name
    late.rename(outside)
    late.symlink_to(outside)
    into = tmp_path / "sourcedata"
    counts, _ = add(source, into, card)
    assert counts["damaged"] == 1 and counts["series_refuse"] == 1
    [aside] = read_inventory(into).set_aside
    assert OUT in aside.reason


@pytest.mark.parametrize("target", ["release/P01/ses1/t1.nii.gz", "annex", "submodule"])
def test_links_within_the_source_and_into_its_annex_are_followed(
    target: str, source: Path, tmp_path: Path, card: Card
) -> None:
    """A dataset of git-annex, or a folder of one, is full of links to where the content is kept."""
    late = source / "release/P02/ses1/t1.nii.gz"
    content = late.read_bytes()
    kept = source / "release/P02/kept"
    if target == "annex":
        kept = tmp_path / ".git/annex/objects/aa/key"
    if target == "submodule":
        kept = tmp_path / "super/modules/x/annex/objects/aa/key"
        (source / ".git").write_text("gitdir: ../super/modules/x\n", "utf-8")
    kept.parent.mkdir(parents=True, exist_ok=True)
    late.unlink()
    kept.write_bytes(content)
    late.symlink_to(kept)
    counts, _ = add(source, tmp_path / "sourcedata", card)
    assert counts["damaged"] == 0 and counts["subjects_accepted"] == 2


@pytest.mark.parametrize("name", ["t1.nii.gz", "seg/9.png"])
@pytest.mark.parametrize("content", [b"root:x:0:0:", b"<html>", b"NRRD0004", b"PK\x03\x04"])
def test_a_file_that_is_not_what_its_name_says_refuses_its_series(
    name: str, content: bytes, source: Path, tmp_path: Path, card: Card
) -> None:
    """By its first bytes: a page of a portal, or a file that was renamed."""
    (source / "release/P01/ses1" / name).write_bytes(content)
    counts, _ = add(source, tmp_path / "sourcedata", card)
    assert counts["damaged"] == 1 and counts["series_refuse"] == 1


def test_who_cannot_have_a_label_is_told_by_a_file(
    source: Path, tmp_path: Path, card: Card
) -> None:
    """A second label is refused: the reason names nobody, and the file says whom it is about."""
    into = tmp_path / "sourcedata"
    add(source, into, card)
    labels = tmp_path / "labels.tsv"
    labels.write_text("source_id\tsubject\nP01\tother\n", "utf-8")
    chosen = AdditionOptions(recognise=recogniser(card), naming=naming_of(card), subject_map=labels)
    with plan_addition(source, into, chosen) as plan:
        [refused] = [one for one in plan.subjects if one.status == "refused"]
    require_reason(refused.reason, "patient_has_another_label", label="other")
    assert refused.files == ("release/P01/ses1/seg/10.png",)
    assert refused.source_ids == ("P01",)
