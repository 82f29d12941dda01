"""Intake: a hospital's files become one tar a series in a cohort's ``sourcedata``."""

from cta_data.formats.dicom_header import header_of
from cta_data.intake.addition import plan_addition
from cta_data.intake.archives import UnpackLimits
from cta_data.intake.execution import AdditionResult, execute_addition
from cta_data.intake.inventory import (
    Inventory,
    SeriesRow,
    SetAsideRow,
    SubjectRow,
    read_inventory,
)
from cta_data.intake.pack import open_datasets, read_members, read_series
from cta_data.intake.plan_model import (
    AdditionOptions,
    AdditionPlan,
    SeriesPlan,
    SetAside,
    SubjectPlan,
    needed_content,
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
