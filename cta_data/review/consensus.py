"""What was decided for a consensus: which candidate lesions it keeps, and which it drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cta_data.engine import Selection
from cta_data.engine.sessions import Upstream
from cta_data.files import read_json_object
from cta_data.study.annotations import CONSENSUS
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow
from cta_data.versioning.datasets import fetch


@dataclass(frozen=True)
class ConsensusDecisions:
    """One consensus of a session.

    Attributes
    ----------
    min_readers
        How many readers had to see a lesion.
    parents
        Annotations that it was made from.
    kept, dropped
        Candidate lesions with the readers who saw them, as the file beside the labels lists them.
    """

    session: SessionId
    annotation: str
    method: str
    min_readers: int
    parents: tuple[str, ...]
    kept: tuple[dict[str, Any], ...]
    dropped: tuple[dict[str, Any], ...]

    @property
    def n_candidates(self) -> int:
        """Lesions that any reader saw."""
        return len(self.kept) + len(self.dropped)

    @property
    def line(self) -> str:
        """The counts, for people."""
        return (
            f"{self.session} {self.annotation}: {self.n_candidates} candidate lesions of "
            f"{len(self.parents)} readers, {len(self.kept)} kept (seen by at least "
            f"{self.min_readers}), {len(self.dropped)} dropped"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON content."""
        return {
            **self.session.columns(),
            "annotation": self.annotation,
            "method": self.method,
            "min_readers": self.min_readers,
            "parents": list(self.parents),
            "n_candidates": self.n_candidates,
            "n_kept": len(self.kept),
            "n_dropped": len(self.dropped),
            "kept": list(self.kept),
            "dropped": list(self.dropped),
        }


def consensus_decisions(
    study: Study, method: str, selection: Selection
) -> list[ConsensusDecisions]:
    """Return the decisions of every consensus of the selected sessions by a method.

    Raises
    ------
    CtaError
        A file that lists them cannot be read.
    """
    upstream = Upstream(study)
    rows = [
        (row, row.names_path)
        for session in upstream.sessions(selection)
        for row in sorted(upstream.annotations(session), key=lambda one: one.annotation)
        if row.origin == CONSENSUS and row.reader == method and row.names_path
    ]
    fetch(study.root, [path for _, path in rows])
    return [_read(row, read_json_object(study.root / path)) for row, path in rows]


def _read(row: AnnotationRow, content: dict[str, Any]) -> ConsensusDecisions:
    return ConsensusDecisions(
        row.session,
        row.annotation,
        content["Method"],
        content["MinReaders"],
        tuple(content["Parents"]),
        tuple(content["Lesions"]),
        tuple(content["Dropped"]),
    )
