"""A whole run on a tiny study: it learns, repeats exactly, goes on after a kill, and leaves a usable model."""

import json

import numpy as np
import pytest
import torch

from shared.contract.errors import LossNotFinite
from shared.ml.checkpoint import load_model, load_tensors, save_tensors
from shared.recipe import recipe_from
from shared.registry.cards import ModelCard
from tests.fakes.study import make_study
from trainer.training import run as run_module
from trainer.training.__main__ import main
from trainer.training.finish import finish
from trainer.training.progress import Terminal
from trainer.training.run import Paths, run_training
from trainer.training.validate import Validated

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), patients=8)


def tiny(**changes):
    values = {
        "name": "tiny",
        "encoder": "resnet18",
        "encoder_weights": None,
        "image_size": 64,
        "batch_size": 4,
        "epochs": 2,
        "split_fractions": [0.5, 0.25, 0.25],
        "test_time_augmentation": ["horizontal"],
        "augmentations": {"crop": 0},
        "ema_decay": 0.5,
        "validate_every": 1,
    }
    return recipe_from(values | changes)


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_losses_and_weights_to_the_bit(study, tmp_path):
    first = run_training(tiny(), Paths(study, tmp_path / "a"), CPU, Terminal(1))
    again = run_training(tiny(), Paths(study, tmp_path / "b"), CPU, Terminal(1))
    assert [e["train_loss"] for e in first.history] == [e["train_loss"] for e in again.history]
    assert same(weights(first.network), weights(again.network))


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_weights(study, tmp_path, monkeypatch):
    whole = run_training(tiny(epochs=3), Paths(study, tmp_path / "whole"), CPU, Terminal(1))
    save = run_module.checkpoint.save

    def save_then_die(path, state, *rest):
        save(path, state, *rest)
        if state.epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_module.checkpoint, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run_training(tiny(epochs=3), Paths(study, tmp_path / "cut"), CPU, Terminal(1))
    monkeypatch.setattr(run_module.checkpoint, "save", save)
    resumed = run_training(tiny(epochs=3), Paths(study, tmp_path / "cut"), CPU, Terminal(1))
    assert [e["epoch"] for e in resumed.history] == [1, 2, 3]
    assert same(weights(whole.network), weights(resumed.network))


class Stops(Terminal):
    """Asks for a checkpoint after some steps, and dies once it has it."""

    def __init__(self, after):
        super().__init__(1)
        self.left = after

    def wants_checkpoint(self):
        self.left -= 1
        return self.left == 0

    def checkpoint(self, path, epoch, step):
        if self.left <= 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_run_killed_in_the_middle_of_an_epoch_ends_with_the_same_weights_and_losses(study, tmp_path, after):
    whole = run_training(tiny(), Paths(study, tmp_path / "whole"), CPU, Terminal(1))
    with pytest.raises(KeyboardInterrupt):
        run_training(tiny(), Paths(study, tmp_path / "cut"), CPU, Stops(after))
    resumed = run_training(tiny(), Paths(study, tmp_path / "cut"), CPU, Terminal(1))
    assert same(weights(whole.network), weights(resumed.network))
    for name in ("epoch", "train_loss", "validation_loss", "validation_dice", "learning_rate"):
        assert [e[name] for e in whole.history] == [e[name] for e in resumed.history]


def test_a_stop_that_was_decided_on_is_not_forgotten(study, tmp_path):
    recipe = tiny(epochs=9, early_stopping_patience=1, learning_rate=1e-9)
    whole = run_training(recipe, Paths(study, tmp_path), CPU, Terminal(1))
    again = run_training(recipe, Paths(study, tmp_path), CPU, Terminal(1))
    assert len(whole.history) < 9
    assert [e["epoch"] for e in again.history] == [e["epoch"] for e in whole.history]


def test_a_loss_that_blows_up_is_said_so(study, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.training.loop.nn.utils.clip_grad_norm_", _blow_up)
    with pytest.raises(LossNotFinite, match="learning rate"):
        run_training(tiny(), Paths(study, tmp_path), CPU, Terminal(1))


def test_a_validation_loss_that_is_none_ends_the_run_before_it_is_saved(study, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "validate", lambda *_: Validated(float("nan"), {"p": 0.0}, {}, []))
    with pytest.raises(LossNotFinite, match="after epoch 1"):
        run_training(tiny(), Paths(study, tmp_path), CPU, Terminal(1))
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_two_small_batches_make_the_step_of_a_large_one(study, tmp_path):
    """With a loss that is a mean over pixels; group normalisation does not mix the slices of a batch."""
    plain = {
        "architecture": "group_norm_unet",
        "architecture_options": {"width": 8, "groups": 4},
        "encoder": None,
        "encoder_weights": None,
        "loss": "focal",
        "autocast": False,
        "epochs": 1,
        "optimizer": "sgd",
        "ema_decay": 0.0,
    }
    large = run_training(tiny(**plain, batch_size=4), Paths(study, tmp_path / "large"), CPU, Terminal(1))
    small = tiny(**plain, batch_size=2, gradient_accumulation=2)
    twice = run_training(small, Paths(study, tmp_path / "small"), CPU, Terminal(1))
    assert len(large.history) == len(twice.history) == 1
    other = weights(twice.network)
    for name, tensor in weights(large.network).items():
        assert torch.allclose(tensor, other[name], atol=1e-5), name


def test_a_checkpoint_of_before_a_field_was_added_goes_on(study, tmp_path):
    run_training(tiny(epochs=2, limit={"steps_per_epoch": 1}), Paths(study, tmp_path), CPU, Terminal(1))
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = load_tensors(path)
    about = json.loads(metadata["checkpoint"])
    del about["recipe"]["gradient_accumulation"], about["recipe"]["autocast"]
    save_tensors(path, tensors, {"checkpoint": json.dumps(about)})
    again = tiny(epochs=2, limit={"steps_per_epoch": 1})
    assert len(run_training(again, Paths(study, tmp_path), CPU, Terminal(1)).history) == 2
    other = tiny(epochs=2, limit={"steps_per_epoch": 1}, gradient_accumulation=2)
    with pytest.raises(ValueError, match="another recipe"):
        run_training(other, Paths(study, tmp_path), CPU, Terminal(1))


def test_the_plateau_comes_down_also_after_a_resumption(study, tmp_path, monkeypatch):
    recipe = tiny(epochs=6, schedule="plateau", learning_rate=1e-9, limit={"steps_per_epoch": 1})
    save = run_module.checkpoint.save

    def save_then_die(path, state, *rest):
        save(path, state, *rest)
        if state.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_module.checkpoint, "save", save_then_die)
    # A validation that never gets better: the rate is halved after the third one in vain.
    worse = iter(range(1, 9))
    monkeypatch.setattr(run_module, "validate", lambda *_: Validated(float(next(worse)), {"p": 0.0}, {}, []))
    with pytest.raises(KeyboardInterrupt):
        run_training(recipe, Paths(study, tmp_path), CPU, Terminal(1))
    monkeypatch.setattr(run_module.checkpoint, "save", save)
    trained = run_training(recipe, Paths(study, tmp_path), CPU, Terminal(1))
    assert [entry["learning_rate"] for entry in trained.history] == [1e-9] * 4 + [5e-10] * 2


def _blow_up(parameters, _):
    for parameter in parameters:
        parameter.grad.fill_(float("inf"))


def test_fewer_patients_and_steps(study, tmp_path):
    limited = tiny(limit={"patients": 4, "steps_per_epoch": 1}, epochs=1)
    trained = run_training(limited, Paths(study, tmp_path), CPU, Terminal(1))
    assert len(set(trained.slices.patients)) == 4
    assert checkpoint_step(tmp_path) == 1


def checkpoint_step(folder):
    _, metadata = load_tensors(folder / "checkpoint.safetensors")
    return json.loads(metadata["checkpoint"])["step"]


def test_split_by_slice_deals_slices_out(study, tmp_path):
    trained = run_training(tiny(split="slice", epochs=1), Paths(study, tmp_path), CPU, Terminal(1))
    parts = [{unit.split("/")[0] for unit in part} for part in (trained.split.train, trained.split.test)]
    assert parts[0] & parts[1], "the same patient on both sides: that is what it is"
    assert not set(trained.split.train) & set(trained.split.test)


def test_pseudonyms_hide_the_names_of_folders(study, tmp_path):
    trained = run_training(tiny(epochs=1), Paths(study, tmp_path, pseudonyms=True), CPU, Terminal(1))
    assert all(patient.startswith("p-") for patient in trained.slices.patients)
    assert "TCGA" not in (tmp_path / "split.json").read_text()


def test_a_checkpoint_of_another_recipe_is_refused(study, tmp_path):
    run_training(tiny(epochs=1), Paths(study, tmp_path), CPU, Terminal(1))
    with pytest.raises(ValueError, match="another recipe"):
        run_training(tiny(epochs=1, learning_rate=0.5), Paths(study, tmp_path), CPU, Terminal(1))


@pytest.mark.slow
def test_a_run_learns_the_study_and_leaves_a_model_that_can_be_loaded(study, tmp_path):
    recipe = tiny(epochs=30, learning_rate=3e-3, validate_every=30)
    paths = Paths(study, tmp_path)
    trained = run_training(recipe, paths, CPU, Terminal(1))
    folder = finish(recipe, paths, trained, CPU)
    predictor, card = load_model(folder)
    assert card.metrics["volume_dice"]["as_uploaded"]["mean"] > 0.8
    assert set(card.metrics["volume_dice"]["as_uploaded"]["per_patient"]) == set(trained.split.test)
    assert not set(trained.split.test) & set(trained.split.train + trained.split.validation)
    probability, _ = predictor(torch.zeros(1, 3, 64, 64))
    assert probability.shape == (1, 64, 64)
    assert "not a medical device" in (folder / "README.md").read_text()
    tensors, _ = load_tensors(folder / "weights.safetensors")
    assert tensors["net.encoder.conv1.weight"].dtype == torch.float16

    everyone = tiny(epochs=1, name="tiny-final", split_fractions=[1.0, 0.0, 0.0])
    onward = Paths(study, tmp_path / "final", start_from=folder)
    final = finish(everyone, onward, run_training(everyone, onward, CPU, Terminal(1)), CPU)
    inherited = ModelCard.load(final / "card.json")
    assert inherited.threshold == card.threshold
    assert inherited.metrics["weights_sha256"] == card.weights.sha256 != inherited.weights.sha256
    assert "belong to the weights that the run started from" in (final / "README.md").read_text()


@pytest.mark.slow
def test_a_grey_study_makes_a_model_too(tmp_path):
    """Its slices have no other sequences to make images of another kind from."""
    recipe, paths = (
        tiny(epochs=1),
        Paths(make_study(tmp_path / "grey", patients=8, grey=True), tmp_path / "out"),
    )
    folder = finish(recipe, paths, run_training(recipe, paths, CPU, Terminal(1)), CPU, thorough=False)
    card = ModelCard.load(folder / "card.json")
    assert np.isfinite(card.unlike["limits"]).all()
    assert set(card.metrics["volume_dice"]) == {"as_uploaded"}


def test_the_command_names_what_is_wrong(study, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: x\nloss: l3\n")
    assert main([str(recipe), "--data", str(study), "--out", str(tmp_path / "out")]) == 2
    assert "loss" in capsys.readouterr().err


def test_the_cache_holds_what_serving_would_see(study, tmp_path):
    from shared.datasets.lgg import LggDataset
    from trainer.training.slices import prepare

    preprocessing = tiny().preprocessing
    slices = prepare(LggDataset(study), preprocessing, tmp_path)
    pixels, mask = LggDataset(study).read(LggDataset(study).slices()[1])
    standardised = preprocessing.standardise(slices.images_NHWC[1].astype(np.float32) / 255)
    assert np.abs(standardised - preprocessing.to_input(pixels)).max() < 0.02
    assert np.array_equal(slices.masks_NHW[1], mask)
    assert json.loads((tmp_path / "slices.json").read_text())
