"""A trainer of one's own: a class of nnU-Net's kind, found as nnU-Net finds it.

`NAME` is a class of nnU-Net's package of trainers, or of a folder that the environment variable
`nnUNet_extTrainer` names; `module:NAME` a class of any module that Python finds. Only the module
that defines the class is imported: some of nnU-Net's own do not import with every torchvision.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError
from cta_data.training.nnunet.plans import TRAINER

PACKAGE = "nnunetv2.training.nnUNetTrainer"
FOLDERS = "nnUNet_extTrainer"
_SIGNATURE = ("plans", "configuration", "fold", "dataset_json", "device")


@dataclass(frozen=True)
class TrainerSource:
    """Where a trainer is defined: a module, its file, and the folder that Python has to search."""

    name: str
    module: str
    file: Path
    folder: str = ""

    def told(self) -> dict[str, str]:
        """Return what a model's card keeps: no path of a machine."""
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return {"name": self.name, "module": self.module, "sha256": digest}


def find_trainer(trainer: str) -> TrainerSource:
    """Return where a trainer is defined; nothing of it is executed.

    Raises
    ------
    ConfigurationError
        There is no such class.
    """
    module, _, name = trainer.rpartition(":")
    found = _in_module(module, name) if module else _by_name(name)
    if found is None:
        places = module or ", ".join([PACKAGE, *_folders()])
        raise ConfigurationError("trainer_not_found", name=name, places=places)
    return found


def load_trainer(trainer: str) -> Any:
    """Return the class of a trainer.

    Raises
    ------
    ConfigurationError
        There is none, it cannot be imported, or it is no trainer that can be used here.
    """
    source = find_trainer(trainer)
    if source.folder and source.folder not in sys.path:
        sys.path.insert(0, source.folder)
    try:
        found = getattr(import_module(source.module), source.name, None)
    except Exception as error:
        why = f"its module {source.module} does not import: {type(error).__name__}: {error}"
        raise _unsuitable(source, why) from error
    why = _why_unsuitable(found)
    if why:
        raise _unsuitable(source, why)
    return found


def _why_unsuitable(found: Any) -> str:
    import inspect

    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    if not isinstance(found, type) or not issubclass(found, nnUNetTrainer):
        return f"it is no subclass of {TRAINER}"
    takes = list(inspect.signature(found).parameters)[: len(_SIGNATURE)]
    if takes != list(_SIGNATURE):
        return f"it takes {', '.join(takes)} in place of {', '.join(_SIGNATURE)}"
    return ""


def _unsuitable(source: TrainerSource, why: str) -> ConfigurationError:
    return ConfigurationError("trainer_unsuitable", name=source.name, why=why)


def _in_module(module: str, name: str) -> TrainerSource | None:
    try:
        found = util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if found is None or not found.origin or not _defines(Path(found.origin), name):
        return None
    return TrainerSource(name, module, Path(found.origin))


def _by_name(name: str) -> TrainerSource | None:
    package = util.find_spec(PACKAGE)
    inside = (package.submodule_search_locations if package else None) or ()
    places = [(folder, f"{PACKAGE}.", "") for folder in inside]
    places += [(folder, "", folder) for folder in _folders()]
    for folder, prefix, searched in places:
        for path in sorted(Path(folder).rglob("*.py")):
            if _defines(path, name):
                module = ".".join(path.relative_to(folder).with_suffix("").parts)
                return TrainerSource(name, prefix + module, path, searched)
    return None


def _folders() -> list[str]:
    named = os.environ.get(FOLDERS, "").split(os.pathsep)
    return [os.path.abspath(folder) for folder in named if folder]


def _defines(path: Path, name: str) -> bool:
    text = path.read_text("utf-8", errors="replace")
    return re.search(rf"^class {re.escape(name)}\b", text, re.MULTILINE) is not None
