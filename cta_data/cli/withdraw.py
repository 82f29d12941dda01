"""The command `withdraw`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import DateOption, Execution, JsonOutput, StudyChoice, day_of
from cta_data.cli.runner import home_writer
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError


def withdraw(
    chosen: StudyChoice,
    output: JsonOutput,
    execution: Annotated[
        Execution, Takes(dry_run="List every trace and change nothing, as without --yes.")
    ],
    subject: Annotated[str, Argument(help="Subject label, without sub-.")] = "",
    cohort: Annotated[str, Option(help="Cohort, if several have the label.")] = "",
    yes: Annotated[bool, Option("--yes", help="Remove it; cannot be undone.")] = False,
    forget: Annotated[
        bool,
        Option(
            "--forget-history",
            help="Without SUBJECT: remove the git history that names withdrawn subjects.",
        ),
    ] = False,
    on: DateOption = "",
) -> int:
    """Remove a subject who withdrew consent.

    Without --yes, every trace is listed and nothing changes.
    """
    from cta_data.pipeline.withdrawal import command, history
    from cta_data.pipeline.withdrawal.choice import subject_named
    from cta_data.terminal import withdrawal as texts

    if forget == bool(subject):
        raise ConfigurationError("withdrawal_of_nobody")
    study, day, only_list = chosen.open(), day_of(on), execution.dry_run or not yes
    if forget:
        if only_list:
            wanted = history.history_to_forget(study)
            output.show(lambda: texts.history_content(wanted), texts.history_lines(wanted))
            return EXIT_OK
        done = history.forget_history(study)
        output.show(lambda: texts.forgotten_content(done), texts.forgotten_lines(done))
        return EXIT_OK
    names = subject_named(study, subject, cohort)
    if only_list:
        found = command.plan_withdrawal(study, names)
        output.show(lambda: texts.traces_content(found), texts.traces_lines(found))
        return EXIT_OK
    made = command.withdraw(study, names, day, home_writer(study))
    output.show(lambda: texts.withdrawn_content(made), texts.withdrawn_lines(made))
    return EXIT_FAILED if made.unreached or made.left else EXIT_OK
