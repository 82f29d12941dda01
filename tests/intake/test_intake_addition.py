"""Adding a source to a cohort: what is kept, merged, refused and counted."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import has_reason, require_reason

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.intake import (
    AdditionOptions,
    AdditionPlan,
    execute_addition,
    needed_content,
    open_datasets,
    plan_addition,
    read_inventory,
    read_series,
)

MakeDicom = Callable[..., bytes]
MakeSeries = Callable[..., list[Path]]
PARTS = (
    "kept_instances",
    "refused_instances",
    "duplicates",
    "set_aside",
    "damaged",
    "conflicts",
    "unexpected",
)


def _add(source: Path, sourcedata: Path, **options: Any) -> AdditionPlan:
    with plan_addition(source, sourcedata, AdditionOptions(**options)) as plan:
        counts = plan.counts
        assert counts["dicom"] == sum(counts[part] for part in PARTS)
        assert counts["subjects"] == counts["subjects_accepted"] + counts["subjects_refused"]
        execute_addition(plan)
    return plan


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_series_becomes_one_tar_of_its_original_bytes(
    tmp_path: Path, make_series: MakeSeries
) -> None:
    """The tar holds the very bytes in slice order, without times, owners or names."""
    paths = make_series(tmp_path / "in", slices=12)
    plan = _add(tmp_path / "in", tmp_path / "out")
    (row,) = read_inventory(tmp_path / "out").series
    assert (row.subject, row.session, row.kind, row.n_instances) == ("001", "1", "MR", 12)
    assert row.header["SeriesDescription"] == "t1_mprage"
    assert row.acquired == "20200102101001.500000"
    tar_path = tmp_path / "out" / row.file
    assert list(read_series(tar_path)) == [path.read_bytes() for path in paths]
    assert [int(one.InstanceNumber) for one in open_datasets(tar_path)] == list(range(1, 13))
    with tarfile.open(tar_path) as tar:
        members = tar.getmembers()
    assert members[0].name == "000001.dcm"
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {
        (0, 0, 0, "", 0o644)
    }
    assert plan.series[0].action == "new"


def test_planning_writes_nothing(tmp_path: Path, make_series: MakeSeries) -> None:
    """A dry run leaves no file in sourcedata, and none of what an archive was unpacked to."""
    make_series(tmp_path / "in")
    archive = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in")
    (tmp_path / "work").mkdir()
    options = AdditionOptions(work_folder=tmp_path / "work")
    with plan_addition(Path(archive), tmp_path / "out", options) as plan:
        assert plan.series[0].header["ScanningSequence"] == "GR\\IR"
        assert list((tmp_path / "work").iterdir()) != []
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "work").iterdir()) == []


def test_adding_twice_changes_no_byte(tmp_path: Path, make_series: MakeSeries) -> None:
    """The same source again, as folder or as an archive in a folder, is notneeded."""
    make_series(tmp_path / "in" / "a")
    make_series(tmp_path / "in" / "b", series="1.2.3.2.1", PatientID="OTHER")
    _add(tmp_path / "in", tmp_path / "out")
    before = _bytes(tmp_path / "out")
    (tmp_path / "nested").mkdir()
    shutil.make_archive(str(tmp_path / "nested" / "inner"), "xztar", tmp_path / "in")
    for source in (tmp_path / "in", tmp_path / "nested"):
        plan = _add(source, tmp_path / "out")
        assert [one.action for one in plan.series] == ["notneeded", "notneeded"]
        assert _bytes(tmp_path / "out") == before


def test_same_source_and_salt_give_the_same_bytes(tmp_path: Path, make_series: MakeSeries) -> None:
    """Nothing but the source and the salt goes into sourcedata; a second addition is notneeded."""
    make_series(tmp_path / "in" / "a")
    make_series(tmp_path / "in" / "b", series="1.2.3.2.1", PatientID="OTHER", PatientName="X")
    for out in ("one", "two"):
        _add(tmp_path / "in", tmp_path / out, salt="ab" * 32)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    again = _add(tmp_path / "in", tmp_path / "two")
    assert [one.action for one in again.series] == ["notneeded", "notneeded"]
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_late_slices_are_merged_in_order(tmp_path: Path, make_series: MakeSeries) -> None:
    """More instances of a known series are merged; the result equals adding all at once."""
    paths = make_series(tmp_path / "all", slices=5)
    (tmp_path / "odd").mkdir()
    (tmp_path / "even").mkdir()
    for number, path in enumerate(paths):
        shutil.copy(path, tmp_path / ("even" if number % 2 else "odd") / path.name)
    _add(tmp_path / "odd", tmp_path / "parts", salt="ab" * 32)
    plan = _add(tmp_path / "even", tmp_path / "parts")
    assert plan.series[0].action == "merge"
    require_reason(plan.series[0].reason, "series_merged", parts=("2 more instances",))
    _add(tmp_path / "all", tmp_path / "whole", salt="ab" * 32)
    assert _bytes(tmp_path / "parts") == _bytes(tmp_path / "whole")


def test_merging_asks_for_the_content_it_needs(tmp_path: Path, make_series: MakeSeries) -> None:
    """With the tar's content not fetched, planning works, and says what to fetch."""
    paths = make_series(tmp_path / "in")
    _add(tmp_path / "in", tmp_path / "out")
    tar = tmp_path / "out" / read_inventory(tmp_path / "out").series[0].file
    tar.unlink()
    tar.symlink_to("../../.git/annex/objects/gone")
    assert _add(tmp_path / "in", tmp_path / "out").series[0].action == "notneeded"
    paths[0].write_bytes(paths[0].read_bytes().replace(b"1.2.3.1.1.1\0", b"1.2.3.1.1.9\0"))
    with plan_addition(tmp_path / "in", tmp_path / "out") as plan:
        assert needed_content(plan) == [tar]
        with pytest.raises(CtaError, check=has_reason("merge_series_not_fetched")):
            execute_addition(plan)
    assert os.readlink(tar) == "../../.git/annex/objects/gone"


def test_objects_that_are_no_images_are_set_aside(
    tmp_path: Path, make_series: MakeSeries, make_dicom: MakeDicom
) -> None:
    """Raw data under the image's own series UID, states and reports are counted, not kept."""
    make_series(tmp_path / "in")
    classes = {"66": "raw data", "11.1": "presentation state", "88.67": "dose report"}
    for number, suffix in enumerate(classes, start=50):
        content = make_dicom(number, SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{suffix}")
        (tmp_path / "in" / suffix).write_bytes(content)
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert plan.series[0].n_instances == 3
    assert sorted(str(one.reason) for one in plan.set_aside) == sorted(classes.values())
    assert plan.counts["set_aside"] == 3
    assert len(read_inventory(tmp_path / "out").set_aside) == 3


def test_duplicates_are_kept_once_and_conflicts_refused(
    tmp_path: Path, make_series: MakeSeries, make_dicom: MakeDicom
) -> None:
    """Equal copies are counted; one UID with two contents refuses the patient, naming both."""
    make_series(tmp_path / "in")
    make_series(tmp_path / "in" / "copy")
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert (plan.counts["duplicates"], plan.series[0].n_instances) == (3, 3)
    (tmp_path / "in" / "other").write_bytes(make_dicom(1, PixelData=bytes(32)))
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert plan.subjects[0].status == "refused"
    require_reason(plan.subjects[0].reason, "instances_contradict")
    assert len(plan.subjects[0].files) == 2


def test_changed_instances_are_refused_or_replaced(tmp_path: Path, make_series: MakeSeries) -> None:
    """A stored instance with other content is refused; with `replace` the new one wins."""
    make_series(tmp_path / "in")
    _add(tmp_path / "in", tmp_path / "out")
    make_series(tmp_path / "new", PixelData=b"\7" * 32)
    again = _add(tmp_path / "new", tmp_path / "out").series[0].reason
    require_reason(again, "stored_instances_differ")
    plan = _add(tmp_path / "new", tmp_path / "out", replace=True)
    require_reason(plan.series[0].reason, "series_merged", parts=("3 instances replaced",))
    row = read_inventory(tmp_path / "out").series[0]
    assert {one.PixelData for one in open_datasets(tmp_path / "out" / row.file)} == {b"\7" * 32}


def test_two_patients_under_one_number_are_refused(tmp_path: Path, make_series: MakeSeries) -> None:
    """Another birth date refuses the subject; the message tells which attribute, not its value."""
    make_series(tmp_path / "in")
    make_series(tmp_path / "in", series="1.2.3.2.1", PatientBirthDate="19700101")
    plan = _add(tmp_path / "in", tmp_path / "out")
    (subject,) = plan.subjects
    differing = ("PatientBirthDate",)
    require_reason(subject.reason, "patient_number_shared", attributes=differing)
    assert "19700101" not in str(subject.reason) and len(subject.files) == 2
    (row,) = read_inventory(tmp_path / "out").subjects
    assert (row.subject, row.status, row.source_id) == ("001", "refused", "HOSPITAL-4711")


def test_identity_is_remembered_across_additions(tmp_path: Path, make_series: MakeSeries) -> None:
    """A second delivery under the same number has to be the same person, spelt as they like."""
    make_series(tmp_path / "in")
    _add(tmp_path / "in", tmp_path / "out")
    make_series(tmp_path / "same", series="1.2.3.2.1", PatientName="DOE^JANE^^", PatientSex="")
    assert _add(tmp_path / "same", tmp_path / "out").subjects[0].status == "accepted"
    make_series(tmp_path / "other", series="1.2.3.3.1", PatientName="Roe^Richard")
    before = read_inventory(tmp_path / "out").series
    plan = _add(tmp_path / "other", tmp_path / "out")
    assert "PatientName differ" in str(plan.subjects[0].reason)
    inventory = read_inventory(tmp_path / "out")
    assert inventory.series == before
    assert inventory.subjects[0].status == "accepted" and inventory.subjects[0].refused_reason


def test_no_identity_outside_the_map(tmp_path: Path, make_series: MakeSeries) -> None:
    """Names of patients are in no table, and their number in the map alone."""
    make_series(tmp_path / "in")
    plan = _add(tmp_path / "in", tmp_path / "out")
    tables = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*.tsv")}
    assert [name for name, text in tables.items() if "4711" in text] == ["subjects.tsv"]
    assert not any("doe" in text.casefold() for text in tables.values())
    assert "1.2.3" not in f"{plan.series[0].file}{plan.series[0].reason}"


def test_missing_patient_number(tmp_path: Path, make_series: MakeSeries) -> None:
    """Without a number the files are refused and listed; a label by hand takes them."""
    make_series(tmp_path / "in", PatientID="")
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert plan.subjects[0].status == "refused"
    require_reason(plan.subjects[0].reason, "patient_number_missing")
    assert len(read_inventory(tmp_path / "out").subjects) == 1
    _add(tmp_path / "in", tmp_path / "out", subject="007")
    (row,) = read_inventory(tmp_path / "out").subjects
    assert (row.subject, row.status, row.refused_reason) == ("007", "accepted", "")
    assert _add(tmp_path / "in", tmp_path / "out", subject="007").series[0].action == "notneeded"


def test_one_label_is_for_one_patient(tmp_path: Path, make_series: MakeSeries) -> None:
    """A label for a source of two patients is a mistake on the command line."""
    make_series(tmp_path / "in")
    make_series(tmp_path / "in", series="1.2.3.2.1", PatientID="OTHER")
    with pytest.raises(
        ConfigurationError, check=has_reason("source_of_several_patients", n_patients=2)
    ):
        _add(tmp_path / "in", tmp_path / "out", subject="007")


def test_truncated_slice_costs_its_series_alone(tmp_path: Path, make_series: MakeSeries) -> None:
    """A damaged slice keeps its series out, with file and reason; the whole file brings it in."""
    paths = make_series(tmp_path / "in")
    make_series(tmp_path / "in", series="1.2.3.1.2")
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[:-5])
    plan = _add(tmp_path / "in", tmp_path / "out")
    refused, new = plan.series
    assert (refused.action, new.action) == ("refuse", "new")
    require_reason(refused.reason, "instances_damaged", n_damaged=1, n_instances=3)
    assert "27 of 32" in str(refused.reason)
    assert [problem.file for problem in plan.problems] == ["1.2.3.1.1-2"]
    assert len(read_inventory(tmp_path / "out").set_aside) == 1
    paths[1].write_bytes(whole)
    assert _add(tmp_path / "in", tmp_path / "out").series[0].action == "new"
    assert read_inventory(tmp_path / "out").set_aside == []


def test_sources_without_dicom_are_errors(tmp_path: Path) -> None:
    """A missing source, an empty one and one without DICOM each say what they are."""
    with pytest.raises(CtaError, check=has_reason("source_not_found")):
        plan_addition(tmp_path / "none", tmp_path / "out")
    (tmp_path / "in").mkdir()
    with pytest.raises(CtaError, check=has_reason("source_empty")):
        plan_addition(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "letter.dcm").write_text("Dear colleague, " * 30)
    with pytest.raises(
        DataRefused, check=has_reason("source_without_dicom", why="1 files, 1 of them not DICOM")
    ):
        plan_addition(tmp_path / "in", tmp_path / "out")


def test_unsafe_archives(tmp_path: Path, make_series: MakeSeries) -> None:
    """An unsafe archive as the source refuses it; inside a folder it costs itself alone."""
    make_series(tmp_path / "in")
    with tarfile.open(tmp_path / "in" / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(DataRefused, check=has_reason("archive_refused", member="../evil")):
        plan_addition(tmp_path / "in" / "evil.tar", tmp_path / "out")
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert plan.series[0].action == "new"
    assert plan.problems[0].file == "evil.tar" and "climbs out" in plan.problems[0].reason


def test_a_source_that_changes_meanwhile_costs_its_series(
    tmp_path: Path, make_series: MakeSeries
) -> None:
    """A file that changed after planning is not stored; the rest is, and the next run adds it."""
    make_series(tmp_path / "in")
    (later,) = make_series(tmp_path / "in", slices=1, series="1.2.3.1.2")
    whole = later.read_bytes()
    options = AdditionOptions(salt="ab" * 32)
    with plan_addition(tmp_path / "in", tmp_path / "out", options) as plan:
        later.write_bytes(whole[:-1] + b"!")
        ((series, error),) = execute_addition(plan).failed
    assert series.series_uid == "1.2.3.1.2" and "changed after" in str(error)
    assert [row.n_instances for row in read_inventory(tmp_path / "out").series] == [3]
    later.write_bytes(whole)
    _add(tmp_path / "in", tmp_path / "out")
    _add(tmp_path / "in", tmp_path / "once", salt="ab" * 32)
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "once")


@pytest.mark.parametrize("killed_at", range(1, 9))
def test_a_killed_addition_is_finished_by_the_next(
    tmp_path: Path, make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """Wherever a run dies, half-written files are never listed, and a second run gives the same."""
    for patient in range(1, 3):
        folder = tmp_path / "in" / str(patient)
        make_series(folder, series=f"1.2.3.{patient}.1", PatientID=f"P{patient}")
    replacements = 0
    replace = os.replace

    def die_at_last(source: Path, target: Path) -> None:
        nonlocal replacements
        replacements += 1
        if replacements == killed_at:
            raise KeyboardInterrupt
        replace(source, target)

    options = AdditionOptions(salt="ab" * 32)
    with plan_addition(tmp_path / "in", tmp_path / "out", options) as plan:
        monkeypatch.setattr(os, "replace", die_at_last)
        with pytest.raises(KeyboardInterrupt):
            execute_addition(plan)
        monkeypatch.setattr(os, "replace", replace)
    for row in read_inventory(tmp_path / "out").series:
        assert len(list(read_series(tmp_path / "out" / row.file))) == row.n_instances
    _add(tmp_path / "in", tmp_path / "out", salt="ab" * 32)
    _add(tmp_path / "in", tmp_path / "once", salt="ab" * 32)
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "once")


def test_one_number_for_everybody(tmp_path: Path, make_series: MakeSeries) -> None:
    """An anonymous collection, one number for all, can be added under labels of its own."""
    make_series(tmp_path / "a", PatientID="ANON")
    make_series(tmp_path / "b", series="1.2.3.2.1", PatientID="ANON", PatientSex="M")
    _add(tmp_path / "a", tmp_path / "out", subject="a")
    other = _add(tmp_path / "b", tmp_path / "out", subject="b").series[0].reason
    require_reason(other, "patient_has_another_label", label="b")
    plan = _add(tmp_path / "b", tmp_path / "out", subject="b", separate_labels=True)
    assert plan.subjects[0].status == "accepted"
    assert [row.subject for row in read_inventory(tmp_path / "out").subjects] == ["a", "b"]


def test_two_patients_with_one_series_are_refused(tmp_path: Path, make_series: MakeSeries) -> None:
    """A series UID is one patient's; where two have it, both are refused."""
    make_series(tmp_path / "in")
    make_series(tmp_path / "in" / "b", PatientID="OTHER")
    plan = _add(tmp_path / "in", tmp_path / "out")
    assert [one.status for one in plan.subjects] == ["refused", "refused"]
    require_reason(plan.subjects[0].reason, "uid_of_several_patients", kind="series")


def test_real_mprage(shared_data: Path, tmp_path: Path) -> None:
    """The real MPRAGE's 192 slices become one series in slice order, bytes untouched."""
    source = shared_data / "mr_siemens_mprage_sag" / "dicoms.tar.xz"
    plan = _add(source, tmp_path / "out")
    assert [(one.n_total, one.header["SeriesDescription"]) for one in plan.series] == [
        (192, "SAG MPRAGE 220 FOV")
    ]
    datasets = open_datasets(tmp_path / "out" / plan.series[0].file)
    assert [int(one.InstanceNumber) for one in datasets] == list(range(1, 193))
