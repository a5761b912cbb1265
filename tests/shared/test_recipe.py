"""Recipes are read strictly: every mistake is named, all at once."""

import json
from pathlib import Path

import pytest

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.preprocessing.preprocess import NORMALIZATIONS
from shared.recipe import LIMITS, SPLITS, Augmentation, part_sizes, read_recipe, recipe_from

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read(path):
    assert read_recipe(path).name


def test_all_mistakes_are_named_at_once():
    with pytest.raises(InvalidFields) as raised:
        recipe_from(
            {"name": "x", "loss": "l3", "encoder": "vgg99", "epochs": 0, "split_fractions": [0.9, 0.9, 0.1]}
        )
    assert set(raised.value.errors) == {"loss", "encoder", "epochs", "split_fractions"}


def test_unknown_fields_are_named_wherever_they_stand():
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", "learning_rat": 1, "augmentations": {"flop": 1}})
    assert set(raised.value.errors) == {"learning_rat", "augmentations.flop"}


def test_what_decides_the_weights_is_told_apart_from_words():
    plain = recipe_from({"name": "x"}).identity()
    worded = recipe_from({"name": "x", "card": {"licence": "CC0"}}).identity()
    assert plain == worded


def errors_of(**values):
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", **values})
    return raised.value.errors


def test_an_architecture_with_its_own_encoder_needs_none_to_be_named():
    recipe = recipe_from({"name": "x", "architecture": "attention_unet"})
    assert recipe.encoder is None and recipe.encoder_weights is None


def test_an_encoder_that_the_architecture_cannot_be_built_over_is_refused():
    own = errors_of(architecture="attention_unet", encoder="resnet18")
    assert "has an encoder of its own" in own["encoder"][0]
    needed = errors_of(architecture="unet", encoder=None, encoder_weights=None)
    assert "resnet18" in needed["encoder"][0]
    dilated = errors_of(architecture="deeplabv3_plus", encoder="vgg16")
    assert "'vgg16'" in dilated["encoder"][0] and "resnet18" in dilated["encoder"][0]


def test_weights_are_not_asked_for_where_there_is_no_encoder():
    assert list(errors_of(architecture="plain_unet", encoder_weights="imagenet")) == ["encoder_weights"]


def test_options_of_an_architecture_are_checked():
    errors = errors_of(
        architecture="transunet", encoder="resnet18", architecture_options={"layers": 99, "depth": 1}
    )
    assert set(errors) == {"architecture_options.layers", "architecture_options.depth"}


def test_several_classes_want_a_loss_for_them():
    assert recipe_from({"name": "x", "classes": 3}).loss == "ce_dice"
    assert "ce_dice" in errors_of(classes=3, loss="bce_dice")["loss"][0]
    assert "bce_dice" in errors_of(loss="ce_dice")["loss"][0]


def test_modalities_say_how_many_channels_there_are():
    recipe = recipe_from({"name": "x", "modalities": ["t1ce", "flair"]})
    assert (recipe.in_channels, recipe.preprocessing.channels) == (2, 2)
    assert list(errors_of(modalities=["t1ce", "flair"], in_channels=3)) == ["modalities"]


@pytest.mark.parametrize(
    ("values", "channel"),
    [
        ({}, 1),
        ({"in_channels": 1}, 0),
        ({"in_channels": 4}, 3),
        ({"modalities": ["flair", "t1"]}, 0),
        ({"augmentations": {"main_channel": 2}}, 2),
    ],
)
def test_the_main_channel_is_flair_where_it_is_known(values, channel):
    assert recipe_from({"name": "x", **values}).main_channel == channel


def test_a_main_channel_that_is_not_there_is_refused():
    assert list(errors_of(in_channels=1, augmentations={"main_channel": 1})) == ["augmentations.main_channel"]


def test_a_recipe_survives_json():
    recipe = recipe_from({"name": "x", "augmentations": {"crop": 64}, "limit": {"patients": 3}})
    assert recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe


WRONG = [
    ("epochs", "many"),
    ("epochs", True),
    ("epochs", 2.5),
    ("learning_rate", float("nan")),
    ("learning_rate", -1),
    ("batch_size", 0),
    ("batch_size", 1),
    ("image_size", 100),
    ("image_size", 10**9),
    ("in_channels", 9),
    ("in_channels", 0),
    ("classes", 9),
    ("gradient_accumulation", 0),
    ("autocast", "bf16"),
    ("modalities", ["flair"] * 3),
    ("split", "hospital"),
    ("split_fractions", [1, 0]),
    ("split_fractions", [0, 0.5, 0.5]),
    ("split_fractions", [float("nan"), 0.5, 0.5]),
    ("encoder_weights", "mine"),
    ("normalization", "none"),
    ("test_time_augmentation", ["sideways"]),
    ("seed", -1),
    ("name", ""),
    ("name", "a\nb"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_named(field, value):
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", field: value})
    assert {place.split("[")[0] for place in raised.value.errors} == {field}


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("augmentations", {"crop": 30}, "augmentations.crop"),
        ("augmentations", {"crop": 512}, "augmentations.crop"),
        ("augmentations", {"blur": 2}, "augmentations.blur"),
        ("augmentations", {"main_channel": 3}, "augmentations.main_channel"),
        ("limit", {"patients": 0}, "limit.patients"),
        ("limit", {"hours": 1}, "limit.hours"),
        ("loss_options", {"smooth": -1}, "loss_options.smooth"),
        ("loss_options", {"gamma": 1}, "loss_options.gamma"),
        ("loss_options", {"smooth": "soft"}, "loss_options.smooth"),
    ],
)
def test_a_wrong_value_inside_is_named_by_its_place(field, value, place):
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", field: value})
    assert set(raised.value.errors) == {place}


def test_wrong_types_do_not_hide_wrong_values():
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", "epochs": "many", "loss": "l3", "limit": {"hours": 1}})
    assert set(raised.value.errors) == {"epochs", "loss", "limit.hours"}


def test_text_that_no_file_could_hold_and_numbers_that_no_float_could_are_named():
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", "description": "\ud800", "card": {"data": "a\0", "licence": "x" * 4001}})
    assert set(raised.value.errors) == {"description", "card.data", "card.licence"}
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", "learning_rate": 10**400, "weight_decay": -(10**400)})
    assert set(raised.value.errors) == {"learning_rate", "weight_decay"}
    assert recipe_from({"name": "x", "description": "two\nlines"})


def test_the_limits_are_of_fields_that_there_are_and_hold_their_defaults():
    recipe = recipe_from({"name": "x"}).to_dict()
    for place, low, high in LIMITS:
        value = recipe
        for part in place.split("."):
            value = value[part]
        assert value is None or low <= value <= high, place


def test_every_name_that_a_recipe_may_hold_has_a_sentence():
    assert set(catalog.NORMALIZATIONS) == set(NORMALIZATIONS)
    assert set(catalog.SPLITS) == set(SPLITS)
    assert set(catalog.AUGMENTATIONS) == set(Augmentation.__dataclass_fields__)


def test_a_part_of_a_split_has_at_least_one_patient():
    assert part_sizes(10, (0.7, 0.12, 0.18)) == (7, 1, 2)
    assert part_sizes(3, (0.98, 0.01, 0.01)) == (1, 1, 1)
    assert part_sizes(2, (0.98, 0.01, 0.01))[0] < 1
    assert part_sizes(5, (1.0, 0.0, 0.0)) == (5, 0, 0)


def test_wrong_members_do_not_hide_each_other():
    wrong = {"zz": 0, "gamma": "x", "degrees": 1e9, "crop": 33, "noise": -1, "affine": 2}
    with pytest.raises(InvalidFields) as raised:
        recipe_from({"name": "x", "augmentations": wrong})
    assert set(raised.value.errors) == {f"augmentations.{name}" for name in wrong}


def test_limits_are_whole_where_they_are_whole():
    with pytest.raises(InvalidFields, match="not valid") as raised:
        recipe_from({"name": "x", "seed": -1})
    assert raised.value.errors["seed"] == ["must be from 0 to 2147483647"]
