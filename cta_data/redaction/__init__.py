"""Finding a patient's identity in free text, however it is written, and removing it."""

from cta_data.redaction.cells import CellRedactor
from cta_data.redaction.identity import Identity
from cta_data.redaction.redactor import REMOVED, Redactor

__all__ = ["REMOVED", "CellRedactor", "Identity", "Redactor"]
