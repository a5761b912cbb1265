"""One suite over every architecture and encoder of the tables."""

import pytest
import torch

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.ml.checkpoint import build_network
from shared.ml.encoder_weights import load_encoder_weights
from shared.ml.predict import Predictor


@pytest.fixture(
    params=[(a, e) for a in sorted(catalog.MODELS) for e in catalog.ENCODERS], ids="-".join, scope="module"
)
def network(request):
    torch.manual_seed(0)
    return build_network(*request.param, in_channels=3, classes=1).eval()


@torch.inference_mode()
def test_logits_have_the_inputs_size_and_are_not_squashed(network):
    logits = network(torch.randn(2, 3, 64, 96) * 10)
    assert logits.shape == (2, 1, 64, 96)
    assert logits.min() < 0 or logits.max() > 1


@torch.inference_mode()
def test_a_slice_is_judged_on_its_own_whatever_its_batch(network):
    batch = torch.randn(3, 3, 64, 64)
    assert torch.allclose(network(batch)[1], network(batch[1:2])[0], atol=1e-4)


@torch.inference_mode()
def test_features_are_one_row_a_slice(network):
    logits, features = network.logits_and_features(torch.randn(2, 3, 64, 64))
    assert features.ndim == 2
    assert len(features) == len(logits) == 2


@torch.inference_mode()
def test_flips_make_the_answer_indifferent_to_a_mirrored_slice(network):
    predictor = Predictor(network, ("horizontal",)).eval()
    x = torch.randn(2, 3, 64, 64)
    straight, _ = predictor(x)
    mirrored, _ = predictor(torch.flip(x, [3]))
    assert torch.allclose(straight, torch.flip(mirrored, [2]), atol=1e-4)


def test_an_unknown_architecture_is_named_with_what_there_is():
    with pytest.raises(InvalidFields) as raised:
        build_network("resnet", "mobilenet_v2", 3, 1)
    assert "unet" in str(raised.value.errors)


def test_missing_encoder_weights_are_named(tmp_path):
    network = build_network("unet", "resnet18", 3, 1)
    with pytest.raises(InvalidFields) as raised:
        load_encoder_weights(network, "resnet18", tmp_path)
    assert "resnet18*.pth" in str(raised.value.errors)


def test_encoder_weights_are_read_from_a_folder(tmp_path):
    donor = build_network("unet", "resnet18", 3, 1)
    state = dict(donor.net.encoder.state_dict()) | {
        "fc.weight": torch.zeros(1),
        "fc.bias": torch.zeros(1),
    }
    torch.save(state, tmp_path / "resnet18-published.pth")
    network = build_network("unet", "resnet18", 3, 1)
    assert "resnet18-published.pth" in load_encoder_weights(network, "resnet18", tmp_path)
    assert torch.equal(network.net.encoder.conv1.weight, donor.net.encoder.conv1.weight)
