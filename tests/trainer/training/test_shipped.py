"""The models in models/: whole, within their sizes, and saying plainly what they are."""

import hashlib
from pathlib import Path

import pytest

from shared.contract.names import DEFAULT_MODEL
from shared.ml.checkpoint import load_network
from shared.recipe import read_recipe, recipe_from
from shared.registry.cards import ModelCard
from shared.registry.learned import read_learned
from trainer.training.card_text import render

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(path.parent for path in (ROOT / "models").glob("*/card.json"))
DEMONSTRATION = ROOT / "models" / "brats-demo"


@pytest.fixture(params=SHIPPED, ids=lambda folder: folder.name)
def folder(request):
    return request.param


def test_the_default_model_is_shipped():
    assert DEFAULT_MODEL in {folder.name for folder in SHIPPED}


def test_the_card_fits_its_weights_and_its_network(folder):
    card = ModelCard.load(folder / "card.json")
    data = (folder / card.weights.file).read_bytes()
    assert card.id == folder.name
    assert (card.weights.sha256, card.weights.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    network, _, _ = load_network(folder)
    assert sum(p.numel() for p in network.parameters()) == card.weights.parameters
    assert len(card.labels) == card.classes and len(card.channels) == card.in_channels


def test_what_it_learned_from_can_be_found_again(folder):
    learned = read_learned(folder)
    assert learned is not None and len(learned) > 100


def test_its_readme_says_what_its_card_says(folder):
    card = ModelCard.load(folder / "card.json")
    text = (folder / "README.md").read_text()
    assert card.intended_use in text and card.not_for in text and card.licence in text
    assert "not a medical device" in text.lower()


def test_the_demonstration_is_small_and_says_that_it_is_one():
    card = ModelCard.load(DEMONSTRATION / "card.json")
    assert (card.classes, card.channels) == (3, ["t1", "t1ce", "t2", "flair"])
    assert card.weights.bytes < 4_000_000
    assert card.metrics["split_by"] == "slice"
    for text in (card.description, card.intended_use):
        assert "DEMONSTRATION" in text
    assert "ONE case" in card.description and "Any use on patients" in card.not_for


def test_a_split_by_slice_is_said_in_words():
    text = render(ModelCard.load(DEMONSTRATION / "card.json"))
    assert "both saw other slices of the same patients" in text and "Slices: 102 to learn from" in text
    default = render(ModelCard.load(ROOT / "models" / DEFAULT_MODEL / "card.json"))
    assert "on patients that neither training nor the choice of threshold saw" in default
    assert "Patients: 77 to learn from" in default


def test_the_demonstration_can_be_trained_again_by_its_recipe():
    recipe = read_recipe(ROOT / "recipes" / "final" / "brats-demo.yaml")
    told = ModelCard.load(DEMONSTRATION / "card.json").provenance["recipe"]
    assert recipe == recipe_from(told)  # fields that were added since have their defaults
