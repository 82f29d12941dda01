"""The paper"s partition: sizes, disjointness, and stability."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from helpers.refusals import require_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.pipeline.partition import Assignment, PartitionOptions, Patient, partition

PAPER = PartitionOptions(seed=20250215, test_fraction=0.2, folds=5, equalise_groups=True)


def group(quality: str, size: int, cohort: str = "internal") -> list[Patient]:
    return [Patient(cohort, f"{quality}{number:03d}", (quality,)) for number in range(size)]


def counts(assignments: list[Assignment]) -> dict[tuple[str, str], int]:
    return Counter((a.patient.group, a.partition) for a in assignments)


TRIAL = group("NAQ", 81) + group("HAQ", 76)
PATIENTS = st.lists(
    st.builds(
        Patient,
        st.sampled_from(["a", "b"]),
        st.integers(0, 400).map(str),
        st.sampled_from([("NAQ",), ("HAQ",), ("XAQ",)]),
    ),
    max_size=80,
    unique_by=lambda p: (p.cohort, p.subject),
)
OPTIONS = st.builds(
    PartitionOptions,
    st.integers(0, 99),
    st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.9]),
    st.integers(2, 6),
    st.booleans(),
)


def test_the_numbers_of_the_paper() -> None:
    """81 and 76 patients become 76 and 76, each 61 for training and 15 for the test.

    Wald, Hamm et al. 2025, doi 10.1186/s41747-025-00554-5.
    """
    assert counts(partition(TRIAL, PAPER)) == {
        ("NAQ", "excluded"): 5,
        ("NAQ", "train"): 61,
        ("NAQ", "test"): 15,
        ("HAQ", "train"): 61,
        ("HAQ", "test"): 15,
    }


def test_who_is_dropped_is_told_why() -> None:
    """The reason names the groups and their common size; nobody else has one."""
    for assignment in partition(TRIAL, PAPER):
        if assignment.partition == "excluded":
            require_reason(assignment.reason, "dropped_at_random", n_patients=76)
        else:
            assert assignment.reason is None


@settings(max_examples=150)
@given(st.data(), PATIENTS, OPTIONS)
def test_everybody_is_in_one_place(
    data: st.DataObject, patients: list[Patient], options: PartitionOptions
) -> None:
    """Every patient is assigned once, whatever the order of the input; only training has folds."""
    assignments = partition(patients, options)
    assert sorted(a.patient for a in assignments) == sorted(patients)
    for assignment in assignments:
        assert (assignment.fold is not None) == (assignment.partition == "train")
    assert partition(data.draw(st.permutations(patients)), options) == assignments
    assert partition(patients + patients, options) == assignments


@settings(max_examples=150)
@given(PATIENTS, OPTIONS)
def test_sizes_follow_from_the_options(patients: list[Patient], options: PartitionOptions) -> None:
    """Groups are equal where that is asked; the test part is the fraction, rounded half up.

    Folds of a group differ by one patient at most.
    """
    sizes = Counter(p.group for p in patients)
    found = partition(patients, options)
    for quality, size in sizes.items():
        kept = min(sizes.values()) if options.equalise_groups else size
        number = counts(found)
        assert number[quality, "excluded"] == size - kept
        assert number[quality, "test"] == int(kept * options.test_fraction + 0.5)
        assert number[quality, "train"] + number[quality, "test"] == kept
        folds = Counter(a.fold for a in found if a.patient.group == quality and a.fold is not None)
        assert set(folds) <= set(range(options.folds))
        per_fold = [folds[fold] for fold in range(options.folds)]
        assert max(per_fold) - min(per_fold) <= 1


def test_without_equalising_all_are_kept() -> None:
    """81 and 76 stay 81 and 76."""
    found = counts(partition(TRIAL, replace(PAPER, equalise_groups=False)))
    assert sum(found.values()) == 157
    assert all(place != "excluded" for _, place in found)


def test_one_group_alone_is_never_cut() -> None:
    """With nobody to be equal to, nobody is dropped."""
    assert counts(partition(group("HAQ", 10), PAPER)) == {("HAQ", "train"): 8, ("HAQ", "test"): 2}
    assert partition([], PAPER) == []


def test_the_seed_decides_and_nothing_else_does() -> None:
    """The same seed gives the same partition; another seed gives another."""
    assert partition(TRIAL, PAPER) == partition(TRIAL, PAPER)
    assert partition(TRIAL, PAPER) != partition(TRIAL, replace(PAPER, seed=1))


def test_the_partition_does_not_change_between_versions() -> None:
    """A study that was built stays built: the first test patients are pinned."""
    tests = [a.patient.subject for a in partition(TRIAL, PAPER) if a.partition == "test"]
    assert tests[:4] == ["HAQ001", "HAQ006", "HAQ013", "HAQ019"]
    assert tests[15:19] == ["NAQ004", "NAQ010", "NAQ014", "NAQ016"]


@pytest.mark.parametrize("joining", ["NAQ", "HAQ"])
def test_a_patient_who_joins_moves_few(joining: str) -> None:
    """Of the 157 others only a few change between training, test, excluded, or between folds."""
    before = {a.patient: (a.partition, a.fold) for a in partition(TRIAL, PAPER)}
    moved = []
    for number in range(20):
        new = Patient("internal", f"new{number}", (joining,))
        after = {a.patient: (a.partition, a.fold) for a in partition([*TRIAL, new], PAPER)}
        moved.append(sum(after[patient] != place for patient, place in before.items()))
    assert max(moved) <= 12
    assert sum(moved) / len(moved) < 8


def test_test_patients_are_spread_over_the_cohort() -> None:
    """Drawing is at random: neither the first nor the last patients are preferred."""
    tests = [
        a.patient.subject for a in partition(group("HAQ", 1000), PAPER) if a.partition == "test"
    ]
    numbers = [int(subject[3:]) for subject in tests]
    assert len(numbers) == 200
    assert 430 < sum(numbers) / 200 < 570
    assert 25 < sum(number < 200 for number in numbers) < 60


def test_folds_are_drawn_too() -> None:
    """A second draw makes the folds, so that they do not follow the order of the names."""
    found = partition(group("HAQ", 500), PAPER)
    by_subject = {a.patient.subject: a.fold for a in found if a.fold is not None}
    folds = [by_subject[subject] for subject in sorted(by_subject)]
    assert folds != [index % 5 for index in range(len(folds))]


def test_who_was_annotated_on_both_counts_for_both() -> None:
    """Nobody with both qualities is dropped: the others are cut until the qualities are equal."""
    both = [Patient("internal", f"both{number}", ("HAQ", "NAQ")) for number in range(10)]
    found = partition([*group("NAQ", 20), *group("HAQ", 12), *both], PAPER)
    kept = [a.patient for a in found if a.partition != "excluded"]
    assert Counter(quality for p in kept for quality in p.qualities) == {"NAQ": 22, "HAQ": 22}
    assert set(both) <= set(kept)
    alone = partition(both, PAPER)
    assert Counter(a.partition for a in alone) == {"train": 8, "test": 2}
