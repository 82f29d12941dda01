"""Exchange models with any nnU-Net: zip archives in the form that its own commands take.

An archive of somewhere else is data, not code: names are checked before a file is written, and
checkpoints are read without executing anything.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cta_data.errors import DataRefused
from cta_data.files import read_json_object, written_whole
from cta_data.names import hidden_character, shown
from cta_data.study.layout import CHECKPOINT
from cta_data.training.nnunet.checkpoints import read_checkpoint

_SHARED = ("plans.json", "dataset.json", "dataset_fingerprint.json")
_OF_FOLD = (CHECKPOINT, "progress.png", "card.json", "curves.png", "validation/summary.json")
_TIME = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES = 64 << 30
_TAKEN = (".json", ".pth", ".png")
"""What is taken from an archive: no pickle (nnU-Net's postprocessing.pkl is one)."""
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression that is not known here
)


@dataclass(frozen=True)
class Archived:
    """A model in an archive: its folder as nnU-Net has it, and its folds."""

    folder: str
    folds: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def export_model(model: Path, folder: str, folds: Sequence[str], archive: Path) -> list[str]:
    """Write a model as `nnUNetv2_export_model_to_zip` does; same model, same bytes.

    Parameters
    ----------
    model
        Folder with plans.json, dataset.json and `fold_<name>`.
    folder
        Its path in the archive: `Dataset…/<trainer>__<plans>__<configuration>`.

    Returns
    -------
    list
        What the archive holds.

    Raises
    ------
    DataRefused
        A fold has no checkpoint, or one that cannot be read.
    """
    names = list(_SHARED)
    for fold in folds:
        read_checkpoint(model / f"fold_{fold}" / CHECKPOINT)
        names += [f"fold_{fold}/{name}" for name in _OF_FOLD]
    chosen = f"crossval_results_folds_{'_'.join(folds)}"
    names += [f"{chosen}/{name}" for name in ("summary.json", "postprocessing.json", "card.json")]
    there = [name for name in names if (model / name).is_file()]
    with (
        written_whole(archive) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for name in there:
            entry = zipfile.ZipInfo(f"{folder}/{name}", _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            opened = packed.open(entry, "w", force_zip64=True)
            with opened as target, open(model / name, "rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    return there


def import_model(archive: Path, results: Path) -> Archived:
    """Unpack a model of any nnU-Net below a folder of results.

    Raises
    ------
    DataRefused
        It is no archive of one model, a name leads out of the folder, or a checkpoint is damaged
        or holds more than weights. Nothing of it was executed, and nothing is left.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = list(_checked(packed, archive))
            top, folds = _model_in(entries, archive)
            target = results / top
            if target.exists():
                raise DataRefused("model_exists", where=top)
            part = results / ".import.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                taken = [entry for entry in entries if _is_taken(entry.filename, top)]
                for entry in taken:
                    _unpack(packed, entry, part / entry.filename)
                _check_model(part / top, archive.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                (part / top).rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except _UNREADABLE as error:
        raise DataRefused(
            "model_archive_unreadable",
            where=archive.name,
            error_type=type(error).__name__,
            error=error,
        ) from error
    kept = {entry.filename for entry in taken}
    skipped = tuple(sorted(entry.filename for entry in entries if entry.filename not in kept))
    return Archived(top, folds, skipped)


def _checked(packed: zipfile.ZipFile, archive: Path) -> Iterator[zipfile.ZipInfo]:
    total = 0
    for entry in packed.infolist():
        hidden = hidden_character(entry.filename)
        if hidden:
            why = f"{shown(entry.filename)!r} has the character {hidden} in its name"
            raise DataRefused("model_archive_unsafe", where=archive.name, why=why)
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            why = f"{entry.filename!r} leads out of the folder"
            raise DataRefused("model_archive_unsafe", where=archive.name, why=why)
        total += entry.file_size
        if total > _MOST_BYTES:
            raise DataRefused("model_archive_too_large", where=archive.name)
        if path.parts and not entry.is_dir():
            yield entry


def _model_in(entries: list[zipfile.ZipInfo], archive: Path) -> tuple[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        if len(parts) == 4 and parts[2].startswith("fold_") and parts[3] == CHECKPOINT:
            found.setdefault("/".join(parts[:2]), []).append(parts[2].removeprefix("fold_"))
    if len(found) != 1:
        why = f"it holds {len(found)} models" if found else f"no <model>/fold_…/{CHECKPOINT} in it"
        raise DataRefused("not_a_model_archive", where=archive.name, why=why)
    [(top, folds)] = found.items()
    if _is_hidden(top):
        why = f"{top!r} is a hidden folder, as git and DataLad have them"
        raise DataRefused("model_archive_unsafe", where=archive.name, why=why)
    return top, tuple(sorted(folds))


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def _is_taken(name: str, top: str) -> bool:
    path = PurePosixPath(name)
    return path.is_relative_to(top) and not _is_hidden(name) and name.endswith(_TAKEN)


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(entry) as source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _check_model(folder: Path, archive: str) -> None:
    for name in _SHARED[:2]:
        try:
            read_json_object(folder / name)
        except DataRefused as error:
            why = error.why or "it lacks"
            raise DataRefused("model_incomplete", where=f"{archive}: {name}", why=why) from error
    # All of them, not only those that are predicted with: nnU-Net executes what it loads.
    for path in sorted(folder.rglob("*.pth")):
        try:
            read_checkpoint(path)
        except DataRefused as error:
            where = f"{archive}: {path.relative_to(folder)}"
            raise DataRefused(error.reason.at(where)) from error
