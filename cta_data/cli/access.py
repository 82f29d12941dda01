"""Where a cohort's data is to be had, under which terms, and what to run then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.terminal.output import console

if TYPE_CHECKING:
    from cta_data.cohorts import Card

KINDS = {
    "public": "public: anyone may download it",
    "registered": "registered: an account and an agreement are needed",
    "restricted": "restricted: the owner decides who gets it",
}


def print_access(card: Card, own_card: Path | None = None) -> None:
    """Print what a user needs before the data is there."""
    cohort = card.cohort
    rows = (
        ("data", cohort.title),
        ("access", KINDS[cohort.access]),
        ("agreement", cohort.agreement),
        ("licence", cohort.licence),
        ("where", cohort.url),
        ("form", cohort.form),
        ("doi", f"https://doi.org/{cohort.doi}" if cohort.doi else ""),
        ("cite", cohort.citation),
    )
    out = console()
    for name, text in rows:
        if text:
            out.print(f"{name + ':':<11}{text}", soft_wrap=True)
    out.print(f"\n{cohort.how_to_get.strip()}\n", soft_wrap=True)
    option = f" --card {own_card}" if own_card else ""
    out.print("Then:", soft_wrap=True)
    for what, end in (
        (f"cta-data add {cohort.name} FOLDER{option} --dry-run", "what is in there"),
        (f"cta-data add {cohort.name} FOLDER{option}", "take it in"),
        (f"cta-data convert {cohort.name}", "into BIDS"),
    ):
        out.print(f"    {what:<48} # {end}", soft_wrap=True)
