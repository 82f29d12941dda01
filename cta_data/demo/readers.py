"""Several readers in the demonstration: who annotates what, and which annotation settings take."""

from __future__ import annotations

from cta_data.phantom import FurtherReader, ReadersPlan
from cta_data.study.configuration import PAPER_SETTINGS
from cta_data.study.study import CONFIGURATION, Study
from cta_data.versioning.datasets import save

OWN, SECOND = "R1", "R2"


def readers_plan(patients: int) -> ReadersPlan:
    """Return the plan of a trial of so many patients.

    Every patient is annotated on both techniques by one reader; a second reader repeats half of
    them on SPACE, half a millimetre beside, with a lesion missed and one added in each.
    """
    second = FurtherReader(SECOND, patients=patients // 2, shift_mm=0.5, missed=1, added=1)
    return ReadersPlan(own=OWN, both=None, further=(second,))


def tell_readers(study: Study, plan: ReadersPlan) -> Study:
    """Write into the card how readers are recognised, and into study.toml which of them counts."""
    card = study.root / study.cohort_path("internal") / "card.toml"
    ruled = card.read_text("utf-8") + plan.card_rules()
    card.unlink()  # it may be a link into git-annex
    card.write_text(ruled, encoding="utf-8")
    configuration = study.root / CONFIGURATION
    settings = "".join(
        f"\n[build.settings.{name}]\n"
        f'technique = "{one.technique}"\nquality = "{one.quality}"\n'
        f'reader = "{OWN}"\ndataset_id = {one.dataset_id}\n'
        for name, one in PAPER_SETTINGS.items()
    )
    chosen = f'{settings}\n[evaluation]\nreader = "{OWN}"\n'
    configuration.write_text(configuration.read_text("utf-8") + chosen, encoding="utf-8")
    save(study.root, "Readers of the digital phantoms", [card, configuration])
    study.refresh()
    return study
