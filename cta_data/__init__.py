"""Data management and curation for cross-technique annotation of brain metastases.

What is named here is loaded when it is first used: `import cta_data` itself costs nearly nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cta_data.api.contours import RasterizedStructureSet, rasterize, read_structure_set
    from cta_data.api.exports import write_segmentation, write_structure_set
    from cta_data.api.froc import FrocTables, froc
    from cta_data.api.labels import (
        TransferredLabels,
        extract_brain,
        find_lesions,
        measure,
        register,
        transfer,
    )
    from cta_data.api.scores import compare, score
    from cta_data.api.volume import Volume, read_image
    from cta_data.errors import ConfigurationError, CtaError, DataRefused, NotAvailable
    from cta_data.formats.dicom.derived_objects import Origin
    from cta_data.study.study import Study, open_study
    from cta_data.study.training_data import CaseArrays, TrainingData, as_dictionaries

    __version__: str

_PLACES = {
    "api.contours": ("RasterizedStructureSet", "rasterize", "read_structure_set"),
    "api.exports": ("write_segmentation", "write_structure_set"),
    "api.froc": ("FrocTables", "froc"),
    "api.labels": (
        *("TransferredLabels", "extract_brain", "find_lesions", "measure", "register"),
        "transfer",
    ),
    "api.scores": ("compare", "score"),
    "api.volume": ("Volume", "read_image"),
    "errors": ("ConfigurationError", "CtaError", "DataRefused", "NotAvailable"),
    "formats.dicom.derived_objects": ("Origin",),
    "study.study": ("Study", "open_study"),
    "study.training_data": ("CaseArrays", "TrainingData", "as_dictionaries"),
}
_MODULES = {name: f"cta_data.{module}" for module, names in _PLACES.items() for name in names}

__all__ = [
    "CaseArrays",
    "ConfigurationError",
    "CtaError",
    "DataRefused",
    "FrocTables",
    "NotAvailable",
    "Origin",
    "RasterizedStructureSet",
    "Study",
    "TrainingData",
    "TransferredLabels",
    "Volume",
    "__version__",
    "as_dictionaries",
    "compare",
    "extract_brain",
    "find_lesions",
    "froc",
    "measure",
    "open_study",
    "rasterize",
    "read_image",
    "read_structure_set",
    "register",
    "score",
    "transfer",
    "write_segmentation",
    "write_structure_set",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("cta_data")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
