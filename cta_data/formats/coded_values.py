"""Values of coded attributes: those that the standard defines, and those that look like them.

Staff and anonymisers type anything into any field, and a damaged header puts one field's text into
another. Of a coded attribute only a code is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VENDORS_OPTIONS = (
    r"[A-Z]{1,3}\d{0,2}|[A-Z0-9]{1,8}(?:_[A-Z0-9]{1,8})?_GEMS|HELI(?:X|CAL MODE)|AXIAL MODE"
    r"|NORMAL_CT|SPIRAL_CT|SCOUT MODE|CINE MODE"
)
_KERNELS = (
    r"[A-Z]{1,3}\d{1,3}[a-z]{0,3}|[A-H]|Y[A-D]|\d{1,2}|(?:STANDARD|SOFT|DETAIL|BONE|LUNG|CHEST|EDGE"
    r"|HEAD|BODY|BRAIN|SMOOTH|SHARP|ULTRA)(?: ?PLUS)?"
)

# DICOM keyword → regular expression of all that may stand in it; PS3.3 C.7.3.1, C.7.6.4, C.8.2.1,
# C.8.3.1 and C.8.8.8.
CODES: Mapping[str, str] = {
    "Modality": r"[A-Z]{2,3}|RTDOSE|RTSTRUCT|RTPLAN|RTIMAGE",
    "PatientPosition": r"(?:HF|FF)(?:P|S|DR|DL)|[LR]F[PS]|[AP]FD[RL]|SITTING",
    "MRAcquisitionType": r"1D|2D|3D",
    "ScanningSequence": r"SE|IR|GR|EP|RM",
    "SequenceVariant": r"SK|MTC|SS|TRSS|SP|MP|OSP|TOF|NONE",
    "ScanOptions": _VENDORS_OPTIONS,
    "InPlanePhaseEncodingDirection": r"ROW|COL|COLUMN|OBLIQUE|OTHER",
    "ContrastBolusIngredient": r"IODINE|GADOLINIUM|CARBON DIOXIDE|BARIUM|XENON|IRON|MANGANESE",
    "ConvolutionKernel": _KERNELS,
    "FilterType": r"STRIP|WEDGE|BUTTERFLY|MULTIPLE|FLAT|SHAPED|NONE|[A-Z]|\d{1,2}"
    r"|(?:(?:SMALL|MEDIUM|LARGE) )?(?:HEAD|BODY|BOWTIE)(?: FILTER)?",
    "DoseUnits": r"GY|RELATIVE",
    "DoseType": r"PHYSICAL|EFFECTIVE|ERROR",
    "DoseSummationType": r"(?:MULTI_)?PLAN|PLAN_OVERVIEW|(?:FRACTION|BEAM|BRACHY)(?:_SESSION)?"
    r"|CONTROL_POINT|RECORD",
    "RTROIInterpretedType": r"EXTERNAL|[GCPI]TV|TREATED_VOLUME|IRRAD_VOLUME|OAR|BOLUS|AVOIDANCE"
    r"|ORGAN|MARKER|REGISTRATION|ISOCENTER|CONTRAST_AGENT|CAVITY|BRACHY_(?:CHANNEL|ACCESSORY|SRC_APP|"
    r"CHNL_SHLD)|SUPPORT|FIXATION|DOSE_REGION|CONTROL|DOSE_MEASUREMENT|DEVICE|TARGET|LESION|NONE",
}


def codes_of(keyword: str, text: str) -> list[str]:
    r"""Return the values of a coded attribute (joined by backslashes) that are codes."""
    values = (" ".join(value.split()) for value in text.split("\\"))
    return [value for value in values if re.fullmatch(CODES[keyword], value, re.IGNORECASE)]
