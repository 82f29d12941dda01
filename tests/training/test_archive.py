"""Models come and go as zip archives; an archive of somewhere else is data, not code."""

from __future__ import annotations

import json
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.checkpoint_files import NEEDS_TRAINING, Malicious, write_checkpoint
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.study.layout import CHECKPOINT
from cta_data.training.nnunet.archive import export_model, import_model

pytestmark = NEEDS_TRAINING

TOP = "Dataset502_CTAB/nnUNetTrainer__nnUNetPlans__3d_fullres"
Entries = dict[str, bytes]


def write_model(folder: Path, folds: tuple[str, ...] = ("0", "1")) -> Path:
    """Write a model's folder as a training leaves it."""
    folder.mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "dataset_fingerprint.json"):
        (folder / name).write_text(json.dumps({"name": name}), "utf-8")
    for number, fold in enumerate(folds):
        own = folder / f"fold_{fold}"
        write_checkpoint(own / CHECKPOINT, seed=number)
        (own / "validation").mkdir()
        (own / "validation" / "summary.json").write_text("{}", "utf-8")
        (own / "validation" / "patient.nii.gz").write_bytes(b"a patient")
        (own / "progress.png").write_bytes(b"picture")
        (own / "card.json").write_text("{}", "utf-8")
    results = folder / f"crossval_results_folds_{'_'.join(folds)}"
    results.mkdir()
    (results / "postprocessing.json").write_text('{"postprocessing_fns": []}', "utf-8")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="module")
def entries(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Entries:
    """What an archive of the model holds."""
    archive = tmp_path_factory.mktemp("zip") / "m.zip"
    export_model(model, TOP, ["0", "1"], archive)
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture()
def packed(tmp_path: Path) -> Callable[[Entries], Path]:
    """Write entries to an archive."""

    def pack(content: Entries) -> Path:
        path = tmp_path / "given.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, value in content.items():
                # As it is: `writestr` alone would tidy the name.
                entry = zipfile.ZipInfo("x")
                entry.filename = name
                entry.compress_type = zipfile.ZIP_DEFLATED
                made.writestr(entry, value)
        return path

    return pack


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content; a link would be one with its target."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() or path.is_symlink()
    }


def refused(archive: Path, folder: Path) -> DataRefused:
    """Import an archive that must be refused without a trace; return the error."""
    results = folder / "results"
    results.mkdir()
    before = files(folder)
    with pytest.raises(DataRefused) as caught:
        import_model(archive, results)
    assert files(folder) == before
    assert not list(results.iterdir())
    return caught.value


def test_a_model_comes_back_as_it_went(model: Path, tmp_path: Path) -> None:
    """What is exported is imported bit for bit: weights, plans, metrics, and no patient."""
    archive = tmp_path / "model.zip"
    held = export_model(model, TOP, ["0", "1"], archive)
    taken = import_model(archive, tmp_path / "results")
    assert (taken.folder, taken.folds, taken.skipped) == (TOP, ("0", "1"), ())
    back = files(tmp_path / "results" / TOP)
    assert back.keys() == set(held)
    assert back == {name: (model / name).read_bytes() for name in held}
    assert not any(name.endswith(".nii.gz") for name in held)
    assert f"fold_1/{CHECKPOINT}" in held
    assert "crossval_results_folds_0_1/postprocessing.json" in held


def test_the_same_model_makes_the_same_archive(model: Path, tmp_path: Path) -> None:
    """Two exports are equal bytes, and nothing is left beside them."""
    for name in ("a.zip", "b.zip"):
        export_model(model, TOP, ["0", "1"], tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "b.zip"}


def test_one_fold_is_exported_alone(model: Path, tmp_path: Path) -> None:
    """Of a model with two folds, the archive of one holds nothing of the other."""
    held = export_model(model, TOP, ["1"], tmp_path / "one.zip")
    assert not any("fold_0" in name or "folds_0" in name for name in held)
    assert import_model(tmp_path / "one.zip", tmp_path / "r").folds == ("1",)


def test_no_damaged_model_is_exported(tmp_path: Path) -> None:
    """A fold whose checkpoint is cut off stops the export, and no archive is there."""
    model = write_model(tmp_path / "m")
    path = model / "fold_1" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataRefused, check=has_reason("checkpoint_unreadable")):
        export_model(model, TOP, ["0", "1"], tmp_path / "model.zip")
    assert {one.name for one in tmp_path.iterdir()} == {"m"}


def test_nnunet_installs_what_is_exported(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nnU-Net's own command unpacks the archive into its folder of results."""
    from nnunetv2.model_sharing.model_import import install_model_from_zip_file

    export_model(model, TOP, ["0", "1"], tmp_path / "model.zip")
    (tmp_path / "results").mkdir()
    monkeypatch.setenv("nnUNet_results", str(tmp_path / "results"))
    install_model_from_zip_file(str(tmp_path / "model.zip"))
    own = tmp_path / "results" / TOP / "fold_0" / CHECKPOINT
    assert own.read_bytes() == (model / "fold_0" / CHECKPOINT).read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        f"{TOP}/../../../outside.json",
        f"{TOP}/fold_0/../../../../outside.json",
        "/tmp/cta-absolute.json",
        "//server/share.json",
        "..\\outside.json",
        f"{TOP}\\..\\..\\..\\outside.json",
        "C:\\outside.json",
        "C:/outside.json",
    ],
)
def test_no_name_leads_out_of_the_folder(
    entries: Entries, packed: Callable, tmp_path: Path, name: str
) -> None:
    """A name with `..`, from the root or of a drive is refused before anything is written."""
    error = refused(packed({**entries, name: b"{}"}), tmp_path)
    assert error.what == "the archive is not safe"
    assert name in error.why.replace("\\\\", "\\")
    assert not Path("/tmp/cta-absolute.json").exists()


def test_a_link_in_an_archive_is_never_made(entries: Entries, tmp_path: Path) -> None:
    """A symbolic link leads nowhere: what comes of it is a plain file or a refusal."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "plans.json").write_text("{}", "utf-8")
    path = tmp_path / "given.zip"
    link = zipfile.ZipInfo(f"{TOP}/fold_0/card.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    through = zipfile.ZipInfo(f"{TOP}/fold_0/card.json/plans.json")
    with zipfile.ZipFile(path, "w") as made:
        for name, value in entries.items():
            if name != link.filename:
                made.writestr(name, value)
        made.writestr(link, str(tmp_path / "secret"))
    import_model(path, tmp_path / "results")
    assert not [one for one in (tmp_path / "results").rglob("*") if one.is_symlink()]
    with zipfile.ZipFile(path, "a") as made:
        made.writestr(through, b"changed")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataRefused):
        import_model(path, tmp_path / "other")
    assert (tmp_path / "secret" / "plans.json").read_text("utf-8") == "{}"
    assert not list((tmp_path / "other").iterdir())


def test_a_pickle_is_left_out_and_told(entries: Entries, packed: Callable, tmp_path: Path) -> None:
    """nnU-Net's postprocessing.pkl, scripts and images stay in the archive, and are named."""
    target = tmp_path / "written"
    extra = {
        f"{TOP}/crossval_results_folds_0_1/postprocessing.pkl": pickle.dumps(Malicious(target)),
        f"{TOP}/fold_0/setup.py": b"raise SystemExit",
        f"{TOP}/fold_0/validation/patient.nii.gz": b"a patient",
        f"{TOP}/.git/config.json": b"{}",
        f"__MACOSX/{TOP}/._plans.json": b"{}",
    }
    taken = import_model(packed({**entries, **extra}), tmp_path / "results")
    assert set(taken.skipped) == set(extra)
    assert files(tmp_path / "results" / TOP).keys() == {n[len(TOP) + 1 :] for n in entries}
    assert not target.exists()


@pytest.mark.parametrize("name", [CHECKPOINT, "checkpoint_best.pth", "deep/er/weights.pth"])
def test_a_checkpoint_with_code_is_not_taken(
    entries: Entries, packed: Callable, tmp_path: Path, name: str
) -> None:
    """Whichever checkpoint holds code, all is refused: nnU-Net would execute any of them."""
    target = tmp_path / "written"
    bad = write_checkpoint(tmp_path / "bad.pth", logging=Malicious(target)).read_bytes()
    error = refused(packed({**entries, f"{TOP}/fold_1/{name}": bad}), tmp_path)
    assert "more than weights" in error.what
    assert not target.exists()


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.98])
def test_a_truncated_archive_is_refused(
    entries: Entries, packed: Callable, tmp_path: Path, kept: float
) -> None:
    """An archive that was cut off says that it cannot be read."""
    path = packed(entries)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    error = refused(path, tmp_path)
    assert error.what == "the archive cannot be read"
    assert error.next_step


@pytest.mark.parametrize("what", ["stream", "method", "encrypted", "checksum"])
def test_an_archive_damaged_inside_is_refused(
    entries: Entries, packed: Callable, tmp_path: Path, what: str
) -> None:
    """A broken stream, checksum, unknown compression or a password: a refusal, nothing left."""
    path = packed(entries)
    content = bytearray(path.read_bytes())
    start = 0
    central = int.from_bytes(content[-6:-2], "little")
    data = start + 30 + content[start + 26] + content[start + 28]
    if what == "stream":
        content[data : data + 4] = b"\xff\xff\xff\xff"
    elif what == "checksum":
        content[central + 16] ^= 0xFF
    elif what == "method":
        content[start + 8] = content[central + 10] = 99
    else:
        content[start + 6] |= 1
        content[central + 8] |= 1
    path.write_bytes(bytes(content))
    assert refused(path, tmp_path).what == "the archive cannot be read"


def test_an_archive_that_would_fill_the_disk_is_refused(entries: Entries, tmp_path: Path) -> None:
    """An archive that states more than 64 GiB unpacked is refused before it is unpacked."""
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, value in entries.items():
            made.writestr(name, value)
        made.writestr(f"{TOP}/fold_0/big.json", bytes(1000))
        made.filelist[-1].file_size = 65 << 30
    assert "64 GiB" in refused(path, tmp_path).what


def test_an_entry_is_no_larger_than_it_states(entries: Entries, tmp_path: Path) -> None:
    """An entry that unpacks to more than its stated size is refused, not written on and on."""
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, value in entries.items():
            made.writestr(name, value)
        made.writestr(f"{TOP}/fold_0/big.json", bytes(10_000_000))
        made.filelist[-1].file_size = 10
    assert refused(path, tmp_path).what == "the archive cannot be read"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plans.json", b"not json"),
        ("plans.json", b"[]"),
        ("dataset.json", b"\xff\xfe"),
        ("dataset.json", None),
        ("plans.json", None),
    ],
)
def test_a_model_without_usable_plans_is_refused(
    entries: Entries, packed: Callable, tmp_path: Path, name: str, value: bytes | None
) -> None:
    """Plans or the data set's description that lack or are no mapping: not whole, and named."""
    changed = {**entries, f"{TOP}/{name}": value}
    error = refused(packed({k: v for k, v in changed.items() if v is not None}), tmp_path)
    assert error.what == "the model is incomplete"
    assert error.where == f"given.zip: {name}"


def test_an_archive_of_two_models_or_none_is_refused(
    entries: Entries, packed: Callable, tmp_path: Path
) -> None:
    """One archive is one model: which of two was meant is not guessed."""
    other = {name.replace("Dataset502_CTAB", "Dataset503_CTAC"): v for name, v in entries.items()}
    (tmp_path / "two").mkdir()
    error = refused(packed({**entries, **other}), tmp_path / "two")
    assert "2 models" in error.why
    (tmp_path / "none").mkdir()
    error = refused(packed({f"{TOP}/plans.json": b"{}"}), tmp_path / "none")
    assert CHECKPOINT in error.why


@pytest.mark.parametrize("name", [".", "./", "", "/"])
def test_names_that_are_no_names_are_no_crash(
    entries: Entries, packed: Callable, tmp_path: Path, name: str
) -> None:
    """An entry for the folder itself, as some programs write it, is passed over or refused."""
    path = packed({name: b"", **entries})
    try:
        taken = import_model(path, tmp_path / "results")
    except DataRefused as error:
        assert error.where == "given.zip"
        assert not (tmp_path / "results").exists()
    else:
        assert taken.folder == TOP


@pytest.mark.parametrize("top", [".git/annex", ".datalad/x", "Dataset502_CTAB/.git"])
def test_a_hidden_folder_is_never_written_to(
    entries: Entries, packed: Callable, tmp_path: Path, top: str
) -> None:
    """Models lie in a git repository: an archive cannot place files in its `.git`."""
    moved = {name.replace(TOP, top): value for name, value in entries.items()}
    error = refused(packed(moved), tmp_path)
    assert error.what == "the archive is not safe"


def test_a_model_that_is_there_is_not_replaced(
    entries: Entries, packed: Callable, tmp_path: Path
) -> None:
    """An archive never changes a model of the same name."""
    path = packed(entries)
    import_model(path, tmp_path / "results")
    before = files(tmp_path / "results")
    with pytest.raises(DataRefused, check=has_reason("model_exists")):
        import_model(path, tmp_path / "results")
    assert files(tmp_path / "results") == before
