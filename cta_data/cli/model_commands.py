"""The commands `model list`, `model export` and `model import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cta_data.cli.options import JsonOption, OverwriteOption, StudyOption
from cta_data.cli.training_options import ConfigurationOption, PlannerOption, training_section
from cta_data.destinations import require_file_place
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.given_paths import require_given_file
from cta_data.study.study import open_study
from cta_data.terminal.output import console, print_frame, print_json

models = typer.Typer(
    name="model",
    help="List, export and import models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(models, name="model")


@models.command("list")
def list_models(as_json: JsonOption = False, study: StudyOption = None) -> int:
    """List the models of the study, a line a fold, as their cards tell."""
    import pandas as pd

    from cta_data.training.model_cards import read_cards

    cards = read_cards(open_study(study))
    if as_json:
        print_json(cards)
    elif cards:
        print_frame(pd.DataFrame(cards))
    else:
        console().print("the study has no trained model")
    return EXIT_OK if cards else EXIT_NOTHING


@models.command("export")
def export(
    setting: Annotated[str, typer.Option("--setting", help="Whose model.")],
    archive: Annotated[Path, typer.Argument(help="The zip file to write.")],
    configuration: ConfigurationOption = "",
    planner: PlannerOption = "",
    overwrite: OverwriteOption = False,
    study: StudyOption = None,
) -> int:
    """Write a model as a zip that `nnUNetv2_install_pretrained_model_from_zip` installs."""
    from cta_data.study.layout import MODELS
    from cta_data.training.models import model_of
    from cta_data.training.nnunet.archive import export_model
    from cta_data.training.nnunet.environment import require_training_packages
    from cta_data.training.trained_models import trained_folds
    from cta_data.versioning.datasets import fetch

    require_training_packages()
    opened = open_study(study)
    changes = {k: v for k, v in (("configuration", configuration), ("planner", planner)) if v}
    model = model_of(opened, setting, training_section(opened, changes))
    folds = trained_folds(opened, model)
    if not folds:
        raise ConfigurationError(
            f"model {model.name} is not trained",
            next_step=f"Run `cta-data train --setting {setting}`",
        )
    require_file_place(archive, [opened.root / MODELS], overwrite=overwrite)
    wanted = [p for p in sorted((opened.root / model.folder).glob("**/*")) if not p.is_dir()]
    fetch(opened.root, [path.relative_to(opened.root).as_posix() for path in wanted])
    folder = model.folder.removeprefix(f"{MODELS}/")
    held = export_model(opened.root / model.folder, folder, [str(n) for n in folds], archive)
    console().print(f"{archive}: model {model.name}, {len(folds)} folds, {len(held)} files")
    return EXIT_OK


@models.command("import")
def import_(
    archive: Annotated[Path, typer.Argument(help="The zip file that nnU-Net or we exported.")],
    study: StudyOption = None,
) -> int:
    """Take a model of anyone's nnU-Net into the study; nothing in it is executed."""
    from cta_data.training.model_cards import take_model
    from cta_data.training.nnunet.environment import require_training_packages

    require_training_packages()
    require_given_file(archive, "the exported model")
    opened = open_study(study)
    taken = take_model(opened, archive)
    console().print(f"models/{taken.folder}: folds {', '.join(taken.folds)}", soft_wrap=True)
    for name in taken.skipped:
        console().print(f"  left out: {name}", soft_wrap=True)
    console().print(
        f"Predict with: cta-data predict --model models/{taken.folder} --input DIR --output DIR",
        soft_wrap=True,
    )
    return EXIT_OK
