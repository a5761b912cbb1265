"""Intervals by patient: they cover, they are the same each time, and slices come with their patients."""

import time

import numpy as np
import pytest

from trainer.metrics.bootstrap import Bootstrap


def test_the_interval_is_that_of_means_of_drawn_patients():
    values, patients = np.array([0.0, 1.0, 1.0, 0.5, 0.2]), np.array([0, 0, 1, 2, 3])
    drawn = np.random.default_rng(7).integers(4, size=(20_000, 4))
    means = [np.mean(np.concatenate([values[patients == p] for p in picks])) for picks in drawn]
    expected = np.percentile(means, [2.5, 97.5])
    assert Bootstrap(4).mean(values, patients) == pytest.approx(expected, abs=0.03)


def test_the_same_numbers_each_time():
    values = np.random.default_rng(0).random(30)
    one, other = (Bootstrap(30).mean(values, np.arange(30)) for _ in range(2))
    assert one == other


def test_about_95_of_100_intervals_hold_the_true_mean():
    generator = np.random.default_rng(3)
    studies = generator.normal(0.8, 0.1, (200, 40))
    bootstrap, patients = Bootstrap(40, draws=1000), np.arange(40)
    ends = np.array([bootstrap.mean(values, patients) for values in studies])
    covered = ((ends[:, 0] < 0.8) & (ends[:, 1] > 0.8)).mean()
    assert 0.9 < covered <= 0.98


def test_slices_that_are_alike_do_not_make_the_interval_narrower():
    """Twenty slices of the same value say no more than one."""
    values = np.random.default_rng(1).random(15)
    once = Bootstrap(15).mean(values, np.arange(15))
    often = Bootstrap(15).mean(np.repeat(values, 20), np.repeat(np.arange(15), 20))
    assert often == pytest.approx(once)


def test_values_that_are_not_defined_are_left_out():
    values = np.array([0.1, np.nan, 0.5, 0.9, np.nan])
    low, high = Bootstrap(5).mean(values, np.arange(5))
    assert 0.1 <= low < 0.5 < high <= 0.9


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan]])
def test_one_patient_has_no_interval(values):
    assert np.isnan(Bootstrap(len(values)).mean(np.array(values), np.arange(len(values)))).all()


def test_a_hundred_patients_with_five_thousand_slices_take_a_moment():
    generator = np.random.default_rng(0)
    patients = np.sort(generator.integers(110, size=5000))
    started = time.process_time()
    bootstrap = Bootstrap(110)
    for _ in range(10):
        bootstrap.mean(generator.random(5000), patients)
    assert time.process_time() - started < 5
