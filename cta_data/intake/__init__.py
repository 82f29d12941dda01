"""Intake: a hospital's files become one tar a series in a cohort's ``sourcedata``.

What is named here is loaded when it is first used: who only asks what a cohort holds
(`cta_data.study.sourcedata`) needs nothing that reads DICOM.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cta_data.formats.dicom.header import header_of
    from cta_data.intake.addition import plan_addition
    from cta_data.intake.archives import UnpackLimits
    from cta_data.intake.execution import AdditionResult, execute_addition
    from cta_data.intake.pack import open_datasets, read_members, read_series
    from cta_data.intake.plan_model import (
        AdditionOptions,
        AdditionPlan,
        SeriesPlan,
        SetAside,
        SubjectPlan,
        needed_content,
    )
    from cta_data.study.sourcedata import (
        Inventory,
        SeriesRow,
        SetAsideRow,
        SubjectRow,
        read_inventory,
    )

__all__ = [
    "AdditionOptions",
    "AdditionPlan",
    "AdditionResult",
    "Inventory",
    "SeriesPlan",
    "SeriesRow",
    "SetAside",
    "SetAsideRow",
    "SubjectPlan",
    "SubjectRow",
    "UnpackLimits",
    "execute_addition",
    "header_of",
    "needed_content",
    "open_datasets",
    "plan_addition",
    "read_inventory",
    "read_members",
    "read_series",
]

_PLACES = {
    "cta_data.formats.dicom.header": ("header_of",),
    "cta_data.intake.addition": ("plan_addition",),
    "cta_data.intake.archives": ("UnpackLimits",),
    "cta_data.intake.execution": ("AdditionResult", "execute_addition"),
    "cta_data.study.sourcedata": (
        *("Inventory", "SeriesRow", "SetAsideRow", "SubjectRow"),
        "read_inventory",
    ),
    "cta_data.intake.pack": ("open_datasets", "read_members", "read_series"),
    "cta_data.intake.plan_model": (
        *("AdditionOptions", "AdditionPlan", "SeriesPlan", "SetAside", "SubjectPlan"),
        "needed_content",
    ),
}


def __getattr__(name: str) -> Any:
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(place), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
