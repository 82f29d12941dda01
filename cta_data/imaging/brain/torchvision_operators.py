"""Lets torchvision be imported beside a torch build that lacks its compiled operators.

The CPU build of torch and the torchvision of the package index do not belong together: torchvision
then stops at its import, over operators that segmentation never calls. nnU-Net imports it while it
looks up a trainer by name, so that no model could be loaded.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")
_kept: list[Any] = []  # the definitions live as long as the object that made them


def make_importable() -> None:
    """Import torchvision; where that fails for missing operators, declare them and try again.

    Raises
    ------
    ImportError
        torchvision is not installed.
    RuntimeError
        It cannot be imported for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        torch = importlib.import_module("torch")
        library = torch.library.Library("torchvision", "DEF")
        for name in _OPERATORS:
            library.define(f"{name}{_SCHEMA}")
        _kept.append(library)
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")
