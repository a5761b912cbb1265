"""Overlap and distance agree with cases worked out by hand, and with the definitions spelled out slowly."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.metrics.basics import dice
from trainer.metrics.overlap import confusion, hd95, overlaps

MASKS = st.integers(1, 6).flatmap(
    lambda side: st.tuples(arrays(bool, (side, side + 1)), arrays(bool, (side, side + 1)))
)
VOLUMES = st.tuples(arrays(bool, (3, 4, 5)), arrays(bool, (3, 4, 5)))


def row(*places, length=10):
    mask = np.zeros((1, length), bool)
    mask[0, list(places)] = True
    return mask


def test_overlaps_of_six_pixels_predicted_four_true_and_three_shared():
    found, truth = row(0, 1, 2, 3, 4, 5, length=20), row(3, 4, 5, 6, length=20)
    counts = confusion(found, truth)
    assert counts.tolist() == [3, 3, 1, 13]
    values = {name: float(value) for name, value in overlaps(counts).items()}
    assert values == pytest.approx(
        {
            "dice": 6 / 10,
            "iou": 3 / 7,
            "precision": 3 / 6,
            "recall": 3 / 4,
            "specificity": 13 / 16,
            "accuracy": 16 / 20,
        }
    )


def test_what_divides_nothing_by_nothing_is_not_a_number():
    empty, some = row(), row(1, 2)
    of = {
        "both empty": overlaps(confusion(empty, empty)),
        "nothing predicted": overlaps(confusion(empty, some)),
        "nothing there": overlaps(confusion(some, empty)),
    }
    undefined = {
        kind: {name for name, value in values.items() if np.isnan(value)} for kind, values in of.items()
    }
    assert undefined == {
        "both empty": {"dice", "iou", "precision", "recall"},
        "nothing predicted": {"precision"},
        "nothing there": {"recall"},
    }
    assert of["nothing predicted"]["dice"] == of["nothing there"]["dice"] == 0


@given(MASKS)
def test_dice_is_that_of_the_training(masks):
    found, truth = masks
    value = float(overlaps(confusion(found, truth))["dice"])
    assert dice(found, truth) == pytest.approx(1.0 if np.isnan(value) else value)


@given(MASKS)
def test_overlaps_lie_between_nothing_and_all_and_iou_follows_from_dice(masks):
    values = overlaps(confusion(*masks))
    for value in values.values():
        assert np.isnan(value) or 0 <= value <= 1
    if not np.isnan(values["dice"]):
        assert values["iou"] == pytest.approx(values["dice"] / (2 - values["dice"]))


@given(MASKS)
def test_truth_and_prediction_trade_precision_for_recall(masks):
    found, truth = masks
    one, other = overlaps(confusion(found, truth)), overlaps(confusion(truth, found))
    np.testing.assert_equal(one["precision"], other["recall"])
    np.testing.assert_equal(one["dice"], other["dice"])


def test_distance_of_a_mask_to_itself_is_nothing_and_of_a_shifted_one_the_shift():
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    assert hd95(mask, mask) == 0
    single, moved = row(2), row(7)
    assert hd95(single, moved) == 5
    assert hd95(single, moved, (1.0, 0.4)) == pytest.approx(2.0)


def test_distance_in_millimetres_takes_each_axis_by_its_own_step():
    found, truth = np.zeros((4, 6, 6), bool), np.zeros((4, 6, 6), bool)
    found[0, 2, 2] = truth[2, 2, 2] = True
    assert hd95(found, truth) == 2
    assert hd95(found, truth, (5.0, 0.5, 0.5)) == pytest.approx(10.0)


def test_a_stray_pixel_among_many_does_not_decide():
    truth = np.zeros((60, 60), bool)
    truth[10:30, 10:30] = True
    found = truth.copy()
    found[59, 59] = True
    assert hd95(found, truth) == 0
    assert slow_distances(found, truth, (1, 1)).max() > 40  # the plain Hausdorff distance


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_distance_needs_both_masks(empty):
    masks = [row(), row(3)]
    pairs = {0: (masks[0], masks[0]), 1: (masks[0], masks[1]), 2: (masks[1], masks[0])}
    assert np.isnan(hd95(*pairs[empty]))


def slow_surface(mask):
    """Pixels with a neighbour by a side outside the mask, one by one."""
    found = []
    for place in map(tuple, np.argwhere(mask)):
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            beside = list(place)
            beside[axis] += step
            if not 0 <= beside[axis] < mask.shape[axis] or not mask[tuple(beside)]:
                found.append(place)
                break
    return np.array(found)


def slow_distances(one, other, spacing):
    """From each surface pixel of one to the nearest of the other."""
    a, b = slow_surface(one) * np.array(spacing), slow_surface(other) * np.array(spacing)
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)).min(1)


def slow_hd95(found, truth, spacing):
    return max(np.percentile(slow_distances(*pair, spacing), 95) for pair in ((found, truth), (truth, found)))


@given(MASKS, st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
def test_distance_in_the_plane_is_that_of_brute_force(masks, spacing):
    found, truth = masks
    if found.any() and truth.any():
        assert hd95(found, truth, spacing) == pytest.approx(slow_hd95(found, truth, spacing))
        assert hd95(found, truth, spacing) == hd95(truth, found, spacing)


@given(VOLUMES)
def test_distance_of_volumes_is_that_of_brute_force(volumes):
    found, truth = volumes
    if found.any() and truth.any():
        assert hd95(found, truth, (3.0, 1.0, 0.5)) == pytest.approx(slow_hd95(found, truth, (3.0, 1.0, 0.5)))
