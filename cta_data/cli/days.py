"""What several commands read from their options."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cta_data.errors import ConfigurationError


def day_of(text: str) -> str:
    """Return a day as YYYY-MM-DD; today where there is none.

    Raises
    ------
    ConfigurationError
        It is no day.
    """
    if not text:
        return datetime.now(UTC).date().isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigurationError(f"--date is not a day: {text!r}", why=str(error)) from error
