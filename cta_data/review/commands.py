"""What `cta-data review` does: a sitting, a page for elsewhere, its decisions, agreement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError, CtaError
from cta_data.files import write_text
from cta_data.given_paths import require_given_file
from cta_data.review.export_page import export_html, exported_items
from cta_data.review.import_decisions import checked_decisions
from cta_data.review.sitting import (
    Committed,
    Sitting,
    commit_decisions,
    commit_left,
    commit_sitting,
    require_reader,
)
from cta_data.review.worklist import Asked, worklist
from cta_data.study.study import Study
from cta_data.versioning.datasets import require_identity

if TYPE_CHECKING:
    from cta_data.review.decision_agreement import KindAgreement
    from cta_data.review.reread_scores import RereadScores


NOTHING = (
    "nothing that was asked for needs a review: `cta-data transfer`, `evaluate` and `agreement` "
    "list what does"
)


@dataclass(frozen=True)
class Imported:
    """What came of an import: decisions that are in the study, and those that were refused."""

    committed: Committed
    refused: tuple[str, ...]


def require_one_mode(*given: object) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    ConfigurationError
        More than one of them is given.
    """
    if sum(map(bool, given)) > 1:
        raise ConfigurationError("review_mode_several")


def require_used(mode: str, used: Collection[str], given: Iterable[str]) -> None:
    """Refuse options that a form of the command does not use.

    Raises
    ------
    ConfigurationError
        With the first of them.
    """
    unused = sorted(set(given) - set(used))
    if unused:
        raise ConfigurationError("review_option_unused", option=unused[0], mode=mode)


def sit(
    study: Study,
    asked: Asked,
    reader: str,
    day: str,
    command: Sequence[str],
    *,
    ready: Callable[[str], None],
    note: Callable[[str], None],
    opens: bool,
    port: int,
) -> Committed | None:
    """Serve the page until the reader ends; save what was decided in one commit.

    What a crashed sitting left is saved first.

    Returns
    -------
    Committed or None
        None where there is nothing to look at.

    Raises
    ------
    ConfigurationError
        The reader has no code, or the study has no such cohort or evaluation.
    CtaError
        Another command works on the study, or the commit failed: the journal stays.
    """
    from cta_data.review.server.niivue import bundle_path
    from cta_data.review.server.serve import serve

    require_reader(reader)
    require_identity(study.root)
    for who, done in commit_left(study, command).items():
        note(f"saved {done.decisions} decisions of {who}, whose last sitting did not end in order")
        for changed in done.void:
            note(f"void, since it changed meanwhile: {changed}")
    listed = worklist(study, asked)
    if not listed.items:
        note(NOTHING)
        return None
    sitting = Sitting(study, listed, reader, day)
    blinded = "blinded" if asked.blinded else "unblinded"
    about = {
        "study": study.root.resolve().name,
        "reading": f"Reader {reader}, findings {blinded}",
        "niivue": bundle_path() is not None,
    }
    serve(study, sitting, about, ready, opens=opens, port=port)
    try:
        return commit_sitting(study, sitting.journal, command)
    except CtaError:
        n_kept = len(sitting.journal.stands())
        note(f"{n_kept} decisions are kept in {sitting.journal.path}: the next review saves them")
        raise


def export_page(
    study: Study,
    asked: Asked,
    out: Path,
    reader: str,
    note: Callable[[str], None],
    *,
    overwrite: bool = False,
) -> int:
    """Write the page that is filled in elsewhere; return how many items it has.

    Raises
    ------
    ConfigurationError
        The reader's code is none, or nothing can be written there.
    """
    if reader:
        require_reader(reader)
    # The next command would commit the images of patients there.
    require_file_place(out, [study.root], overwrite=overwrite)
    listed = worklist(study, asked)
    if listed.items:
        items = exported_items(study, listed, note)
        write_text(export_html(study, asked, items, reader), out)
    else:
        note(NOTHING)
    return len(listed.items)


def import_file(study: Study, file: Path, command: Sequence[str]) -> Imported:
    """Take the decisions of a page that was filled in elsewhere, and commit them.

    Raises
    ------
    ConfigurationError
        There is no such file.
    CtaError
        It holds no decisions, or those of another study.
    """
    require_given_file(file, "the decisions.json of a page")
    decisions, refused = checked_decisions(study, file)
    return Imported(commit_decisions(study, decisions, command), tuple(refused))


def agree(study: Study, asked: Asked) -> list[KindAgreement]:
    """Compare the valid decisions of readers about the same."""
    from cta_data.review.decision_agreement import agreement_of  # a sitting needs no statistics

    return agreement_of(study, asked)


def corrected(study: Study, asked: Asked) -> list[RereadScores]:
    """Return the scores of models with what readers said of their findings."""
    from cta_data.review.reread_scores import reread_scores

    return reread_scores(study, asked)
