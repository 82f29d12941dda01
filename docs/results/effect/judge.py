"""Judge the models of the effect's experiment by the truth and by what each reader drew.

Run ``python docs/results/effect/judge.py FOLDER OUT [-j 2]`` after `train_models.py`. Models are
compared at equal numbers of false positives per patient, each with the score of a candidate that
ranks best in its validation patients (`validated.py`). Figures of a setting are means over its
seeds; intervals draw whole patients, the same for all models. OUT gets

- scores.csv: average precision of each score in the validation patients, by model;
- froc.csv: sensitivity by setting and reference, of all lesions and by volume;
- differences.csv: B against A, and every dose against both, of all seeds and of each;
- by_score.csv: B against A with one score for all models, whichever it is;
- surest.csv: how many lesions and false positives share the highest score of a model;
- real.csv: of the false positives by the reader on MPRAGE, how many are real lesions;
- readers.csv: how many lesions each training set's annotation lacks;
- froc.png, and dose.png where readers overlook known shares.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from compared import (
    BASELINE,
    BINS,
    DOSE,
    SMALL,
    Models,
    N,
    annotation_of,
    in_words,
    intervals,
    one_difference,
    told,
)
from of_scores import by_score, surest
from pictures import draw_curves, draw_dose
from validated import CANDIDATES_FROM, chosen_score, kept_precisions

from cta_data.processes import Workers, open_workers
from cta_data.scoring import ARTICLE
from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet, find_candidates
from cta_data.scoring.probabilities.curve import LEVELS, froc_curve
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables.rows import AnnotationRow, VariantRow

TEST_SET = "internal-HAQ"
TECHNIQUE = "MPRAGE"
AT = 1.0
"""False positives per patient that real.csv is about."""
KINDS = ("small", "large")


@dataclass(frozen=True)
class Trial:
    """The files of an experiment: references and probability maps of the test patients."""

    folder: Path
    study: Study
    references: Mapping[str, Mapping[str, Path]]
    maps: Mapping[tuple[str, int], Mapping[str, Path]]
    device: str

    @property
    def settings(self) -> tuple[str, ...]:
        """Settings whose models predicted."""
        return tuple(sorted({setting for setting, _ in self.maps}))

    def models(self, setting: str, reference: str, workers: Workers) -> Models:
        """Return the models of a setting, of every seed."""
        found, scores = {}, {}
        for own, seed in self.maps:
            if own == setting:
                found[seed] = self._found(setting, seed, reference, workers)
                scores[seed] = chosen_score(self.folder, seed, setting, self.device)
        return Models(setting, reference, found, scores)

    def _found(self, setting: str, seed: int, reference: str, workers: Workers) -> CandidateSet:
        truths = self.references[reference]
        files = {case: (truths[case], path) for case, path in self.maps[setting, seed].items()}
        found = find_candidates(files, ARTICLE, CANDIDATES_FROM, model=setting, workers=workers)
        if found.failed:
            raise SystemExit(f"not judged: {found.failed}")
        return found


def main() -> None:
    """Find candidates, compare, write tables and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cpu", help="predicts the validation patients")
    parser.add_argument("--jobs", "-j", type=int, default=2)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    trial = open_trial(chosen.folder.absolute(), chosen.device)
    with open_workers(chosen.jobs) as workers:
        models = {
            (setting, reference): trial.models(setting, reference, workers)
            for reference in ("truth", "HAQ", "NAQ")
            for setting in trial.settings
            if setting in ("A", "B") or reference == "truth"
        }
    tables = {
        "scores": kept_precisions(trial.folder),
        "froc": [row for own in models.values() for row in sensitivities(own)],
        "differences": list(differences(models)),
        "by_score": list(by_score(models)),
        "surest": list(surest(models)),
        "real": list(real_lesions(models)),
        "readers": list(annotated(trial)),
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    for name, frame in frames.items():
        frame.to_csv(chosen.out / f"{name}.csv", index=False, float_format="%.4g")
        print(f"{name}\n{frame.to_string(index=False)}\n", flush=True)
    draw_curves(models, chosen.out / "froc.png")
    if len(trial.settings) > 2:
        draw_dose(models, frames["readers"], chosen.out / "dose.png")


def open_trial(folder: Path, device: str) -> Trial:
    """Find the test patients' references and what the models of all seeds gave."""
    studies = {int(path.name.removeprefix("seed-")): path for path in sorted(folder.glob("seed-*"))}
    first = Study(studies[min(studies)])
    maps = {}
    for seed, root in studies.items():
        for setting in first.configuration.build.settings:
            own = root / layout.predicted_probability(setting, TEST_SET, "*")
            paths = {path.name.removesuffix(".nii.gz"): path for path in own.parent.glob("*.gz")}
            if paths:
                maps[setting, seed] = paths
    cases = sorted(next(iter(maps.values())))
    references = {"truth": truths(folder, first, cases)} | drawn(first, cases)
    return Trial(folder, first, references, maps, device)


def truths(folder: Path, study: Study, cases: Sequence[str]) -> dict[str, Path]:
    """Return the mask of all lesions that each patient really has."""
    known = pd.read_csv(
        study.root / "datasets/internal/sourcedata/subjects.tsv", sep="\t", dtype=str
    )
    patients = known.set_index("subject")["source_id"]
    return {
        case: folder / "trial/truth" / patients[subject_of(case)] / f"lesions_{TECHNIQUE}.nii.gz"
        for case in cases
    }


def drawn(study: Study, cases: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Return the masks of the annotations on MPRAGE's grid, by quality or by reader and quality.

    The annotations of the own reader are HAQ and NAQ, as in the settings A and B.
    """
    readers = {
        (row.session, row.annotation): row.reader for row in study.tables.rows(AnnotationRow)
    }
    found: dict[str, dict[str, Path]] = {}
    for row in study.tables.rows(VariantRow):
        reader = readers[row.session, row.annotation]
        name = name_of(reader, row.quality)
        if row.grid == TECHNIQUE and row.session.case in cases:
            path = study.root / row.mask_path
            found.setdefault(name, {})[row.session.case] = path
    return {name: paths for name, paths in found.items() if len(paths) == len(cases)}


def name_of(reader: str, quality: str) -> str:
    """Return the name of an annotation here: its quality, or one of the further readers."""
    return reader if reader.startswith(DOSE) else quality


def subject_of(case: str) -> str:
    """Return the subject of a case of the internal cohort."""
    return case.removeprefix("internal_sub-").split("_")[0]


def sensitivities(models: Models) -> Iterator[dict[str, object]]:
    """Sensitivity at each level, of all lesions and of classes, and average precision."""
    events = next(iter(models.events.values()))
    made = intervals(models.figures, models.n_patients)
    shared = {"setting": models.setting, "reference": models.reference, "seeds": len(models.found)}
    n_all = int(events.all_lesions.per_patient.sum())
    for level, one in zip(LEVELS, made, strict=False):
        yield {**shared, "false_positives": level, "lesions": "all", "n": n_all, **told(one)}
    for number, size in enumerate(BINS):
        n = int(events.classes[number].per_patient.sum())
        for i, level in enumerate(LEVELS):
            one = made[N + 1 + number * N + i]
            at = {"false_positives": level, "lesions": in_words(size), "n": n}
            yield {**shared, **at, **told(one)}
    at = {"false_positives": "average precision", "lesions": "all", "n": n_all}
    yield {**shared, **at, **told(made[N])}


def differences(models: Mapping[tuple[str, str], Models]) -> Iterator[dict[str, object]]:
    """B minus A, and every dose minus both of them, of all seeds and of each."""
    for (setting, reference), own in models.items():
        for other in (BASELINE, "B"):
            if setting in (BASELINE, other):
                continue
            baseline = models[other, reference]
            common = sorted(own.found.keys() & baseline.found.keys())
            for seeds in (common, *([one] for one in common if len(common) > 1)):
                shared = {"settings": f"{setting} − {other}", "reference": reference}
                shared["seeds"] = " ".join(map(str, seeds))
                yield from one_difference(shared, baseline, own, seeds)


def real_lesions(models: Mapping[tuple[str, str], Models]) -> Iterator[dict[str, object]]:
    """Of what NAQ calls false positives at a threshold, how many are lesions by the truth.

    The threshold of each model is that of one false positive per patient by the truth.
    """
    for setting, reference in models:
        if reference != "NAQ":
            continue
        by_truth, by_naq = models[setting, "truth"], models[setting, "NAQ"]
        for seed, score in by_truth.scores.items():
            curve = froc_curve(by_truth.found[seed], score)
            level = next(one for one in curve.levels if one.level == AT)
            true = detected(by_truth.found[seed], score, level.threshold)
            named = detected(by_naq.found[seed], score, level.threshold)
            false = [key for key, hit in named.items() if not hit]
            yield {
                "setting": setting,
                "seed": seed,
                "score": score,
                "candidates": len(named),
                "false_by_NAQ": len(false),
                "real_of_them": sum(true[key] for key in false),
                "false_by_truth": sum(not hit for hit in true.values()),
            }


def detected(
    found: CandidateSet, score: ScoreName, threshold: float
) -> dict[tuple[str, int], bool]:
    """Return of each candidate that is kept whether it is a detection."""
    return {
        (one.case, one.candidate): one.detected
        for one in found.candidates
        if getattr(one, score) >= threshold
    }


def annotated(trial: Trial) -> Iterator[dict[str, object]]:
    """How many lesions each training set's annotation lacks, and those the tests are judged by."""
    for setting in trial.settings:
        cases = [one.case for one in trial.study.dataset(setting).training(None)]
        yield {"patients": f"train {setting}", **lacking(trial, cases, annotation_of(setting))}
    for name in ("HAQ", "NAQ"):
        cases = list(trial.references["truth"])
        yield {"patients": "test", **lacking(trial, cases, name)}


def lacking(trial: Trial, cases: Sequence[str], annotation: str) -> dict[str, object]:
    """Count the lesions of patients, those that are small, and those that an annotation lacks."""
    counts: Counter[str] = Counter()
    for truth in truths(trial.folder, trial.study, cases).values():
        known = json.loads((truth.parent / "lesions.json").read_text("utf-8"))
        delineated = json.loads((truth.parent / "annotations.json").read_text("utf-8"))
        (own,) = (one for one in delineated if name_of(one["reader"], one["quality"]) == annotation)
        seen = {roi["lesion"] for roi in own["rois"]}
        for lesion in known:
            kind = "small" if lesion["volume_mm3"] < SMALL.high else "large"
            counts[kind] += 1
            counts[f"{kind}_missed"] += lesion["id"] not in seen
    shares = {f"{kind}_share": counts[f"{kind}_missed"] / counts[kind] for kind in KINDS}
    numbers = {name: counts[name] for kind in KINDS for name in (kind, f"{kind}_missed")}
    return {"n": len(cases), "annotation": annotation, **numbers, **shares}


if __name__ == "__main__":
    main()
