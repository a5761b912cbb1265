"""The examples of docs/extending.md are taken out of the page, added to the tables, tested and trained with."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType

import pytest
import torch

from shared import catalog
from shared.recipe import recipe_from
from tests.shared.ml.architectures import ArchitectureSuite, Choice
from tests.shared.ml.losses import LossSuite, target_with_tumour
from trainer.training.loop import new_state, train

PAGE = (Path(__file__).parents[3] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(shared/\S+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
LINES = dict(re.findall(r"^In `([A-Z]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture(autouse=True)
def added(tmp_path, monkeypatch):
    """The page's files as modules of the project, and its lines in the tables; gone after the test."""
    for path, code in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(code)
        name = path.removesuffix(".py").replace("/", ".")
        spec = spec_from_file_location(name, file)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, name, module)
    for table, line in LINES.items():
        new = eval(f"{{{line}}}", {"Entry": catalog.Entry, "Option": catalog.Option})
        assert not new.keys() & getattr(catalog, table).keys()
        monkeypatch.setattr(catalog, table, MappingProxyType({**getattr(catalog, table), **new}))


def test_the_page_has_a_file_and_a_line_of_each_kind():
    assert FILES.keys() == {"shared/ml/models/dilated.py", "shared/ml/losses/iou.py"}
    assert LINES.keys() == {"MODELS", "LOSSES"}
    assert not any((Path(__file__).parents[3] / path).exists() for path in FILES)


class TestTheArchitecture(ArchitectureSuite):
    @pytest.fixture
    def choice(self):
        return Choice("dilated", None, {"width": 8})


class TestTheLoss(LossSuite):
    @pytest.fixture
    def loss(self):
        return catalog.load(catalog.LOSSES, "iou", "loss")()

    @pytest.fixture
    def classes(self):
        return 1


def test_a_recipe_may_name_them_and_a_few_steps_make_the_loss_smaller():
    recipe = recipe_from(
        {
            "name": "mine", "architecture": "dilated", "architecture_options": {"width": 8}, "loss": "iou",
            "image_size": 32, "batch_size": 2, "epochs": 2, "schedule": "constant", "learning_rate": 0.01,
        }
    )  # fmt: skip
    network = Choice(recipe.architecture, recipe.encoder, recipe.architecture_options).build()
    target = target_with_tumour(1)
    batch = (target.repeat(1, 3, 1, 1) + 0.1, target)
    reports, cpu = [], torch.device("cpu")
    train(
        new_state(network, recipe, cpu),
        lambda epoch, first: [batch] * 3,
        3,
        recipe,
        cpu,
        lambda state, report: reports.append(report),
    )
    assert [report.epoch for report in reports] == [1, 2]
    assert reports[1].train_loss < reports[0].train_loss


def test_a_wrong_option_of_theirs_is_named_before_anything_starts():
    assert dict(catalog.wrong_architecture("dilated", None, {"width": 5.5})).keys() == {
        "architecture_options.width"
    }
