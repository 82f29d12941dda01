"""A sample size on a terminal: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from cta_data.reports.sample_size import SampleSize

NAMES = {
    "sensitivity": "expected sensitivity",
    "against": "tested against",
    "difference": "expected difference",
    "half_width": "half of the interval",
    "discordant": "lesions that one model alone finds",
    "correlation": "intra-cluster correlation",
    "mean_lesions": "lesions per patient, mean",
    "sd_lesions": "lesions per patient, SD",
    "alpha": "level of the test, two-sided",
}


def sample_size_lines(answer: SampleSize) -> Iterator[str]:
    """Yield the number of patients, and every value that it follows from."""
    told = "" if answer.power is None else f", power {answer.power:.3f}"
    yield f"{answer.patients} patients with lesions (about {answer.lesions:.0f} lesions){told}"
    is_interval = answer.purpose == "interval"
    for name, text in NAMES.items():
        value = getattr(answer.question, name)
        if name == "alpha" and is_interval:
            yield f"  confidence of the interval: {1 - value:.4g}"
        elif value is not None:
            source = " (found in the study)" if name in answer.from_study else ""
            yield f"  {text}: {value:.4g}{source}"
    yield f"  design effect: {answer.design_effect:.3g}"
    if answer.from_study:
        yield "Values found in a study are estimates themselves; see what others would ask for."
