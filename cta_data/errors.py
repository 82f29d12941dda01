"""What goes wrong, said in a way that a user can act upon.

Every error that reaches a user says what happened, where, why, and what to do next.
"""

from __future__ import annotations

from typing import Any

from cta_data.reasons import Reason


class CtaError(Exception):
    """An error with a message for people.

    Parameters
    ----------
    reason
        A code of the catalogue of reasons, or a reason that is known already.
    where
        The file, series, case or key that it concerns.
    values
        What was measured or found, by the names that the catalogue uses.
    """

    def __init__(self, reason: str | Reason, /, *, where: object = "", **values: Any) -> None:
        if isinstance(reason, str):
            reason = Reason(reason, where=where, **values)
        self.reason = reason
        super().__init__(self.reason)

    @property
    def code(self) -> str:
        """What was found: an entry of the catalogue of reasons."""
        return self.reason.code

    @property
    def what(self) -> str:
        """What went wrong, in one sentence without a full stop."""
        return self.reason.what

    @property
    def where(self) -> str:
        """The file, series, case or key that it concerns."""
        return self.reason.where

    @property
    def why(self) -> str:
        """What was measured or found."""
        return self.reason.why

    @property
    def next_step(self) -> str:
        """What the user can do about it."""
        return self.reason.next_step

    def __str__(self) -> str:
        return str(self.reason)


class DataRefused(CtaError):
    """Input data that cannot be used as it is; it costs its own subject and nothing else."""


class TooLarge(DataRefused):
    """Data that asks for more than a limit or this machine allows: elsewhere it may be used."""


class ConfigurationError(CtaError):
    """A mistake in study.toml, in a cohort's card or on the command line."""


class NotAvailable(CtaError):
    """A dataset of the study that no place which this clone knows holds, or lets anyone have."""


def without_text(error: BaseException) -> str:
    """Return what kind of error a library raised.

    Its text is left out: of a damaged header it may repeat a value, such as a name.
    """
    return type(error).__name__
