"""Reasons: a code with values. The sentence comes from one catalogue, ``reasons.toml``.

Code, tables and tests compare codes; nothing takes a sentence apart. The catalogue is read when
the first sentence is asked for.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("reasons.toml")
CAUSE = "cause"
"""Name of the value that holds the reason behind a reason."""
UNKNOWN = "no reason is known"
"""What a table says that keeps neither a code nor a sentence."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Entry of the catalogue: sentences that name the values of a reason in braces.

    A value that is a tuple is shown as a list with commas, or with what a colon in the braces
    gives: ``{problems:; }``. In a command, ``{path:shell}`` is a path as a shell takes it.
    """

    room: str
    what: str
    why: str = ""
    next_step: str = ""


@cache
def catalogue() -> Mapping[str, Sentence]:
    """Return the sentences of every code."""
    rooms = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {
        code: Sentence(room, **sentences)
        for room, codes in rooms.items()
        for code, sentences in codes.items()
    }


@dataclass(frozen=True, init=False)
class Reason:
    """Why something was refused, was not done, or is on hold.

    Attributes
    ----------
    code
        What was found: an entry of the catalogue.
    where
        The file, series, case or key that it concerns.
    values
        What was measured or found, by the names that the catalogue uses: text, numbers, reasons,
        and tuples of these. The value `cause` is the reason behind this one.
    text
        The sentence as a table keeps it, of a reason whose values are not known any more.
    """

    code: str
    where: str
    values: Mapping[str, Any] = field(hash=False)
    text: str

    def __init__(self, code: str, /, *, where: object = "", **values: Any) -> None:
        plain = {name: _plain(value) for name, value in values.items()}
        self.__dict__.update(code=code, where=str(where), values=plain, text="")

    @classmethod
    def kept(cls, code: str, text: str) -> Reason:
        """Return a reason that a table kept as its code and its sentence."""
        return cls(code)._with(text=text or code or UNKNOWN)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Reason:
        """Return the reason that `as_dict` gave."""
        values = {name: _from_json(value) for name, value in content["values"].items()}
        return cls(content["code"], where=content["where"], **values)

    def as_dict(self) -> dict[str, Any]:
        """Return the reason as JSON content."""
        values = {name: _as_json(value) for name, value in self.values.items()}
        return {"code": self.code, "where": self.where, "values": values}

    @property
    def what(self) -> str:
        """What went wrong, in one sentence without a full stop."""
        return self.text or self._sentence(catalogue()[self.code].what)

    @property
    def why(self) -> str:
        """What was measured or found; may be empty."""
        return "" if self.text else self._sentence(catalogue()[self.code].why)

    @property
    def next_step(self) -> str:
        """What the user can do about it; may be empty."""
        return "" if self.text else self._sentence(catalogue()[self.code].next_step)

    @property
    def chain(self) -> tuple[Reason, ...]:
        """This reason, the one behind it, and so on."""
        cause = self.values.get(CAUSE)
        return (self, *cause.chain) if isinstance(cause, Reason) else (self,)

    @property
    def finding(self) -> Reason:
        """The reason behind all others: what was found in the first place."""
        return self.chain[-1]

    def at(self, where: object) -> Reason:
        """Return the same reason about another place."""
        return self._with(where=str(where))

    def without(self, *folders: str) -> Reason:
        """Return the reason with the names of folders (with a slash at their end) left out."""
        return self._with(
            where=_without(self.where, folders),
            values={name: _without(value, folders) for name, value in self.values.items()},
            text=_without(self.text, folders),
        )

    @property
    def sentence(self) -> str:
        """Where, what and why."""
        where = f"{self.where}: " if self.where else ""
        why = f" ({why})" if (why := self.why) else ""
        return f"{where}{self.what}{why}"

    def __str__(self) -> str:
        next_step = f". {next_step}" if (next_step := self.next_step) else ""
        return f"{self.sentence}{next_step}"

    def _with(self, **changes: Any) -> Reason:
        changed = Reason(self.code)
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    def _sentence(self, template: str) -> str:
        return template.format_map({name: _shown(value) for name, value in self.values.items()})


def together(findings: Sequence[Reason], most: int = 3) -> Reason:
    """Return one reason for several findings: the one itself, or a list of the first of them."""
    first, *others = findings
    if not others:
        return first
    return Reason(
        "several_findings",
        findings=tuple(findings),
        sentences=tuple(one.sentence for one in findings[:most]),
        more=f"; and {len(findings) - most} more" if len(findings) > most else "",
        next_steps=tuple(dict.fromkeys(one.next_step for one in findings if one.next_step)),
    )


class _Listed(tuple[Any, ...]):
    """Values that a sentence lists; the format is what stands between them."""

    def __format__(self, between: str) -> str:
        return (between or ", ").join(map(str, self))


class _Text(str):
    """A text that a sentence shows as it is, or quoted for a shell."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return shlex.quote(self) if form == "shell" else super().__format__(form)


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return _Listed(value)
    return _Text(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Return a value as text, number, reason, or tuple of these: a reason travels and is kept."""
    if value is None or isinstance(value, str | bool | int | Reason):
        return value
    if isinstance(value, float):
        return float(value)
    if type(value) in (list, tuple):  # a session or a unit is a tuple with a text of its own
        return tuple(map(_plain, value))
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return str(value)


def _without(value: Any, folders: tuple[str, ...]) -> Any:
    if isinstance(value, Reason):
        return value.without(*folders)
    if isinstance(value, tuple):
        return tuple(_without(one, folders) for one in value)
    for folder in folders if isinstance(value, str) else ():
        value = value.replace(folder, "")
    return value


def _as_json(value: Any) -> Any:
    if isinstance(value, Reason):
        return {"reason": value.as_dict()}
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return Reason.from_dict(value["reason"])
    return [_from_json(one) for one in value] if isinstance(value, list) else value


def counted(number: int, noun: str) -> str:
    """Return a number with what it counts: `1 session`, `2 sessions`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
