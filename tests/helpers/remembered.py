"""What takes longest in a study, found once for all studies of the same patients.

Registration and skull stripping give the same bits for the same images (`tests/imaging` shows it of
both), whatever study they are in. Tests whose patients are the same ask for them here.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from helpers.made_once import shared_folder

from cta_data.pipeline import register_session, strip_session

STEPS = ((register_session, "register_images"), (strip_session, "extract_brain"))


@contextmanager
def remembered(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take what was found of the same images, in this process and in copies (forks) of it.

    What is not known yet is found as ever, and kept for all processes of this run.
    """
    folder = shared_folder(factory, "remembered")
    with pytest.MonkeyPatch.context() as patch:
        for module, name in STEPS:
            patch.setattr(module, name, _remembering(getattr(module, name), folder))
        yield


def _remembering(function: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    @functools.wraps(function)
    def find(*arguments: Any) -> Any:
        *images_and_settings, notify = [*arguments, None] if _is_plain(arguments) else arguments
        told = [function.__name__, *map(_told, images_and_settings)]
        kept = folder / hashlib.sha256("\n".join(told).encode()).hexdigest()
        if kept.exists():
            found, notes = pickle.loads(kept.read_bytes())
        else:
            notes = []
            found = function(*images_and_settings, *([] if notify is None else [notes.append]))
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(pickle.dumps((found, notes)))
            part.rename(kept)
        for note in notes:
            notify(note)
        return found

    return find


def _is_plain(arguments: tuple[Any, ...]) -> bool:
    return not callable(arguments[-1])


def _told(argument: Any) -> str:
    """Return a text that is equal for equal arguments alone."""
    if not isinstance(argument, sitk.Image):
        return repr(argument)
    voxels = hashlib.sha256(sitk.GetArrayViewFromImage(argument).tobytes()).hexdigest()
    place = argument.GetOrigin(), argument.GetSpacing(), argument.GetDirection()
    return f"{argument.GetPixelIDTypeAsString()} {argument.GetSize()} {place} {voxels}"
