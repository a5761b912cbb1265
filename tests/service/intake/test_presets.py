"""Presets: the recipes of a folder, or a sentence at start-up about what is wrong with one."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.intake.presets import read_presets
from service.settings import ServiceSettings
from service.startup import prepare
from shared.contract.config import ConfigError
from shared.contract.errors import InvalidFields
from shared.database.database import Database


def test_each_file_is_a_preset_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("name: second\nepochs: 3\n")
    (tmp_path / "a.yaml").write_text("name: first\n")
    (tmp_path / "README.md").write_text("not one")
    presets = read_presets(tmp_path)
    assert [(preset.name, preset.recipe.name) for preset in presets.all()] == [
        ("a", "first"),
        ("b", "second"),
    ]
    assert presets.get("b").given == {"name": "second", "epochs": 3}


def test_an_unknown_preset_is_told_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: first\n")
    with pytest.raises(InvalidFields) as raised:
        read_presets(tmp_path).get("../a")
    assert "choose one of: a" in (raised.value.errors or {})["recipe"][0]


def test_no_folder_is_no_presets(tmp_path: Path) -> None:
    assert read_presets(tmp_path / "nothing").all() == []


@pytest.mark.parametrize("text", ["name: x\nepochs: 0\n", "[1, 2]", "a: [", "name: x\nloss: l3\nflop: 1\n"])
def test_a_broken_one_names_itself_before_the_api_starts(
    tmp_path: Path, settings: ServiceSettings, text: str
) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    settings = replace(settings, recipes_dir=tmp_path)
    settings.store.data_dir.mkdir()
    database = Database(settings.store.database_url)
    with pytest.raises(ConfigError, match=r"RECIPES_DIR has .*broken\.yaml"):
        prepare(settings, database)
    database.close()
