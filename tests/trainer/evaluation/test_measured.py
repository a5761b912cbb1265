"""A volume becomes numbers: by slice, as a whole, by class, and one slice to look at."""

from pathlib import PurePosixPath

import numpy as np
import pytest

from shared.datasets.base import SliceFile
from tests.fakes.evaluation import EMPTY, square
from trainer.evaluation.measured import measure
from trainer.training.assess import Volume


def volume(truth, found, spacing=None, indices=None):
    indices = indices or range(1, len(truth) + 1)
    items = tuple(SliceFile("P", n, PurePosixPath(f"{n}.png"), PurePosixPath(f"{n}_m.png")) for n in indices)
    count = len(truth)
    return Volume("P", items, tuple(truth), tuple(found), (0.5,) * count, (None,) * count, spacing)


def test_labels_above_nothing_are_tumour_whatever_their_class():
    one = measure(volume([square(label=3)], [square(label=1, width=2)]))
    assert one.counts_S4.tolist() == [[8, 0, 8, 128]]
    assert (one.true_pixels, one.found_pixels) == (16, 8)


def test_classes_are_paired_by_their_labels():
    truth = [square(label=1) + square(left=8, width=2, label=2), square(label=2)]
    found = [square(label=2) + square(left=8, width=2, label=1), EMPTY]
    one = measure(volume(truth, found), pairs=[(1, 2), (2, 1)])
    assert one.classes_K4[:, :3].tolist() == [[16, 0, 0], [8, 0, 16]]


def test_distances_by_slice_are_in_the_plane_and_of_the_volume_in_space():
    one = measure(volume([square(), EMPTY, EMPTY], [EMPTY, EMPTY, square()], spacing=(6.0, 0.5, 0.5)))
    assert np.isnan(one.hd95_S).all()
    assert (one.hd95, one.hd95_mm) == (2.0, 12.0)
    moved = measure(volume([square()], [square(left=4)], spacing=(6.0, 0.5, 0.5)))
    assert (moved.hd95_S[0], moved.hd95_mm_S[0]) == (2.0, 1.0)
    assert moved.pixel_mm2 == 0.25


def test_a_single_slice_is_no_volume_of_surface_alone():
    """Seen as a volume of one layer, every pixel would be surface, and distances would come out smaller."""
    truth, found = square(1, 1, 10, 10), square(4, 4, 2, 2)
    one = measure(volume([truth], [found]))
    assert one.hd95 == one.hd95_S[0] > 3


@pytest.mark.parametrize("indices", [(1, 3), (2, 2), (3, 2)])
def test_slices_that_miss_one_in_between_have_no_distance_as_a_volume(indices):
    one = measure(volume([square()] * 2, [square()] * 2, indices=indices))
    assert one.gaps
    assert np.isnan(one.hd95)
    assert one.hd95_S.tolist() == [0, 0]


def test_slices_of_several_sizes_are_counted_together_and_have_no_distance_as_a_volume():
    truth = [square(), square(side=20)]
    one = measure(volume(truth, truth))
    assert one.several_sizes
    assert np.isnan(one.hd95)
    assert one.counts_4.tolist() == [32, 0, 0, 144 + 400 - 32]


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ([EMPTY, square(width=2), square()], [square(), EMPTY, EMPTY], 3),
        ([EMPTY] * 3, [EMPTY, square(), EMPTY], 2),
        ([EMPTY] * 3, [EMPTY] * 3, 2),
    ],
)
def test_the_slice_to_look_at_has_the_most_of_the_truth_then_of_the_prediction(truth, found, expected):
    place = measure(volume(truth, found)).place
    assert place.item.index == expected
    true_mask, found_mask = place.masks()
    assert (true_mask == (truth[expected - 1] > 0)).all()
    assert (found_mask == (found[expected - 1] > 0)).all()
