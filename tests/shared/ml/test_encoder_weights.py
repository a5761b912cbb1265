"""ImageNet weights get into the encoder of every architecture, whatever its channels, and from files alone."""

import pytest
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import get_encoder

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.ml import encoder_weights
from shared.ml.checkpoint import build_network
from shared.ml.encoder_weights import load_encoder_weights

OVER_RESNET18 = [name for name, entry in catalog.MODELS.items() if "resnet18" in entry.encoders]


@pytest.fixture(scope="module")
def published():
    """A ResNet-18 as its authors publish it: three channels and a classifier."""
    torch.manual_seed(1)
    state = dict(get_encoder("resnet18", weights=None).state_dict())
    return state | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}


@pytest.fixture
def folder(tmp_path, published):
    torch.save(published, tmp_path / "resnet18-5c106cde.pth")
    return tmp_path


def problem(network, encoder, folder):
    with pytest.raises(InvalidFields) as raised:
        load_encoder_weights(network, encoder, folder)
    assert raised.value.errors.keys() == {"encoder_weights"}
    return raised.value.errors["encoder_weights"][0]


@pytest.mark.parametrize("architecture", OVER_RESNET18)
def test_every_architecture_over_an_encoder_takes_them(architecture, folder, published):
    network = build_network(architecture, "resnet18", 3, 1)
    assert load_encoder_weights(network, "resnet18", folder) == "imagenet (resnet18-5c106cde.pth)"
    state = network.backbone().state_dict()
    assert state and all(torch.equal(state[name], published[name]) for name in state)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 8])
def test_other_channels_see_a_grey_picture_as_the_published_weights_do(channels, folder, published):
    network = build_network("unet", "resnet18", channels, 1)
    load_encoder_weights(network, "resnet18", folder)
    weight, original = network.backbone().conv1.weight, published["conv1.weight"]
    assert weight.shape[1] == channels
    if channels in (1, 3):
        assert torch.allclose(weight.sum(dim=1), original.sum(dim=1), atol=1e-6)
    for channel in range(channels if channels > 1 else 0):
        assert torch.allclose(weight[:, channel], original[:, channel % 3] * 3 / channels, atol=1e-6)
    assert torch.equal(network.backbone().layer4[1].conv2.weight, published["layer4.1.conv2.weight"])


def test_safetensors_do_as_well(tmp_path, published):
    save_file(published, tmp_path / "resnet18.safetensors")
    network = build_network("fpn", "resnet18", 4, 3)
    assert load_encoder_weights(network, "resnet18", tmp_path) == "imagenet (resnet18.safetensors)"
    assert torch.equal(network.backbone().bn1.weight, published["bn1.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("encoder", catalog.ENCODERS)
def test_every_encoder_takes_its_own_with_any_channels(encoder, tmp_path):
    torch.manual_seed(1)
    donor = get_encoder(encoder, weights=None)
    torch.save(donor.state_dict(), tmp_path / f"{encoder}.pth")
    for channels in (1, 3, 4):
        network = build_network("unet", encoder, channels, 1)
        load_encoder_weights(network, encoder, tmp_path)
        assert torch.equal([*network.backbone().parameters()][-1], [*donor.parameters()][-1])


def test_a_missing_file_is_named(tmp_path):
    message = problem(build_network("unet", "resnet18", 3, 1), "resnet18", tmp_path)
    assert "resnet18-HASH.pth" in message and "found: none" in message


def test_two_files_are_both_named(folder):
    (folder / "resnet18.safetensors").touch()
    message = problem(build_network("unet", "resnet18", 3, 1), "resnet18", folder)
    assert "resnet18-5c106cde.pth, resnet18.safetensors" in message


def test_weights_of_another_network_under_this_name_are_refused(tmp_path, published):
    torch.save(published, tmp_path / "resnet34.pth")
    message = problem(build_network("unet", "resnet34", 3, 1), "resnet34", tmp_path)
    assert "resnet34.pth does not hold the weights of this encoder" in message and "layer1.2" in message


class Opener:
    """What a pickle may run."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", ["pickle", "text", "list"])
def test_a_file_that_is_no_weights_is_refused_and_nothing_in_it_is_run(tmp_path, capsys, content):
    file = tmp_path / "resnet18.pth"
    if content == "text":
        file.write_text("404: Not Found")
    else:
        torch.save(Opener() if content == "pickle" else [1, 2], file)
    assert "resnet18.pth" in problem(build_network("unet", "resnet18", 3, 1), "resnet18", tmp_path)
    assert capsys.readouterr().out == ""


def test_without_a_folder_and_a_network_it_is_said_what_to_do(monkeypatch):
    def away(encoder, weights):
        raise OSError("no route")

    monkeypatch.setattr(encoder_weights, "get_encoder", away)
    message = problem(build_network("unet", "resnet18", 3, 1), "resnet18", None)
    assert "ENCODER_WEIGHTS_DIR" in message and "null" in message


def test_without_a_folder_smp_is_asked(monkeypatch):
    asked = []

    def download(encoder, weights):
        asked.append((encoder, weights))
        return get_encoder(encoder, weights=None)

    monkeypatch.setattr(encoder_weights, "get_encoder", download)
    network = build_network("unet", "resnet18", 1, 1)
    assert load_encoder_weights(network, "resnet18", None) == "imagenet (segmentation-models-pytorch)"
    assert asked == [("resnet18", "imagenet")]


def test_an_architecture_with_an_encoder_of_its_own_takes_none(tmp_path):
    network = build_network("plain_unet", None, 3, 1, {"width": 8})
    assert "must be null" in problem(network, None, tmp_path)
