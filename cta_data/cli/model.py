"""The commands `model list`, `model export` and `model import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import ModelOptions
from cta_data.cli.options import JsonOutput, Output, StudyChoice
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import print_lines


def list_models(output: JsonOutput, chosen: StudyChoice) -> int:
    """List the models of the study, a line for each fold."""
    from cta_data.training.model_cards import read_cards

    cards = read_cards(chosen.open())

    if cards and not output.as_json:
        from cta_data.terminal.value_table import table_text

        print_lines([table_text(list(cards[0]), [list(card.values()) for card in cards])])
    else:
        output.show(lambda: cards, ["the study has no trained model"])
    return EXIT_OK if cards else EXIT_NOTHING


def export(
    setting: Annotated[str, Option("--setting", help="Whose model.")],
    archive: Annotated[Path, Argument(help="The zip file to write.")],
    options: Annotated[ModelOptions, Takes("configuration", "planner")],
    output: Annotated[Output, Takes("overwrite")],
    chosen: StudyChoice,
) -> int:
    """Write a model as a zip that any nnU-Net can install.

    The command of nnU-Net is `nnUNetv2_install_pretrained_model_from_zip`.
    """
    from cta_data.training.model_cards import export_trained

    study = chosen.open()
    training = options.section(study.configuration.training)
    made = export_trained(study, setting, training, archive, overwrite=output.overwrite)
    print_lines([f"{archive}: model {made.model}, {made.folds} folds, {made.files} files"])
    return EXIT_OK


def import_(
    archive: Annotated[Path, Argument(help="The zip file that nnU-Net or we exported.")],
    chosen: StudyChoice,
) -> int:
    """Take a model of any nnU-Net in; nothing of it is executed."""
    from cta_data.given_paths import require_given_file
    from cta_data.study import layout
    from cta_data.training.model_cards import take_model
    from cta_data.training.nnunet.environment import require_training_packages

    require_training_packages()
    require_given_file(archive, "the exported model")
    taken = take_model(chosen.open(), archive)
    place = layout.model_folder(taken.folder)
    print_lines([f"{place}: folds {', '.join(taken.folds)}"])
    print_lines(f"  left out: {name}" for name in taken.skipped)
    print_lines([f"Predict with: cta-data predict --model {place} --input DIR --output DIR"])
    return EXIT_OK
