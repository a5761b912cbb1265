"""One logit or several: the same map of tumour, and for several the class of each pixel."""

import pytest
import torch

from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor, tumour_logit


class Same(SegmentationNetwork):
    """Its logits are its input."""

    def encode(self, x_BCHW):
        return [x_BCHW, x_BCHW]

    def decode(self, maps):
        return maps[0]


def logits(channels, seed=0):
    return torch.randn(2, channels, 6, 8, generator=torch.Generator().manual_seed(seed))


def test_one_class_gives_a_map_and_no_labels():
    x = logits(1)
    probability, _ = Predictor(Same(), (), scale=2.0, bias=-1.0)(x)
    assert torch.allclose(probability, torch.sigmoid(2 * x[:, 0] - 1))


def test_of_several_classes_the_map_is_what_is_not_background():
    x = logits(4)
    probability, _, _ = Predictor(Same())(x)
    assert torch.allclose(probability, 1 - x.softmax(dim=1)[:, 0], atol=1e-6)
    assert torch.allclose(torch.sigmoid(tumour_logit(x)), probability)


def test_labels_are_the_likeliest_class_of_tumour():
    x = logits(4)
    label = Predictor(Same())(x)[2]
    assert label.dtype == torch.uint8
    assert torch.equal(label.long(), 1 + x[:, 1:].argmax(dim=1))


@pytest.mark.parametrize("channels", [1, 4])
def test_flips_are_averaged_before_anything_is_chosen(channels):
    """Of a network that is indifferent to mirroring, so that the flips change nothing."""
    x = logits(channels)
    plain, flipped = Predictor(Same())(x), Predictor(Same(), ("horizontal", "vertical", "both"))(x)
    assert torch.allclose(plain[0], flipped[0], atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(plain[2:], flipped[2:], strict=True))
