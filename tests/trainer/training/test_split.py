"""Patients are in one part only, and the same seed gives the same parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.split import split_by_patient

FRACTIONS = (0.7, 0.12, 0.18)


@given(st.integers(3, 200), st.integers(0, 5))
def test_every_patient_is_in_exactly_one_part(count, seed):
    patients = [f"p{n}" for n in range(count)]
    split = split_by_patient(patients * 3, FRACTIONS, seed)
    assert sorted(split.train + split.validation + split.test) == sorted(patients)
    assert split.train
    assert split.validation
    assert split.test


def test_the_split_does_not_depend_on_the_order_of_slices():
    patients = [f"p{n}" for n in range(20)]
    assert split_by_patient(patients, FRACTIONS, 1) == split_by_patient(reversed(patients), FRACTIONS, 1)


def test_all_patients_may_be_trained_on():
    split = split_by_patient(["a", "b"], (1.0, 0.0, 0.0), 1)
    assert split.train == ("a", "b")
    assert not split.test


def test_too_few_patients_are_refused():
    with pytest.raises(ValueError, match="too few"):
        split_by_patient(["a", "b"], FRACTIONS, 1)
