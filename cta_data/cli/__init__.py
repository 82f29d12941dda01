"""The command line `cta-data`."""

from cta_data.cli.application import main

__all__ = ["main"]
