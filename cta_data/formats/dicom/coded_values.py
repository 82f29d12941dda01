"""Values of coded attributes: those that the standard defines, and those that look like them.

Staff and anonymisers type anything into any field, and a damaged header puts one field's text into
another. Of a coded attribute only a code is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_GE_OPTIONS = (
    r"(?:ACC|ACC_ASSET|ARC|ASSET|CS|EDR|EXT|FAST|FC|FC_FREQ_AX|FC_SLICE_AX|FILTERED|FLEX|FLUORO|FR|FS"
    r"|FSL|FSS|HS|HYPERSENSE|IDEAL|IFLOW|IRP|MP|MULTIPHASE|NPW|NPW_TRF|PFF|PFP|PROP|RG|RTIA|SAT|SEQ"
    r"|SPSP|SS|STIR|T1FLAIR|T2PREP|TRF|TRICKS|VASCTOF|VB|ZIP2|ZIP4|ZIP512|ZIP1024)_GEMS"
)
# PS3.3 C.8.3.1.1.6, and what Siemens, GE and Philips write beside.
_OPTIONS = (
    r"PER|RG|CG|PPG|FC|PFF|PFP|SP|FS|IR|IRW|WE|WS|DB|MT|MTC|NPW?|SAT\d?|T2P|PAT|SENSE|SPIR|SPAIR"
    rf"|NONE|OTHER|HELIX|(?:HELICAL|AXIAL|SCOUT|CINE) MODE|NORMAL_CT|SPIRAL_CT|{_GE_OPTIONS}"
)
_MODALITIES = (
    r"ANN|AU|BMD|CR|CT|CTPROTOCOL|DOC|DX|ECG|ES|FID|GM|IO|IVUS|KO|MG|MR|NM|OCT|OP|OT|PLAN|PR|PT|PX"
    r"|REG|RF|RTDOSE|RTIMAGE|RTPLAN|RTRECORD|RTSTRUCT|RWV|SC|SEG|SM|SR|STAIN|US|XA|XC"
)
_KERNELS = (
    r"[A-Z]{1,3}\d{1,3}[a-z]{0,3}|[A-H]|Y[A-D]|\d{1,2}|(?:STANDARD|SOFT|DETAIL|BONE|LUNG|CHEST|EDGE"
    r"|HEAD|BODY|BRAIN|SMOOTH|SHARP|ULTRA)(?: ?PLUS)?"
)

# DICOM keyword → regular expression of all that may stand in it; PS3.3 C.7.3.1, C.7.6.4, C.8.2.1,
# C.8.3.1 and C.8.8.8.
CODES: Mapping[str, str] = {
    "Modality": _MODALITIES,
    "PhotometricInterpretation": r"MONOCHROME[12]|PALETTE COLOR|RGB|HSV|ARGB|CMYK|XYB"
    r"|YBR_(?:FULL|FULL_422|PARTIAL_42[02]|ICT|RCT)",
    "PatientPosition": r"(?:HF|FF)(?:P|S|DR|DL)|[LR]F[PS]|[AP]FD[RL]|SITTING",
    "MRAcquisitionType": r"1D|2D|3D",
    "ScanningSequence": r"SE|IR|GR|EP|RM",
    "SequenceVariant": r"SK|MTC|SS|TRSS|SP|MP|OSP|TOF|NONE",
    "ScanOptions": _OPTIONS,
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
