"""Presets: the recipes of a folder, read and checked once, when the API starts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import catalog
from shared.contract.config import ConfigError
from shared.contract.errors import InvalidFields
from shared.recipe import Recipe, read_values, recipe_from


@dataclass(frozen=True)
class Preset:
    """A recipe by the name of its file: the fields that the file gives, and the recipe that they make."""

    name: str
    given: dict[str, Any]
    recipe: Recipe


class Presets:
    """All presets, by name."""

    def __init__(self, presets: Iterable[Preset] = ()) -> None:
        self._presets = {preset.name: preset for preset in presets}

    def get(self, name: str) -> Preset:
        """The preset; raises InvalidFields on `recipe`, naming what there is."""
        catalog.check(self._presets, name, "recipe")
        return self._presets[name]

    def all(self) -> list[Preset]:
        """Sorted by name."""
        return [self._presets[name] for name in sorted(self._presets)]


def read_presets(folder: Path) -> Presets:
    """Each `NAME.yaml` of the folder; none where there is no such folder. Raises ConfigError that names the file."""
    return Presets(_read(path) for path in sorted(folder.glob("*.yaml")))


def _read(path: Path) -> Preset:
    try:
        given = read_values(path)
        return Preset(path.stem, given, recipe_from(given))
    except InvalidFields as error:
        listed = "; ".join(f"{place}: {', '.join(said)}" for place, said in (error.errors or {}).items())
        raise ConfigError(f"RECIPES_DIR has {path}, which is no valid recipe: {listed}") from None
