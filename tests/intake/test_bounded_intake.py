"""Sources that are small and unpack to much, or that were cut off: what is refused, and alone."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from helpers.refusals import has_reason
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cta_data.errors import DataRefused
from cta_data.intake import AdditionOptions, headers, plan_addition
from cta_data.intake.archives import UnpackBudget, UnpackLimits, is_archive, unpack
from cta_data.intake.discover import discover
from cta_data.intake.plain_files import FilePlace
from cta_data.size_limit import VARIABLE

MEBIBYTE = 1 << 20
BOMB = bytes(64 * MEBIBYTE)


def unpacked(archive: Path, **limits: int) -> list[str]:
    budget = UnpackBudget(UnpackLimits(**limits))
    return [one.name for one in unpack(archive, archive.parent / "out", budget, name="it")]


def peak_mib() -> float:
    return tracemalloc.get_traced_memory()[1] / MEBIBYTE


@pytest.fixture()
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_a_link_of_a_zip_is_as_long_as_a_path(tmp_path: Path) -> None:
    """A link's target is content as well: it counts, and 64 MB of it are not read."""
    link = zipfile.ZipInfo("link")
    link.external_attr, link.compress_type = 0o120777 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(link, BOMB)
    tracemalloc.reset_peak()
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        unpacked(tmp_path / "a.zip")
    assert peak_mib() < 4


@pytest.mark.usefixtures("traced")
def test_a_zip_with_bzip2_is_refused(tmp_path: Path) -> None:
    """Its few bytes may be anything: they are inflated all at once."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as packed:
        packed.writestr("zeros", BOMB)
    content = (tmp_path / "a.zip").read_bytes()
    lying = content.replace(struct.pack("<I", len(BOMB)), struct.pack("<I", 1000))
    (tmp_path / "a.zip").write_bytes(lying)
    tracemalloc.reset_peak()
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        unpacked(tmp_path / "a.zip")
    assert peak_mib() < 4


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_the_name_of_a_tar_s_member_is_no_content(tmp_path: Path, kind: bytes) -> None:
    """tarfile reads long names as the archive says; 64 MB of them are refused unread."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, len(BOMB)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + BOMB))
    tracemalloc.reset_peak()
    assert not is_archive(archive)
    with pytest.raises(DataRefused, check=has_reason("archive_truncated")):
        unpacked(archive)
    assert peak_mib() < 4


def tar_of(*names: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 700
            packed.addfile(member, io.BytesIO(bytes(700)))
    return stream.getvalue()


TAR = tar_of("a", "b")
PACKED = gzip.compress(TAR)
SECOND = 512 + 1024  # where the second member's header begins


@pytest.mark.parametrize(
    "content",
    [
        PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:],
        PACKED[:-4],
        PACKED[:-8],
        gzip.compress(TAR[: SECOND + 100]),
        gzip.compress(TAR[:SECOND]),
        TAR[:SECOND],
        TAR[: SECOND + 100],
        TAR[:SECOND] + b"\xff" * 512 + TAR[SECOND + 512 :],
        bz2.compress(TAR)[:-4],
    ],
    ids=[
        "checksum",
        "trailer cut",
        "no trailer",
        "in a header, packed",
        "between members, packed",
        "between members",
        "in a header",
        "damaged header",
        "bzip2",
    ],
)
def test_an_archive_that_is_cut_off_or_damaged_anywhere_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    """Without its end nobody knows which members are missing; a wrong checksum is damage."""
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataRefused) as caught:
        unpacked(tmp_path / "a.tar")
    assert caught.value.code in ("archive_truncated", "compressed_file_truncated")


@pytest.mark.parametrize(
    "content",
    [TAR, PACKED, bz2.compress(TAR), TAR[: 2 * SECOND + 512]],
    ids=["plain", "gzip", "bzip2", "one block"],
)
def test_a_whole_one_is_not(tmp_path: Path, content: bytes) -> None:
    """Packed or not, with much padding behind its end or one block of it."""
    (tmp_path / "a.tar").write_bytes(content)
    assert unpacked(tmp_path / "a.tar") == ["a", "b"]


def test_what_follows_the_end_counts(tmp_path: Path) -> None:
    """Zeros without end behind the last member are no way around the limit."""
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(TAR + BOMB))
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        unpacked(tmp_path / "a.tar.gz", total_bytes=32 * MEBIBYTE)


def test_many_archives_share_one_limit(tmp_path: Path, make_dicom) -> None:
    """Each is small enough, and all together are not: the first are read, the rest refused."""
    (tmp_path / "in").mkdir()
    for number in range(4):
        with zipfile.ZipFile(tmp_path / f"in/{number}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("zeros", bytes(MEBIBYTE))
            packed.writestr("image.dcm", make_dicom(number + 1))
    (tmp_path / "work").mkdir()
    budget = UnpackBudget(UnpackLimits(total_bytes=5 * MEBIBYTE // 2))
    found = discover(tmp_path / "in", tmp_path / "work", budget, ())
    assert len(found.instances) == 2
    assert [problem.file for problem in found.problems] == ["2.zip", "3.zip"]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("deflated", [False, True])
def test_a_dicom_file_above_the_limit_is_a_fault_of_its_own_subject(
    tmp_path: Path,
    make_dicom,
    monkeypatch: pytest.MonkeyPatch,
    deflated: bool,
) -> None:
    """Its header says whose it is: that subject is refused with the reason, another is taken in."""
    (tmp_path / "in").mkdir()
    good = make_dicom(1, series="1.2.9.1", PatientID="OTHER")
    (tmp_path / "in" / "good.dcm").write_bytes(good)
    path = tmp_path / "in" / "large.dcm"
    if deflated:
        syntax = DeflatedExplicitVRLittleEndian
        path.write_bytes(make_dicom(2, PixelData=BOMB, TransferSyntaxUID=syntax))
    else:
        path.write_bytes(make_dicom(2))
        os.truncate(path, 1 << 34)
    monkeypatch.setenv(VARIABLE, str(4 / 1024))
    tracemalloc.reset_peak()
    with plan_addition(tmp_path / "in", tmp_path / "sourcedata", AdditionOptions()) as plan:
        refused = {row.action: row.reason for row in plan.series}
        assert VARIABLE in str(refused["refuse"]) and refused["new"] is None
    assert peak_mib() < 60


def test_a_plain_file_above_the_limit_is_a_fault_of_its_own_subject(tmp_path: Path) -> None:
    """Its path says whose it is; a table of the cohort is refused by itself."""
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    for name in ("image.nii", "table.tsv"):
        (tmp_path / "in" / name).touch()
        os.truncate(tmp_path / "in" / name, 1 << 40)

    def recognise(name: str) -> FilePlace:
        image = name == "image.nii"
        return FilePlace("subject" if image else "cohort", name, container="NIFTI", subject="P1")

    found = discover(
        tmp_path / "in", tmp_path / "work", UnpackBudget(UnpackLimits()), (), recognise
    )
    [instance] = found.instances
    assert instance.patient_id == "P1" and VARIABLE in instance.fault
    assert [problem.file for problem in found.problems] == ["image.nii", "table.tsv"]


@pytest.mark.parametrize("error", [MemoryError, RecursionError, OverflowError])
def test_a_file_that_cannot_be_read_here_costs_itself(
    tmp_path: Path,
    make_dicom,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """Whatever one file asks of Python, the next one is read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    for number in (1, 2):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(make_dicom(number))
    whole = headers.read_instance

    def read(path: Path, name: str, attributes: tuple[str, ...]):
        if name == "1.dcm":
            raise error
        return whole(path, name, attributes)

    monkeypatch.setattr(headers, "read_instance", read)
    found = discover(tmp_path / "in", tmp_path / "work", UnpackBudget(UnpackLimits()), ())
    assert [one.name for one in found.instances] == ["2.dcm"]
    [problem] = found.problems
    assert problem.file == "1.dcm" and error.__name__ in problem.reason
    assert found.counts["unreadable"] == 1 and found.counts["files"] == 2


def test_a_zip_whose_list_of_members_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    """The record at its end says that there is nothing, and there is."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("image", b"x")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content[:-18] + bytes(18))
    with pytest.raises(DataRefused, check=has_reason("archive_truncated")):
        unpacked(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert unpacked(tmp_path / "empty.zip") == []
