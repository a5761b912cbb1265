"""Strange images stand out by either measure; training images do not."""

import numpy as np
import torch

from shared.ml.predict import Strangeness
from shared.preprocessing.unlike import unlike_training_data
from trainer.training.strangeness import fit, kinds, negative_of, one_channel


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
