"""What a run sees of a dataset: some patients, some channels, pseudonyms, slices as units of the split."""

from dataclasses import replace

import numpy as np
import pytest

from shared.contract.errors import InvalidFields
from shared.datasets.lgg import LggDataset
from shared.datasets.pseudonym import pseudonym
from shared.recipe import recipe_from
from tests.fakes.study import make_study
from trainer.training.dataset import View, open_dataset


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), patients=3, slices=3, size=32)


def test_the_channels_are_those_that_were_asked_for_in_that_order(study):
    whole = LggDataset(study)
    view = View(whole, modalities=["flair", "pre-contrast"])
    item = view.slices()[1]
    assert (view.channels, view.modalities) == (2, ("flair", "pre-contrast"))
    assert np.array_equal(view.read(item)[0], whole.read(item)[0][..., [1, 0]])
    pixels, labels = view.read_labels(item)
    assert np.array_equal(pixels, view.read(item)[0])
    assert labels.dtype == np.uint8 and np.array_equal(labels > 0, whole.read(item)[1])


def test_a_modality_that_is_not_there_is_named(study):
    with pytest.raises(InvalidFields) as raised:
        View(LggDataset(study), modalities=["flair", "t2"])
    assert "t2" in raised.value.errors["modalities"][0]


def test_pseudonyms_replace_names_everywhere(study):
    view = View(LggDataset(study), rename=pseudonym)
    names = {item.patient for item in view.slices()}
    assert len(names) == 3 and all(name.startswith("p-") for name in names)
    assert all(groups.keys() == names for groups in view.cohorts().values())


def test_slices_are_units_of_their_own_where_the_split_is_by_slice(study):
    recipe = recipe_from({"name": "x", "split": "slice"})
    items = open_dataset(recipe, study, {}, pseudonyms=True).slices()
    assert len({item.unit for item in items}) == len(items) == 9
    assert len({item.patient for item in items}) == 3
    assert all(item.unit == f"{item.patient}/{item.index}" for item in items)


def test_the_same_patients_are_left_with_pseudonyms_and_without(study):
    recipe = recipe_from({"name": "x", "limit": {"patients": 2}})
    plain, hidden = (open_dataset(recipe, study, {}, pseudonyms=p).slices() for p in (False, True))
    assert {pseudonym(item.patient) for item in plain} == {item.patient for item in hidden}
    assert len({item.patient for item in plain}) == 2


@pytest.mark.parametrize("change", [{"in_channels": 4}, {"classes": 3}])
def test_what_the_dataset_cannot_give_is_named(study, change):
    recipe = replace(
        recipe_from({"name": "x"}), **{"loss": "ce_dice"} if "classes" in change else {}, **change
    )
    with pytest.raises(InvalidFields) as raised:
        open_dataset(recipe, study, {}, pseudonyms=False)
    assert raised.value.errors.keys() == change.keys()
