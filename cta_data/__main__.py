"""Run the command line with `python -m cta_data`."""

from cta_data.cli import main

main()
