"""Constants are chosen for volume Dice, and where patients cannot tell them apart, for missing least."""

import numpy as np
import pytest

from trainer.training.select import SMALLEST_REGIONS, fit_calibration, select

SIZE = 64


def study(seed, shift=0.0, specks=0):
    """Logits that are right but for `shift`, with isolated false specks of 40 pixels."""
    generator = np.random.default_rng(seed)
    truth = np.zeros((3, SIZE, SIZE), bool)
    truth[1, 20:44, 20:44] = True
    logits = np.where(truth, 3.0, -3.0) + generator.normal(0, 1, truth.shape) + shift
    for n in range(specks):
        logits[2, 4 + 12 * n : 9 + 12 * n, 4:12] = 4.0
    return logits, truth


def chosen(**changes):
    logits, truth = zip(*(study(seed, **changes) for seed in range(3)), strict=True)
    rows = {name: np.arange(3 * n, 3 * n + 3) for n, name in enumerate("abc")}
    return select(np.concatenate(logits), np.concatenate(truth), rows)


def test_without_false_specks_the_smallest_region_and_a_threshold_of_a_half_are_kept():
    selection = chosen()
    assert selection.min_region_pixels == min(SMALLEST_REGIONS)
    assert selection.threshold == 0.5
    assert selection.validation_dice > 0.95


def test_specks_are_dropped_where_that_helps():
    assert chosen(specks=4).min_region_pixels > 40


def test_calibration_undoes_a_shift_and_a_stretch_of_the_logits():
    generator = np.random.default_rng(0)
    logits = generator.normal(-1, 2, 200_000)
    truth = generator.random(200_000) < 1 / (1 + np.exp(-logits))
    scale, bias = fit_calibration(logits * 2 + 1, truth)
    assert scale == pytest.approx(0.5, abs=0.02)
    assert bias == pytest.approx(-0.5, abs=0.03)
