"""What `add` says of files that no rule of a card knows."""

from __future__ import annotations

from cta_data.terminal.addition import unmatched_note


def test_cases_that_no_rule_knows_are_named_before_other_files() -> None:
    """A folder spelled in another way is not hidden behind lists and reports."""
    case = [f"train/Mets_{n}/{name}.nii.gz" for n in (7, 12) for name in ("bravo", "seg")]
    told = unmatched_note(["a.txt", "b.txt", "c.txt", "d.txt", *case])
    assert told == (
        "note: 8 files match no rule of the card, 4 of them images in 2 folders, such as "
        "train/Mets_7/bravo.nii.gz, train/Mets_12/bravo.nii.gz"
    )


def test_one_file_is_named_alone() -> None:
    """Without images the first of the others are shown."""
    assert unmatched_note(["m/metadata.csv"]) == (
        "note: 1 file matches no rule of the card, such as m/metadata.csv"
    )
