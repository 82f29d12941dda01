"""Names from outside that become paths: no control characters, no marks of direction, and short."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.cohorts import parse_card
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.intake.archives import UnpackBudget, UnpackLimits, unpack
from cta_data.intake.discover import discover
from cta_data.intake.plain_files import FilePlace
from cta_data.intake.pseudonyms import check_label
from cta_data.names import hidden_character, require_short_dataset, shown
from cta_data.study.creation import create_study
from cta_data.training.nnunet.archive import import_model
from cta_data.training.predict_folder import folder_content

HIDDEN = {
    "line feed": "a\nb",
    "tab": "a\tb",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "line separator": "a\u2028b",
    "right-to-left override": "a\u202eb",
    "isolate": "a\u2066b",
    "no UTF-8": "a\udcffb",
}
hidden = pytest.mark.parametrize("name", HIDDEN.values(), ids=HIDDEN)


@hidden
def test_what_misleads_is_found_and_shown(name: str) -> None:
    """The character is named by its number, and shown as an escape that any terminal takes."""
    assert hidden_character(name) == f"U+{ord(name[1]):04X}"
    assert shown(name).isprintable() and shown(name) != name


@pytest.mark.parametrize(
    "name", ["Müller 3", "患者", "а́", "a\u200db", "a\u00a0b", "été.nii.gz", "💡"]
)
def test_what_people_write_is_taken(name: str) -> None:
    """Letters of all scripts, with what joins them, blanks, and signs."""
    assert not hidden_character(name) and shown(name) == name


@hidden
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_with_such_a_name_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    """Before anything of it is kept."""
    archive = tmp_path / f"a.{kind}"
    member = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not hidden_character(member):
        pytest.skip("archives of this form hold text alone")
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr(member, b"x")
    else:
        with tarfile.open(archive, "w") as packed:
            packed.addfile(tarfile.TarInfo(member), io.BytesIO())
    with pytest.raises(DataRefused, check=has_reason("archive_refused")):
        unpack(archive, tmp_path / "out", UnpackBudget(UnpackLimits()), name="it")
    assert not (tmp_path / "out").exists()


@hidden
@pytest.mark.parametrize("place", ["top", "fold"])
def test_a_model_archive_with_such_a_name_is_refused(tmp_path: Path, name: str, place: str) -> None:
    """The name of a model stands in every later list of the study."""
    if "\udcff" in name:
        pytest.skip("a zip holds text alone")
    top, fold = (name, "0") if place == "top" else ("Dataset1_A", name)
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as packed:
        packed.writestr(f"{top}/T__P__C/fold_{fold}/checkpoint_final.pth", b"")
    with pytest.raises(DataRefused, check=has_reason("model_archive_unsafe")):
        import_model(tmp_path / "m.zip", tmp_path / "results")
    assert not (tmp_path / "results").exists()


@hidden
def test_a_source_file_with_such_a_name_costs_its_own_subject(tmp_path: Path, name: str) -> None:
    """Known by its path it is a fault of that subject; a table of the cohort is not read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    try:
        (tmp_path / "in" / f"{name}.nii").write_bytes(b"x")
        (tmp_path / "in" / f"{name}.tsv").write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such name")

    def recognise(path: str) -> FilePlace:
        if path.endswith(".tsv"):
            return FilePlace("cohort", path)
        return FilePlace("subject", path, series=path, subject=path[:3], container="NIFTI")

    budget = UnpackBudget(UnpackLimits())
    found = discover(tmp_path / "in", tmp_path / "work", budget, (), recognise)
    [instance] = found.instances
    assert "in its name" in instance.fault and not found.cohort_files
    shown_texts = (instance.name, instance.sop_uid, instance.series_uid, instance.patient_id)
    assert not any(map(hidden_character, shown_texts))
    assert len(found.problems) == 2


@hidden
def test_a_study_is_not_made_under_such_a_name(tmp_path: Path, name: str) -> None:
    """Neither as its folder nor as its name."""
    for folder, called in ((tmp_path / name, "study"), (tmp_path / "study", name)):
        with pytest.raises(ConfigurationError, check=has_reason("name_has_control_character")):
            create_study(folder, called, ())
        assert not folder.exists()


@hidden
def test_labels_and_cohorts_have_no_such_name(name: str) -> None:
    """Nor a line break at their end, which a pattern's `$` would let pass."""
    card = '[cohort]\nname = {}\ntitle = ""\nlicence = ""\naccess = "public"\nhow_to_get = ""\n'
    for wrong in (name, "ok\n"):
        with pytest.raises(ConfigurationError):
            check_label(wrong)
        if "\udcff" not in wrong:
            quoted = '"' + "".join(f"\\u{ord(c):04X}" for c in wrong) + '"'
            with pytest.raises(ConfigurationError, check=has_reason("settings_invalid")):
                parse_card(card.format(quoted), wrong, "card.toml")


@hidden
def test_an_image_with_such_a_name_is_not_predicted(tmp_path: Path, name: str) -> None:
    """Its prediction would carry the name; it is listed with the reason, the others go on."""
    try:
        (tmp_path / f"{name}.nii.gz").touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    (tmp_path / "good.nii.gz").touch()
    content = folder_content(tmp_path)
    assert list(content.cases) == ["good"]
    [told] = content.unreadable
    assert not hidden_character(told)


def test_a_label_ends_at_64_characters() -> None:
    """Names of files are made of several labels, and end at 255 bytes."""
    assert check_label("a" * 64) == "a" * 64
    with pytest.raises(ConfigurationError, check=has_reason("label_invalid")):
        check_label("a" * 65)


def test_a_study_whose_datasets_git_annex_could_not_open_is_refused(tmp_path: Path) -> None:
    """Its databases lie below; without them git-annex waits for ever, or fails."""
    deep = tmp_path.joinpath(*["d" * 100] * 4)
    with pytest.raises(
        ConfigurationError, check=has_reason("dataset_path_too_long", longest_dataset_path=460)
    ):
        create_study(deep / ("e" * 60), "deep", ())
    assert not deep.exists()
    require_short_dataset(Path("/") / ("d" * 459))
    with pytest.raises(ConfigurationError):
        require_short_dataset(Path("/") / ("d" * 460))
    with pytest.raises(ConfigurationError):  # the limit is one of bytes
        require_short_dataset(Path("/") / ("é" * 230))
