"""Data management and curation for cross-technique annotation of brain metastases."""

from importlib import metadata

from cta_data.study import Study, open_study

__version__ = metadata.version("cta_data")
__all__ = ["Study", "__version__", "open_study"]
