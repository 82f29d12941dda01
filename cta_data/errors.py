"""What goes wrong, said in a way that a user can act upon.

Every error that reaches a user says what happened, where, why, and what to do next.
"""


class CtaError(Exception):
    """An error with a message for people.

    Parameters
    ----------
    what
        What went wrong, in one sentence without a full stop.
    where
        The file, series, case or key that it concerns.
    why
        What was measured or found.
    next_step
        What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(what, where, why, next_step)
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        why = f" ({self.why})" if self.why else ""
        next_step = f". {self.next_step}" if self.next_step else ""
        return f"{where}{self.what}{why}{next_step}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.why, self.next_step))


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


def _rebuild(kind: type[CtaError], what: str, where: str, why: str, next_step: str) -> CtaError:
    return kind(what, where=where, why=why, next_step=next_step)
