"""The one name of a unit of work: a step for a session, a build, a fold or a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cta_data.study.session_id import SessionId

NO_FOLD = -1
"""What stands in the table `units` where a unit is not about a fold."""
NO_SESSION = SessionId("", "", "")
"""What stands there where it is not about a session."""
UnitKey = tuple[str, str, str, str, str, int, str]


class UnitId(NamedTuple):
    """One unit of work, named by what it is about.

    Attributes
    ----------
    step
        `convert`, `consensus`, `register`, `transfer`, `strip`, `measure`, `link`,
        `register-sessions`, `follow-up`, `build`, `plan`, `train`, `crossvalidate`,
        `validate`, `calibrate`, `predict`, `patches` or `classify`.
    about
        Session that it is about; None for builds, models and predictions.
    model
        Setting of a build; model of a plan, a fold, a cross-validation or a prediction.
    fold
        Fold that is trained, or the seed of a network for patches; else None.
    test_set
        Test set that is predicted, else empty.
    """

    step: str
    about: SessionId | None = None
    model: str = ""
    fold: int | None = None
    test_set: str = ""

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> UnitId:
        """Return the unit that columns of the table `units` tell."""
        session, fold = SessionId.of(columns), columns["fold"]
        return cls(
            columns["step"],
            session if session.cohort else None,
            columns["model"],
            None if fold == NO_FOLD else fold,
            columns["test_set"],
        )

    @property
    def session(self) -> SessionId:
        """Session that it is about.

        Raises
        ------
        ValueError
            It is about none.
        """
        if self.about is None:
            raise ValueError(f"{self} is not about one session")
        return self.about

    @property
    def cohort(self) -> str:
        """Cohort of its session; empty without one."""
        return self.about.cohort if self.about else ""

    @property
    def subject(self) -> str:
        """Subject label of its session; empty without one."""
        return self.about.subject if self.about else ""

    @property
    def work(self) -> str:
        """The step with its model, fold and test set, for people: `train_A_fold_0`."""
        if self.about:  # of these a large study has tens of thousands, named by their step alone
            return self.step
        numbered = "seed" if self.step == "classify" else "fold"
        fold = "" if self.fold is None else f"{numbered}_{self.fold}"
        return "_".join(filter(None, (self.step, self.model, fold, self.test_set)))

    @property
    def key(self) -> UnitKey:
        """Key of its row in the table `units`."""
        about, fold = self.about or NO_SESSION, NO_FOLD if self.fold is None else self.fold
        return (self.step, *about, self.model, fold, self.test_set)

    def columns(self) -> dict[str, Any]:
        """Return its columns in the table `units`."""
        session = self.about or NO_SESSION
        fold = NO_FOLD if self.fold is None else self.fold
        about = {"model": self.model, "fold": fold, "test_set": self.test_set}
        return {"step": self.step, **session.columns(), **about}

    def __str__(self) -> str:
        return f"{self.work} {self.about}" if self.about else self.work
