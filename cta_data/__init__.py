"""Data management and curation for cross-technique annotation of brain metastases.

What is named here is loaded when it is first used: `import cta_data` itself costs nearly nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cta_data.study.study import Study, open_study

    __version__: str

__all__ = ["Study", "__version__", "open_study"]

_PLACES = {"Study": "cta_data.study.study", "open_study": "cta_data.study.study"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("cta_data")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
