"""Recipes are read strictly: every mistake is named, all at once."""

from pathlib import Path

import pytest

from shared.contract.errors import InvalidFields
from trainer.training.config import read_recipe, recipe_from

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))


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
        recipe_from({"name": "x", "learning_rat": 1, "augmentation": {"flop": 1}})
    assert set(raised.value.errors) == {"learning_rat", "augmentation.flop"}


def test_what_decides_the_weights_is_told_apart_from_words():
    plain = recipe_from({"name": "x"}).to_dict()
    worded = recipe_from({"name": "x", "card": {"licence": "CC0"}}).to_dict()
    assert plain == worded
