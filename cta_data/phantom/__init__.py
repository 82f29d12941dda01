"""Digital patients with a known truth, written in the raw layout of a hospital's export."""

from __future__ import annotations

from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient
from cta_data.phantom.trial import WrittenPatient, write_patient, write_trial

__all__ = [
    "DigitalPatient",
    "VoxelSizes",
    "WrittenPatient",
    "generate_patient",
    "write_patient",
    "write_trial",
]
