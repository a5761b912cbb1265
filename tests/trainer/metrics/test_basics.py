"""Metrics agree with their definitions on cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.metrics.basics import area_under_curve, bootstrap_interval, dice


def test_dice_of_half_an_overlap():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[0], b[0, :2] = True, True
    assert dice(a, b) == pytest.approx(2 * 2 / (4 + 2))


def test_dice_of_two_empty_masks_is_one_and_of_one_empty_mask_is_zero():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert dice(empty, empty) == 1
    assert dice(empty, full) == 0


def test_the_interval_holds_the_mean_and_narrows_with_more_patients():
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    few, many = bootstrap_interval(values[:20]), bootstrap_interval(values)
    assert few[0] < values[:20].mean() < few[1]
    assert many[1] - many[0] < few[1] - few[0]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    scores, positive = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        return
    up, down = scores[positive][:, None], scores[~positive][None]
    assert area_under_curve(scores, positive) == pytest.approx(((up > down) + 0.5 * (up == down)).mean())
