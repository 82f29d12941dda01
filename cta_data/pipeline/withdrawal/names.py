"""How a subject is named in a study: in paths, in texts and in JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from cta_data.study import layout
from cta_data.study.session_id import Patient, SessionId

_BEGIN, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"


@dataclass(frozen=True)
class SubjectNames:
    """One subject of one cohort, found by its names.

    `sub-001` alone names nobody outside of a cohort's datasets: every cohort may have one.
    """

    cohort: str
    subject: str

    @property
    def patient(self) -> Patient:
        """Cohort and subject label."""
        return (self.cohort, self.subject)

    def __str__(self) -> str:
        return str(SessionId(self.cohort, self.subject, ""))

    @cached_property
    def _label(self) -> re.Pattern[str]:
        return re.compile(rf"{_BEGIN}sub-{re.escape(self.subject)}{_END}")

    @cached_property
    def _anywhere(self) -> re.Pattern[str]:
        cohort, subject = re.escape(self.cohort), re.escape(self.subject)
        label = f"sub-{subject}{_END}"
        forms = (
            f"{cohort}[_ ]{label}",
            rf"{re.escape(layout.cohort(self.cohort))}/(?:[^\s\"'<>]*[/_])?{label}",
            rf"{cohort}/{subject}(?=[\"'])",
            rf'"cohort":\s*"{cohort}"[^{{}}]*?"subject":\s*"{subject}"',
            rf"{cohort}\b[^\n]*--subject[= ]'?(?:sub-)?{subject}{_END}",
        )
        return re.compile(_BEGIN + f"(?:{'|'.join(forms)})")

    def in_path(self, path: str) -> bool:
        """Return whether a path from the top of the study is of this subject."""
        parts = PurePosixPath(path).parts
        if parts[:2] == PurePosixPath(layout.cohort(self.cohort)).parts:
            return self._label.search("/".join(parts[2:])) is not None
        return parts[:1] != ("datasets",) and self._anywhere.search(path) is not None

    def in_text(self, text: str, *, of_cohort: bool = False) -> bool:
        """Return whether a text names this subject.

        Parameters
        ----------
        of_cohort
            Whether it lies in the datasets of the cohort, where the label alone does.
        """
        return bool((of_cohort and self._label.search(text)) or self._anywhere.search(text))

    def without(self, content: Any, *, of_cohort: bool = False) -> Any:
        """Return JSON content without the entries that are about this subject.

        An entry is whatever has the subject in its key, in a text of its own, or as `cohort` and
        `subject`. What is left keeps its order.
        """
        if isinstance(content, dict):
            return {
                key: self.without(value, of_cohort=of_cohort)
                for key, value in content.items()
                if not self.is_about(key, of_cohort) and not self.is_about(value, of_cohort)
            }
        if isinstance(content, list):
            return [
                self.without(one, of_cohort=of_cohort)
                for one in content
                if not self.is_about(one, of_cohort)
            ]
        return content

    def is_about(self, content: Any, of_cohort: bool = False) -> bool:
        """Return whether a text, or an entry of JSON by its own texts, is about this subject."""
        if isinstance(content, str):
            return self.in_text(content, of_cohort=of_cohort)
        if not isinstance(content, dict):
            return False
        if (content.get("cohort"), content.get("subject")) == self.patient:
            return True
        texts = (value for value in content.values() if isinstance(value, str))
        return any(self.in_text(text, of_cohort=of_cohort) for text in texts)
