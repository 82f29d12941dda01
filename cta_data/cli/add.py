"""The command `add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import Execution, JsonOutput, StudyChoice, day_of
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.terminal.output import print_lines

GIBIBYTE = 1 << 30


def add(
    cohort: Annotated[str, Argument(help="Cohort; its card says how files are read.")],
    execution: Annotated[
        Execution, Takes("dry_run", jobs="Processes that read the source's headers.")
    ],
    output: JsonOutput,
    chosen: StudyChoice,
    source: Annotated[
        Path | None, Argument(help="Folder, zip or tar. Without it: where to get the data.")
    ] = None,
    subject_id: Annotated[
        str, Option("--id", help="Label of the one patient in SOURCE, without sub-.")
    ] = "",
    subject_map: Annotated[
        Path | None, Option("--subject-map", help="TSV with the columns source_id and subject.")
    ] = None,
    card: Annotated[
        Path | None, Option("--card", help="Card of a cohort of your own (TOML).")
    ] = None,
    replace: Annotated[
        bool, Option("--replace", help="Let changed objects replace those known before.")
    ] = False,
    consent_again: Annotated[
        bool,
        Option("--consent-again", help="Take in patients who withdrew consent and gave it again."),
    ] = False,
    limit: Annotated[
        float, Option("--unpacked-limit", min=0.001, help="GiB that archives may unpack to.")
    ] = 200.0,
) -> int:
    """Take raw files (folder or archive) into a cohort."""
    from cta_data.given_paths import require_given_file
    from cta_data.intake import AdditionOptions, UnpackLimits
    from cta_data.pipeline.addition import take_in
    from cta_data.study.creation import card_to_be, require_cohort_name
    from cta_data.terminal import addition as texts
    from cta_data.terminal.next_commands import after_add

    study = chosen.open()
    require_cohort_name(study, cohort)
    for given, what in ((card, "the card"), (subject_map, "the table of labels")):
        if given is not None:
            require_given_file(given, what)
    if source is None:
        print_lines(texts.access_lines(card_to_be(study, cohort, card), own_card=card))
        return EXIT_OK
    options = AdditionOptions(
        subject=subject_id,
        subject_map=subject_map,
        # Who names the subject may split what carries one PatientID, such as "ANONYMOUS".
        separate_labels=bool(subject_id),
        replace=replace,
        consent_again=day_of("") if consent_again else "",
        limits=UnpackLimits(total_bytes=int(limit * GIBIBYTE)),
        jobs=execution.jobs,
    )
    done = take_in(study, cohort, source, options, card, dry_run=execution.dry_run)
    for line in (*texts.trouble_lines(done.plan), *(f"note: {note}" for note in done.notes)):
        output.note(line)
    output.show(lambda: texts.addition_content(done), texts.addition_lines(done))
    if not execution.dry_run:
        tell_next(study, chosen, output, after_add, cohort)
    return EXIT_FAILED if done.n_failed else EXIT_OK
