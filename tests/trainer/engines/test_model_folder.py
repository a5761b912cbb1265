"""A model's folder is what its card says, or not used."""

import json

import pytest

from shared.contract.errors import ModelUnusable
from tests.fakes.model import make_model
from trainer.engines.model_folder import ModelFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models"))


@pytest.fixture
def copy(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_an_untouched_model_is_accepted_and_loads(folder):
    source = ModelFolder(folder)
    source.verify()
    assert source.input_shape == (3, 256, 256)
    assert source.views == 1
    assert not source.predictor().training


def test_one_changed_byte_is_noticed(copy):
    weights = copy / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelUnusable, match="SHA-256 differs"):
        ModelFolder(copy).verify()


def test_missing_weights_are_named(copy):
    (copy / "weights.safetensors").unlink()
    with pytest.raises(ModelUnusable, match="weights of the model stand-in cannot be read"):
        ModelFolder(copy).verify()


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_card_that_cannot_be_read_is_named(copy, content):
    card = copy / "card.json"
    if content is None:
        card.unlink()
    else:
        card.write_text(content)
    with pytest.raises(ModelUnusable, match="card of the model .* cannot be read"):
        ModelFolder(copy).verify()


def test_a_preprocessing_of_another_version_is_named(copy):
    card = json.loads((copy / "card.json").read_text())
    card["preprocessing"]["sharpen"] = 2
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelUnusable, match="preprocessing.*sharpen"):
        _ = ModelFolder(copy).input_shape


def test_the_fingerprint_follows_the_card(folder, copy):
    before = ModelFolder(folder).fingerprint
    card = json.loads((copy / "card.json").read_text())
    card["calibration"]["bias"] = 1.0
    (copy / "card.json").write_text(json.dumps(card))
    assert ModelFolder(copy).fingerprint != before
