"""A finished model learns to warn of a real kind of image; its network, and so its masks, stay as they are."""

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from shared.ml.checkpoint import load_model, load_tensors
from shared.registry.cards import ModelCard
from tests.fakes.study import make_study
from tests.trainer.training.test_run import CPU, tiny
from trainer.training.finish import finish
from trainer.training.outsiders import main
from trainer.training.progress import Terminal
from trainer.training.run import Paths, run_training


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A study, pictures of stripes in three folds, and a model of the study."""
    root = tmp_path_factory.mktemp("outsiders")
    make_study(root / "lgg", patients=20, slices=6)
    generator = np.random.default_rng(0)
    for fold in (1, 2, 3):
        folder = root / "stripes" / f"fold{fold}"
        folder.mkdir(parents=True)
        for number in range(12):
            stripes = np.tile(np.arange(64) // generator.integers(2, 5) % 2 * 150, (64, 1))
            Image.fromarray((stripes + generator.integers(0, 40, (64, 64))).astype(np.uint8)).save(
                folder / f"{number}.png"
            )
            Image.fromarray(np.full((64, 64), 255, np.uint8)).save(folder / f"{number}_mask.png")
    stripes = {"folder": "stripes", "format": "image_mask", "by": "slice"}
    stripes |= {"validation": ["fold2/*"], "test": ["fold3/*"]}
    (root / "data.yaml").write_text(yaml.safe_dump({"lgg": {"folder": "lgg"}, "stripes": stripes}))
    recipe, paths = tiny(epochs=1), Paths(root / "lgg", root / "run")
    finish(recipe, paths, run_training(recipe, paths, CPU, Terminal(1)), CPU, thorough=False)
    return root


def taught(root, out, like="lgg", other="stripes"):
    order = ["--data", str(root / "data.yaml"), "--like", like, "--other", other, "--credit", "Of ours."]
    return main([str(root / "run" / "model"), *order, "--version", "1.1.0", "--out", str(out)])


def test_it_is_warned_of_and_the_masks_stay(root, tmp_path):
    assert taught(root, tmp_path) == 0
    before, after = load_model(root / "run" / "model")[0], load_model(tmp_path)
    predictor, card = after
    assert card.version == "1.1.0"
    rows = card.metrics["unlike_training_data"]
    assert rows["stripes: slices kept for testing"] == {"images": 12, "warned": 1.0}
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(before(x)[0], predictor(x)[0])
    assert torch.equal(before(x)[1][:, 0], predictor(x)[1][:, 0])
    old, new = (ModelCard.load(folder / "card.json") for folder in (root / "run" / "model", tmp_path))
    assert old.unlike == new.unlike and old.metrics["volume_dice"] == new.metrics["volume_dice"]
    tensors, _ = load_tensors(tmp_path / "weights.safetensors")
    assert tensors["features.direction"].shape[1] == 2
    assert card.provenance["data"].endswith("Of ours.")
    assert "but for that of stripes" in (tmp_path / "README.md").read_text()


def test_a_second_kind_can_be_added(root, tmp_path):
    assert taught(root, tmp_path / "once") == 0
    order = ["--data", str(root / "data.yaml"), "--like", "lgg", "--other", "stripes", "--version", "1.2.0"]
    assert main([str(tmp_path / "once"), *order, "--out", str(tmp_path / "twice")]) == 0
    tensors, _ = load_tensors(tmp_path / "twice" / "weights.safetensors")
    assert tensors["features.direction"].shape[1] == 3


def test_what_is_not_in_the_file_is_said(root, tmp_path, capsys):
    assert taught(root, tmp_path, other="circles") == 2
    assert "circles" in capsys.readouterr().err
