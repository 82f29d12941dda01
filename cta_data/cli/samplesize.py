"""The command `samplesize`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from cta_data.cli.options import ConventionOption, JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_OK
from cta_data.errors import ConfigurationError


@dataclass(frozen=True)
class ExpectedLesions:
    """What is expected of lesions; without it, what the study found."""

    sensitivity: Annotated[
        float | None, Option("--sensitivity", help="Expected sensitivity, 0 to 1.")
    ] = None
    discordant: Annotated[
        float | None,
        Option("--discordant", help="Share of lesions that one of two models alone finds."),
    ] = None
    icc: Annotated[
        float | None, Option("--icc", help="Intra-cluster correlation of a patient's lesions.")
    ] = None
    lesions: Annotated[
        float | None, Option("--lesions", help="Mean number of lesions per patient.")
    ] = None
    lesions_sd: Annotated[
        float | None, Option("--lesions-sd", help="Standard deviation of that number.")
    ] = None


def samplesize(
    expected: ExpectedLesions,
    output: JsonOutput,
    chosen: StudyChoice,
    against: Annotated[
        float | None,
        Option("--against", help="Sensitivity to test the expected one against."),
    ] = None,
    difference: Annotated[
        float | None,
        Option("--difference", help="Expected difference of two models, as 0.08."),
    ] = None,
    half_width: Annotated[
        float | None, Option("--half-width", help="Of the interval of the sensitivity, as 0.05.")
    ] = None,
    power: Annotated[
        float | None, Option("--power", help="Probability to see the effect; 0.8 without it.")
    ] = None,
    alpha: Annotated[float, Option("--alpha", help="Level of the test, two-sided.")] = 0.05,
    model: Annotated[
        list[str] | None,
        Option("--model", help="Model of the study whose scores are used; two for a difference."),
    ] = None,
    test_set: Annotated[
        str, Option("--test-set", help="Only this test set of the study, as internal-HAQ.")
    ] = "",
    convention: ConventionOption = "article",
) -> int:
    """Tell how many patients a study of sensitivity needs.

    Lesions of one patient are alike, which the intra-cluster correlation says.
    """
    from cta_data.reports.sample_size import Question, found_in_study, sample_size
    from cta_data.scoring.conventions import convention_named
    from cta_data.terminal.sample_size_table import sample_size_lines

    question = Question(
        sensitivity=expected.sensitivity,
        against=against,
        difference=difference,
        half_width=half_width,
        discordant=expected.discordant,
        correlation=expected.icc,
        mean_lesions=expected.lesions,
        sd_lesions=expected.lesions_sd,
        power=power,
        alpha=alpha,
    )
    models, rules = model or [], convention_named(convention)
    wanted = 2 if question.purpose == "difference" else 1
    if models and len(models) != wanted:
        why = f"--model was given {len(models)} times; {wanted} needed here"
        raise ConfigurationError("sample_size_options_invalid", why=why)
    if test_set and not models:
        why = "--test-set is of a study, and needs --model"
        raise ConfigurationError("sample_size_options_invalid", why=why)
    found = found_in_study(chosen.open(), models, test_set, rules.name) if models else None
    answer = sample_size(question, found)
    output.show(answer.content, sample_size_lines(answer))
    return EXIT_OK
