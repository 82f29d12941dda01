"""What of a comparison hangs on the scores of candidates: on which is chosen, and on equal ones.

A probability near 1 is 1 in single precision. Candidates that share it cannot be put in order: with
21 false positives among them, of 39 patients, there is no threshold at half a false positive, and
sensitivity is 0 there, however many lesions are among them, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compared import BASELINE, SMALL, Models, one_difference

from cta_data.scoring.probabilities.candidates import SCORES


def by_score(models: Mapping[tuple[str, str], Models]) -> Iterator[dict[str, object]]:
    """B minus A by the truth, of all seeds and of each, with the same score for all models."""
    a, b = (models[setting, "truth"] for setting in (BASELINE, "B"))
    common = sorted(a.found.keys() & b.found.keys())
    for score in SCORES:
        sides = [
            Models(one.setting, one.reference, one.found, dict.fromkeys(one.found, score), (SMALL,))
            for one in (a, b)
        ]
        for seeds in (common, *([one] for one in common if len(common) > 1)):
            shared = {"score": score, "seeds": " ".join(map(str, seeds))}
            yield from one_difference(shared, sides[0], sides[1], seeds)


def surest(models: Mapping[tuple[str, str], Models]) -> Iterator[dict[str, object]]:
    """Lesions found and false positives, by the truth, at the highest score of each model."""
    for (setting, reference), own in models.items():
        if reference != "truth":
            continue
        for seed, events in own.events.items():
            found, false = events.counts
            yield {
                "setting": setting,
                "seed": seed,
                "score": own.scores[seed],
                "highest": f"{events.scores[0]:.9f}",
                "lesions_found": int(found[0]),
                "false_positives": int(false[0]),
                "false_positives_per_patient": false[0] / own.n_patients,
            }
