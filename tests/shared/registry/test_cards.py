"""Model cards are read strictly."""

import json
from dataclasses import replace

import pytest

from shared.registry.cards import InvalidCard, ModelCard
from tests.shared.registry.cards import card_fields

WEIGHTS = card_fields()["weights"]


def test_a_card_survives_its_file(tmp_path):
    card = ModelCard.from_dict(card_fields())
    card.dump(tmp_path / "card.json")
    assert ModelCard.load(tmp_path / "card.json") == card
    assert json.loads((tmp_path / "card.json").read_text()) == card_fields() == card.to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_card_of_before_channels_had_names_is_read():
    fields = card_fields()
    del fields["channels"]
    assert ModelCard.from_dict(fields).channels == []


@pytest.mark.parametrize("channels", [["t1"], ["t1", "t1", "flair"], ["t1", "t1ce", "t2", "flair"]])
def test_channels_are_as_many_different_names_as_the_network_takes(channels):
    with pytest.raises(InvalidCard) as raised:
        ModelCard.from_dict(card_fields(channels=channels))
    assert set(raised.value.errors) == {"channels"}


def test_a_whole_number_is_a_number_too():
    card = ModelCard.from_dict(card_fields(threshold=1, calibration={"scale": 2, "bias": 0}))
    assert (type(card.threshold), type(card.calibration.scale)) == (float, float)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"colour": "red"}, "colour"),
        ({"threshold": "0.5"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"in_channels": 3.0}, "in_channels"),
        ({"in_channels": 0, "channels": []}, "in_channels"),
        ({"classes": 0}, "classes"),
        ({"min_region_pixels": -1}, "min_region_pixels"),
        ({"schema": 2}, "schema"),
        ({"id": "../up"}, "id"),
        ({"id": ""}, "id"),
        ({"id": ".."}, "id"),
        ({"name": None}, "name"),
        ({"labels": {}}, "labels"),
        ({"labels": [{"value": 1, "name": "tumour"}, {"value": "2", "name": "edema"}]}, "labels[1].value"),
        ({"test_time_augmentation": ["flip", 3]}, "test_time_augmentation[1]"),
        ({"metrics": []}, "metrics"),
        ({"calibration": {"scale": 1.0}}, "calibration.bias"),
        ({"calibration": {"scale": float("inf"), "bias": 0.0}}, "calibration.scale"),
        ({"weights": {**WEIGHTS, "file": "weights.pt"}}, "weights.file"),
        ({"weights": {**WEIGHTS, "file": "../w.safetensors"}}, "weights.file"),
        ({"weights": {**WEIGHTS, "sha256": "A" * 64}}, "weights.sha256"),
        ({"weights": {**WEIGHTS, "url": "http://x"}}, "weights.url"),
        ({"weights": "weights.safetensors"}, "weights"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(changes, place):
    with pytest.raises(InvalidCard) as caught:
        ModelCard.from_dict(card_fields(**changes))
    assert caught.value.errors.keys() == {place}
    assert place in caught.value.detail


@pytest.mark.parametrize("name", sorted(card_fields().keys() - {"channels"}))
def test_every_other_field_is_needed(name):
    fields = card_fields()
    del fields[name]
    with pytest.raises(InvalidCard) as caught:
        ModelCard.from_dict(fields)
    assert caught.value.errors == {name: ["missing"]}


def test_all_problems_come_at_once():
    fields = card_fields(name=1, colour="red", labels=[{"value": "x"}])
    del fields["encoder"]
    with pytest.raises(InvalidCard) as caught:
        ModelCard.from_dict(fields)
    assert caught.value.errors.keys() == {"name", "colour", "encoder", "labels[0].value", "labels[0].name"}


@pytest.mark.parametrize("data", [None, [], "card", 3])
def test_what_is_no_object_is_no_card(data):
    with pytest.raises(InvalidCard):
        ModelCard.from_dict(data)


@pytest.mark.parametrize("text", ["", "{", '{"threshold": NaN}', "\xff", "[" * 100_000])
def test_a_file_that_is_not_json_is_no_card(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidCard):
        ModelCard.load(path)


def test_the_digest_changes_with_the_content():
    card = ModelCard.from_dict(card_fields())
    assert card.digest() == ModelCard.from_dict(card_fields()).digest()
    assert card.digest() != replace(card, threshold=0.4).digest()
