"""Digital patients with a known truth, written in the raw layouts of exports and releases."""

from __future__ import annotations

from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient
from cta_data.phantom.readers_plan import FurtherReader, ReadersPlan
from cta_data.phantom.releases.case import WrittenCase
from cta_data.phantom.releases.changes import ChangesPlan, PlantedChange
from cta_data.phantom.releases.cohort import WrittenCohort, write_cohort
from cta_data.phantom.trial import WrittenPatient, write_patient, write_trial

__all__ = [
    "ChangesPlan",
    "DigitalPatient",
    "FurtherReader",
    "PlantedChange",
    "ReadersPlan",
    "VoxelSizes",
    "WrittenCase",
    "WrittenCohort",
    "WrittenPatient",
    "generate_patient",
    "write_cohort",
    "write_patient",
    "write_trial",
]
