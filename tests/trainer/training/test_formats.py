"""A whole run on each kind of dataset: four modalities, three classes, grey pictures without masks."""

import numpy as np
import pytest
import torch
from PIL import Image

from shared.datasets.brats import BratsDataset
from shared.datasets.pseudonym import pseudonym
from shared.recipe import recipe_from
from shared.registry.cards import ModelCard
from shared.registry.learned import read_learned
from tests.fakes.volumes import make_brats
from trainer.training.assess import Upload, served, volumes
from trainer.training.dataset import View, open_dataset
from trainer.training.finish import finish
from trainer.training.progress import Terminal
from trainer.training.run import Paths, run_training

CPU = torch.device("cpu")
SMALL = {
    "architecture": "plain_unet",
    "architecture_options": {"width": 8},
    "image_size": 32,
    "batch_size": 2,
    "epochs": 2,
    "split_fractions": [0.5, 0.25, 0.25],
    "validate_every": 1,
    "test_time_augmentation": ["horizontal"],
}


def trained(data, out, **changes):
    recipe = recipe_from({"name": "small", **SMALL, **changes})
    paths = Paths(data, out, pseudonyms=True)
    run = run_training(recipe, paths, CPU, Terminal(1))
    folder = finish(recipe, paths, run, CPU, model_id="small")
    return recipe, run, folder


@pytest.fixture(scope="module")
def brats(tmp_path_factory):
    return make_brats(tmp_path_factory.mktemp("brats"), patients=4)


def test_four_modalities_and_three_classes(brats, tmp_path):
    recipe, run, folder = trained(
        brats, tmp_path, dataset_format="brats", in_channels=4, classes=3, normalization="z_score"
    )
    card = ModelCard.load(folder / "card.json")
    assert card.channels == ["t1", "t1ce", "t2", "flair"]
    assert [(label.value, label.name) for label in card.labels] == [*enumerate(BratsDataset.classes, 1)]
    assert set(run.history[-1]["validation_dice_by_class"]) == set(BratsDataset.classes)
    dataset = open_dataset(recipe, brats, {}, pseudonyms=True)
    test = [item for item in dataset.slices() if item.patient in run.split.test]
    (volume,) = volumes(served(folder, "cpu"), dataset, test)
    assert {int(value) for labels in volume.found for value in np.unique(labels)} <= {0, 1, 2, 3}
    assert {int(value) for labels in volume.truth for value in np.unique(labels)} == {0, 1, 2, 3}
    assert volume.spacing_mm == (1.0, 1.0, 1.0)


def test_two_of_the_modalities_and_the_whole_picture_is_known_again(brats, tmp_path):
    _, run, folder = trained(brats, tmp_path, dataset_format="brats", modalities=["flair", "t1ce"], epochs=1)
    assert ModelCard.load(folder / "card.json").channels == ["flair", "t1ce"]
    whole = View(BratsDataset(brats), rename=pseudonym)
    trained_on = [item for item in whole.slices() if item.patient in run.split.train]
    seen = read_learned(folder)
    for volume in volumes(served(folder, "cpu"), whole, trained_on):
        assert all(any(digest in seen for digest in digests) for digests in volume.digests)


def test_what_was_trained_on_is_remembered_and_what_was_kept_aside_is_not(brats, tmp_path):
    recipe, run, folder = trained(brats, tmp_path, dataset_format="brats", in_channels=4, epochs=1)
    seen = read_learned(folder)
    dataset = open_dataset(recipe, brats, {}, pseudonyms=True)
    for volume in volumes(served(folder, "cpu", flips=()), dataset, dataset.slices()):
        known = {digest in seen for digests in volume.digests for digest in digests}
        assert known == {volume.patient not in run.split.test}


def test_grey_pictures_with_and_without_tumour(tmp_path):
    rows, columns = np.mgrid[:64, :64]
    head = (rows - 32) ** 2 + (columns - 32) ** 2 < 26**2
    generator = np.random.default_rng(0)
    for number in range(8):
        folder = tmp_path / "data" / ("yes" if number % 2 else "no")
        folder.mkdir(parents=True, exist_ok=True)
        picture = head * generator.integers(80, 100, (64, 64))
        picture[28:36, 24 + number : 32 + number] += 100 * (number % 2)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
    _, run, folder = trained(tmp_path / "data", tmp_path / "out", dataset_format="yes_no", in_channels=1)
    card = ModelCard.load(folder / "card.json")
    assert (card.in_channels, card.classes) == (1, 1)
    look = served(folder, "cpu").look([Upload(np.zeros((50, 40, c), np.uint8)) for c in (3, 1)])
    assert [one.mask.shape for one in look] == [(50, 40), (50, 40)]  # an upload in colour is made grey
    assert run.slices.channels == 1
