"""One case of a training set: a session's image and label, and where it trains or tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cta_data.errors import DataRefused
from cta_data.study.session_id import SessionId


@dataclass(frozen=True)
class BuildCase:
    """One case, with its files from the top of the study.

    `partition` is `train` or `test`; `fold` is the one in which it is a validation case.
    """

    session: SessionId
    partition: str
    fold: int | None
    image: str
    label: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> BuildCase:
        """Return the case that JSON content, such as an entry of build.json, tells."""
        files = (content["image"], content["label"])
        return cls(SessionId.of(content), content["partition"], content["fold"], *files)

    @property
    def case(self) -> str:
        """Its name."""
        return self.session.case

    @property
    def trains(self) -> bool:
        """Whether it is of the training partition."""
        return self.partition == "train"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return {
            "case": self.case,
            **self.session.columns(),
            "partition": self.partition,
            "fold": self.fold,
            "image": self.image,
            "label": self.label,
        }


def build_cases(record: Mapping[str, Any], *, where: str) -> list[BuildCase]:
    """Return the cases of a build from its record, the content of build.json.

    Raises
    ------
    DataRefused
        It does not list its cases: it was changed by hand, for example.
    """
    try:
        return [BuildCase.of(content) for content in record["cases"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataRefused("build_record_damaged", where=where) from error
