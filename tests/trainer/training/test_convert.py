"""Weights that were trained elsewhere become a model of ours, or what does not fit is named."""

import json
import zipfile

import pytest
import segmentation_models_pytorch as smp
import torch

from shared.contract.errors import ModelUnusable
from shared.ml.checkpoint import build_network, load_model
from shared.registry.cards import ModelCard
from trainer.training.convert import main
from trainer.training.state_dict import fill, read_state_dict

FLAGS = ["--architecture", "unet", "--encoder", "resnet18", "--normalization", "imagenet"]


@pytest.fixture(scope="module")
def theirs():
    """A network as smp alone makes it, with names and numbers of its own."""
    torch.manual_seed(3)
    return smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=1).eval()


@pytest.fixture
def network():
    return build_network("unet", "resnet18", 3, 1)


@pytest.fixture
def checkpoint(tmp_path, theirs):
    def save(content=None):
        path = tmp_path / "theirs.pth"
        torch.save(theirs.state_dict() if content is None else content, path)
        return path

    return save


def convert(path, out, *more):
    return main([str(path), *FLAGS, "--out", str(out), "--licence", "CC0", *more])


def test_a_converted_model_answers_as_the_original_did(checkpoint, theirs, tmp_path):
    out, archive = tmp_path / "my-unet", tmp_path / "my-unet.zip"
    status = convert(
        checkpoint(), out, "--archive", str(archive), "--threshold", "0.3", "--flips", "horizontal",
        "--bias", "-1", "--scale", "2", "--data", "Slices of ours.", "--image-size", "64",
    )  # fmt: skip
    assert status == 0
    predictor, card = load_model(out)
    assert (card.id, card.threshold, card.test_time_augmentation) == ("my-unet", 0.3, ["horizontal"])
    assert (card.licence, card.provenance["data"]) == ("CC0", "Slices of ours.")
    assert card.preprocessing["normalization"] == "imagenet"
    x_BCHW = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        logits = (theirs(x_BCHW) + theirs(x_BCHW.flip(3)).flip(3)) / 2
        assert torch.allclose(predictor(x_BCHW)[0], torch.sigmoid(2 * logits[:, 0] - 1), atol=5e-3)
    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["card.json", "weights.safetensors", "README.md"]
        assert ModelCard.from_dict(json.loads(packed.read("card.json"))) == card
        assert packed.read("weights.safetensors") == (out / "weights.safetensors").read_bytes()
        assert b"CC0" in packed.read("README.md")


def test_a_network_with_an_encoder_of_its_own_and_options_is_rebuilt_from_its_card(tmp_path):
    theirs = build_network("plain_unet", None, 3, 1, {"width": 8}).eval()
    file, out = tmp_path / "theirs.pth", tmp_path / "plain"
    torch.save(theirs.state_dict(), file)
    flags = ["--architecture", "plain_unet", "--option", "width", "8", "--normalization", "imagenet"]
    assert main([str(file), *flags, "--out", str(out), "--licence", "CC0", "--image-size", "64"]) == 0
    predictor, card = load_model(out)
    assert (card.encoder, card.network) == (None, {"width": 8})
    x_BCHW = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(predictor(x_BCHW)[0], torch.sigmoid(theirs(x_BCHW)[:, 0]), atol=5e-3)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--architecture", "plain_unet", "--option", "width", "a"], "architecture_options.width"),
        (["--architecture", "plain_unet", "--option", "depth", "8"], "architecture_options.depth"),
        (["--architecture", "unet"], "encoder: is needed"),
    ],
)
def test_options_that_build_nothing_are_named(checkpoint, tmp_path, capsys, flags, said):
    more = ["--normalization", "imagenet", "--licence", "CC0", "--out", str(tmp_path / "out")]
    assert main([str(checkpoint()), *flags, *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.model.", "net."])
@pytest.mark.parametrize("place", [None, "state_dict", "model_state_dict"])
def test_wrappers_are_taken_off(checkpoint, theirs, network, prefix, place):
    state = {prefix + name: tensor for name, tensor in theirs.state_dict().items()}
    content = state if place is None else {"epoch": 3, place: state, "lr": 0.1}
    fill(network, read_state_dict(checkpoint(content)))
    x_BCHW = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.eval()(x_BCHW), theirs(x_BCHW))


def test_what_does_not_fit_is_named(theirs, network):
    state = dict(theirs.state_dict())
    del state["decoder.blocks.0.conv1.0.weight"]
    state["classifier.bias"] = torch.zeros(2)
    state["segmentation_head.0.bias"] = torch.zeros(4)
    state["encoder.conv1.weight"] = state["encoder.conv1.weight"] * 1e9
    with pytest.raises(ModelUnusable) as caught:
        fill(network, state)
    assert caught.value.detail == (
        "The weights do not fit: missing: decoder.blocks.0.conv1.0.weight; "
        "not of this network: classifier.bias; "
        "of another shape: segmentation_head.0.bias is (4,) and must be (1,); "
        "beyond half precision, or no numbers: encoder.conv1.weight"
    )


def test_another_network_is_named_in_a_few_lines(checkpoint, tmp_path, capsys):
    path = checkpoint({"a.weight": torch.zeros(1)})
    assert convert(path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "missing: decoder" in said
    assert "more; not of this network: a.weight" in said
    assert len(said) < 2000
    assert not (tmp_path / "out").exists()


class Harm:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("wrapped", [lambda harm: harm, lambda harm: {"state_dict": harm}])
def test_nothing_in_a_checkpoint_is_run(checkpoint, tmp_path, wrapped):
    harm = tmp_path / "harm"
    path = checkpoint(wrapped(Harm(harm)))
    with pytest.raises(ModelUnusable, match=r"theirs\.pth cannot be read as weights \(what would run"):
        read_state_dict(path)
    assert not harm.exists()


@pytest.mark.parametrize("content", [3, [torch.zeros(1)], {}, {"epoch": 1}, {"state_dict": {"a": 1}}])
def test_what_is_no_weights_is_refused(checkpoint, content):
    path = checkpoint(content)
    with pytest.raises(ModelUnusable, match=r"theirs\.pth holds no weights"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no checkpoint"])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"broken\.pth cannot be read"):
        read_state_dict(path)


def test_a_missing_file_and_wrong_values_are_sentences(checkpoint, tmp_path, capsys):
    assert convert(tmp_path / "nothing.pth", tmp_path / "out") == 2
    assert "nothing.pth cannot be read" in capsys.readouterr().err
    assert convert(checkpoint(), tmp_path / "out", "--threshold", "2", "--id", "a/b") == 2
    assert "threshold: must be between 0 and 1" in (said := capsys.readouterr().err) and "id: must be" in said


def test_a_licence_must_be_named(checkpoint, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(checkpoint()), *FLAGS, "--out", str(tmp_path / "out")])
    assert "--licence" in capsys.readouterr().err
