"""Archives are unpacked safely, or refused with nothing left behind."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.intake.archives import UnpackBudget, UnpackLimits, is_archive, unpack


def _tar(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def _unpack(archive: Path, limits: UnpackLimits | None = None) -> list[str]:
    budget = UnpackBudget(limits or UnpackLimits())
    return [one.name for one in unpack(archive, archive.parent / "out", budget, name=archive.name)]


@pytest.mark.parametrize(
    "member",
    [
        _member("/etc/evil"),
        _member("../evil"),
        _member("a/../../evil"),
        _member("a\\..\\..\\evil"),
        _member("C:\\evil"),
        _member("link", tarfile.SYMTYPE, "../../outside"),
        _member("link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("a/link", tarfile.LNKTYPE, "../outside"),
        _member("device", tarfile.CHRTYPE),
        _member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name}->{member.linkname}",
)
def test_an_unsafe_tar_is_refused_by_its_member_and_leaves_nothing(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    """An unsafe member refuses the archive, is named, and the files before it are gone too."""
    archive = _tar(tmp_path / "a.tar", _member("good", size=3), member)
    with pytest.raises(DataRefused) as refused:
        _unpack(archive)
    assert repr(member.name) in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize(("name", "target"), [("../evil", ""), ("/evil", ""), ("link", "../../x")])
def test_an_unsafe_zip_is_refused(tmp_path: Path, name: str, target: str) -> None:
    """Climbing and absolute names and links out are refused in zips as in tars."""
    info = zipfile.ZipInfo(name)
    if target:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(info, target or "x")
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        _unpack(tmp_path / "a.zip")
    assert not (tmp_path / "out").exists()


def test_the_size_limit_holds_for_declared_and_for_real_sizes(tmp_path: Path) -> None:
    """An archive above the limit of bytes or members is refused before the disk fills."""
    archive = _tar(tmp_path / "a.tar", _member("a", size=600), _member("b", size=600))
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        _unpack(archive, UnpackLimits(total_bytes=1000))
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        _unpack(archive, UnpackLimits(members=1))


def test_a_compression_bomb_is_refused(tmp_path: Path) -> None:
    """A file that unpacks to many times the archive's size is refused."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("bomb", bytes(4_000_000))
    with pytest.raises(DataRefused, check=has_reason("archive_refused", member="bomb")):
        _unpack(tmp_path / "a.zip", UnpackLimits(ratio=100, ratio_floor_bytes=1_000_000))


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    """A tar cut short is refused, and says so."""
    whole = _tar(tmp_path / "a.tgz", _member("a", size=200_000), mode="w:gz").read_bytes()
    (tmp_path / "a.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataRefused, check=has_reason("archive_truncated")):
        _unpack(tmp_path / "a.tgz")


@pytest.mark.parametrize("name", [b"P1/image.d/c", b"P1/\0mage.dic"])
def test_a_file_that_is_named_as_a_folder_is_not_lost(tmp_path: Path, name: bytes) -> None:
    """A damaged name in a zip's list: its file is no folder, and none of the name before a NUL."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("P1/image.dic", b"x" * 30)
    content = (tmp_path / "a.zip").read_bytes()
    damaged = name if b"\0" in name else name[:-1] + b"/"
    (tmp_path / "a.zip").write_bytes(content.replace(b"P1/image.dic", damaged))
    with pytest.raises(DataRefused):
        _unpack(tmp_path / "a.zip")


def test_two_members_of_one_name_are_both_kept(tmp_path: Path) -> None:
    """A tar may hold a name twice; neither file is lost."""
    archive = _tar(tmp_path / "a.tar", _member("a", size=1), _member("a", size=2))
    assert _unpack(archive) == ["a", "a"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_tars_are_known_by_content(tmp_path: Path, mode: str) -> None:
    """Every compression is recognised without an extension, and a mere .gz is no archive."""
    assert is_archive(_tar(tmp_path / "thing", _member("a", size=9), mode=mode))
    (tmp_path / "image.nii.gz").write_bytes(gzip.compress(b"not a tar" * 200))
    assert not is_archive(tmp_path / "image.nii.gz")


@pytest.mark.parametrize(
    ("mode", "name"), [("w:bz2", "a.tar.bz2"), ("w:xz", "a.TXZ"), ("w:gz", "a.tgz")]
)
def test_a_tar_that_is_cut_off_at_its_start_is_known_by_its_name(
    tmp_path: Path, mode: str, name: str
) -> None:
    """Not a byte of it can be had: it is a damaged archive, and not a file of another kind."""
    archive = _tar(tmp_path / "thing", _member("a", size=9), mode=mode)
    archive.write_bytes(archive.read_bytes()[:20])
    assert not is_archive(archive)
    assert is_archive(archive, f"export/{name}")
    with pytest.raises(DataRefused, check=has_reason("archive_truncated")):
        _unpack(archive)


@given(content=st.binary(max_size=400))
def test_no_bytes_confuse_the_recognition(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Any bytes get a yes or no; a yes unpacks or is refused, and never fails otherwise."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "a").write_bytes(b"PK\x03\x04" + content)
    assert is_archive(folder / "a")
    with pytest.raises(DataRefused):
        _unpack(folder / "a")


def zip_of(path: Path, *names: str) -> Path:
    """A zip as programs on Windows write it: the names as they stand here."""
    with zipfile.ZipFile(path, "w") as zipped:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            zipped.writestr(info, "" if name.endswith("\\") else "x")
    return path


def test_backslashes_in_a_zip_are_slashes(tmp_path: Path) -> None:
    """Folders and files are what they were, so that rules on paths know them."""
    names = ("Mets_001\\", "Mets_001\\0\\12.png", "Mets_001/0/13.png")
    assert _unpack(zip_of(tmp_path / "a.zip", *names)) == ["Mets_001/0/12.png", "Mets_001/0/13.png"]


@pytest.mark.parametrize("name", ["..\\x", "a\\..\\..\\x", "C:\\x", "\\x", "\\\\host\\share\\x"])
def test_backslashes_lead_out_of_no_folder(tmp_path: Path, name: str) -> None:
    """The same guards hold as for slashes."""
    with pytest.raises(DataRefused):
        _unpack(zip_of(tmp_path / "a.zip", name))
