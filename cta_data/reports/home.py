"""The home page of a study: what there is, where it stands, and what to do next.

A fold over the study's tables: no clock and nothing of this machine, so that the same study gives
the same bytes, and `datalad rerun` writes it again.
"""

from __future__ import annotations

from cta_data.files import write_changed
from cta_data.reasons import counted
from cta_data.reports.home_state import COHORT_COUNTS, StudyState, state_of
from cta_data.reports.names import name_of_test_set
from cta_data.reports.origin import origin_text, package_version, stamped
from cta_data.reports.page import page_html
from cta_data.reports.table import Row, Table, TableColumn, without_empty_columns
from cta_data.scoring.paper import in_paper_order
from cta_data.study import layout
from cta_data.study.study import Study


def write_home(study: Study) -> bool:
    """Write the home page where it differs from what is there; tell whether it was written."""
    page = home_html(state_of(study))
    return write_changed(stamped(page.encode(), ".html", origin_text()), study.root / layout.HOME)


def home_html(state: StudyState) -> str:
    """Return the page."""
    others = [version for version in state.made_by if version != package_version()]
    return page_html(
        "home.html",
        title=state.name,
        notice=state.notice,
        home=layout.HOME,
        facts=_facts(state),
        others=others,
        version=package_version(),
        todo=todo(state),
        cohorts=_cohort_table(state),
        state=state,
        layout=layout,
        models=_model_table(state),
        evaluations=_evaluation_table(state),
    )


def todo(state: StudyState) -> list[tuple[str, str]]:
    """Return what to do next: what is to be done, and the command; the most urgent first."""
    asked = (
        (
            state.on_hold > 0,
            f"{counted(state.on_hold, 'session')} on hold: look at them, and accept or reject",
            "cta-data review --of transfers --reader CODE",
        ),
        (
            state.failed > 0,
            f"{counted(state.failed, 'session')} failed: read why",
            "cta-data status",
        ),
        (
            state.outdated > 0,
            f"{counted(state.outdated, 'result')} made by an earlier method: make them again",
            "cta-data build --setting A",
        ),
        (
            not state.cohorts,
            "No session was converted: add a cohort, and convert it",
            "cta-data add",
        ),
        (
            bool(state.cohorts) and not state.builds,
            "There is no training set",
            "cta-data build --setting B",
        ),
        *(
            (True, f"Setting {name} was built and not trained", f"cta-data train --setting {name}")
            for name in state.untrained
        ),
        (
            bool(state.folds) and not state.predictions,
            "No test set was predicted",
            "cta-data predict",
        ),
        (
            bool(state.predictions) and not state.evaluations,
            "Predictions were not scored",
            "cta-data evaluate",
        ),
        (
            any(one.open_false_positives for one in state.evaluations),
            "False positives wait for a reader",
            "cta-data review --of findings --reader CODE",
        ),
        (
            bool(state.cohorts) and not state.has_table_1,
            "Table 1 was not made",
            "cta-data report",
        ),
    )
    return [(what, command) for applies, what, command in asked if applies]


def _facts(state: StudyState) -> tuple[tuple[str, str], ...]:
    sums = {name: sum(one.counts[name] for one in state.cohorts) for name in COHORT_COUNTS}
    return (
        ("Cohorts", ", ".join(one.cohort for one in state.cohorts) or "none"),
        ("Patients", str(sum(one.patients for one in state.cohorts))),
        ("Subject-sessions", str(sums["Sessions"])),
        ("Training sets", ", ".join(state.builds) or "none"),
        ("Models", ", ".join(state.folds) or "none"),
        ("Package", f"cta_data {package_version()}"),
    )


def _cohort_table(state: StudyState) -> Table:
    columns = (
        TableColumn("Cohort", "name"),
        TableColumn("Patients"),
        *(TableColumn(name) for name in COHORT_COUNTS),
    )
    rows = tuple(
        Row((one.cohort, str(one.patients), *(str(one.counts[name]) for name in COHORT_COUNTS)))
        for one in state.cohorts
    )
    return without_empty_columns(Table(columns, rows, "Subject-sessions by cohort"))


def _model_table(state: StudyState) -> Table:
    names = ("Setting", "Folds", "Epochs", "Predicted cases")
    columns = (TableColumn("Model", "name"), *(TableColumn(name) for name in names))
    rows = []
    for model, own in state.folds.items():
        settings, epochs = {one.setting for one in own}, {one.epochs for one in own}
        folds = ", ".join(str(one.fold) for one in own)
        cells = (_listed(settings), folds, _listed(epochs), str(state.predictions.get(model, 0)))
        rows.append(Row((model, *cells)))
    return Table(columns, tuple(rows), "Trained models")


def _listed(values: set) -> str:
    return ", ".join(map(str, sorted(values)))


def _evaluation_table(state: StudyState) -> Table:
    columns = (
        TableColumn("Convention", "name"),
        *(TableColumn(name, "text") for name in ("Models", "Test sets")),
        TableColumn("Scored cases"),
        TableColumn("False positives"),
        TableColumn("Without verdict"),
    )
    rows = tuple(
        Row(
            (
                one.convention,
                ", ".join(one.models),
                ", ".join(map(name_of_test_set, in_paper_order(one.test_sets))),
                str(one.cases),
                str(one.false_positives),
                str(one.open_false_positives),
            )
        )
        for one in state.evaluations
    )
    return Table(columns, rows, "Evaluations by convention")
