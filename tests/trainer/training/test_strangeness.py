"""Strange images stand out by either measure; training images do not."""

import numpy as np
import torch

from shared.ml.predict import Strangeness
from shared.preprocessing.unlike import unlike_training_data
from trainer.training.strangeness import fit, kinds, negative_of, one_channel, outsiders


def measures(features_BF, tensors):
    return Strangeness(tensors["mean"], tensors["whitening"], tensors["direction"])(
        torch.from_numpy(features_BF).float()
    )


def test_distance_is_about_one_for_training_slices_and_large_far_away():
    generator = np.random.default_rng(0)
    like = generator.normal(0, [1, 10, 100], (500, 3))
    tensors = fit(like, like[:100] + 1, components=2)
    assert 0.9 < measures(like, tensors)[:, 0].square().mean().sqrt() < 1.1
    assert measures(like + [0, 0, 2000], tensors)[:, 0].min() > 5


def test_the_classifier_points_at_the_other_images():
    generator = np.random.default_rng(1)
    like, other = generator.normal(0, 1, (400, 8)), generator.normal(0, 1, (400, 8)) + np.eye(8)[0] * 2
    tensors = fit(like, other, components=7)
    assert measures(other, tensors)[:, 1].mean() > measures(like, tensors)[:, 1].mean() + 1


def test_a_measure_over_its_limit_is_enough():
    assert unlike_training_data(np.array([0.5, 9.0]), [1.0, 8.0])
    assert unlike_training_data(np.array([1.5, 0.0]), [1.0, 8.0])
    assert not unlike_training_data(np.array([1.0, 8.0]), [1.0, 8.0])


def test_other_images_are_made_of_the_slices_themselves():
    images = np.random.default_rng(2).integers(0, 255, (2, 4, 4, 3)).astype(np.uint8)
    assert np.array_equal(one_channel(1)(images)[..., 2], images[..., 1])
    negative = negative_of(0)(images)[..., 0]
    tissue = images[..., 0] > 12
    assert np.array_equal(negative[tissue], 255 - images[..., 0][tissue])
    assert np.array_equal(negative[~tissue], images[..., 0][~tissue])
    like, unlike = kinds(3, 1)
    assert len(like) == 2
    assert len(unlike) == 7


def patients(count=20, slices=30, seed=3):
    """Whitened features of patients that differ a little, each in two ways."""
    generator = np.random.default_rng(seed)
    return [generator.normal(0, 1, (2, slices, 8)) + generator.normal(0, 0.2, 8) for _ in range(count)]


def test_a_real_kind_is_told_and_patients_left_out_are_hardly_warned_of():
    generator = np.random.default_rng(4)
    other = generator.normal(0, 1, (300, 8)) + np.eye(8)[0] * 8
    found = outsiders(patients(), other[:150], other[150:200])
    assert np.mean(other[200:] @ found.direction_K > found.limit) > 0.98
    assert len(found.held_out) == 20 * 2 * 30 and np.mean(found.held_out) < 0.01
    unseen = np.concatenate([white.reshape(-1, 8) for white in patients(seed=9)])
    assert np.mean(unseen @ found.direction_K > found.limit) < 0.01


def test_a_kind_that_cannot_be_told_does_not_make_patients_strangers():
    alike = np.concatenate([white.reshape(-1, 8) for white in patients(seed=5)])
    assert np.mean(outsiders(patients(), alike[:300], alike[300:]).held_out) < 0.02


def test_of_several_directions_the_highest_counts():
    mean, whitening = torch.zeros(2), torch.eye(2)
    features = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    both = Strangeness(mean, whitening, torch.eye(2))(features)
    assert both[:, 1].tolist() == [3.0, 5.0]
    one = Strangeness(mean, whitening, torch.tensor([1.0, 0.0]))(features)
    assert one[:, 1].tolist() == [3.0, 0.0]
    assert torch.equal(one[:, 0], both[:, 0])
