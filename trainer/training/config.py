"""A training recipe: every choice of a run as one frozen value, read from YAML and checked before anything starts."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.imaging.preprocess import Preprocessing


@dataclass(frozen=True)
class Augmentation:
    """Random changes to image and mask together; 0 switches one off. Angles in degrees, the rest as fractions."""

    flip_horizontal: float = 0.5
    flip_vertical: float = 0.5
    affine: float = 0.8  # probability
    degrees: float = 20.0
    translate: float = 0.06
    scale: float = 0.2
    shear: float = 6.0
    gamma: float = 0.35
    contrast: float = 0.25
    brightness: float = 0.1
    noise: float = 0.03
    blur: float = 0.1  # probability
    repeat_channel: float = 0.1  # probability that one channel stands in for all (grey uploads)
    missing_channel: float = 0.1  # probability that a channel is missing and `main_channel` stands in for it
    main_channel: int = 1  # FLAIR in the LGG dataset: what the masks were drawn on
    crop: int = 0  # side of a random crop, pixels; 0 for none
    crop_until: float = 0.8  # fraction of the epochs after which whole slices are seen


@dataclass(frozen=True)
class CardText:
    """What the model's card says in words; has no influence on the weights."""

    version: str = "1.0.0"
    data: str = ""
    licence: str = "unknown"
    intended_use: str = "Research on segmentation of brain tumours in MRI."
    not_for: str = "Diagnosis or treatment: it is not a medical device."


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how. Lengths in pixels, fractions in 0..1."""

    name: str
    description: str = ""
    dataset: str = "lgg"
    architecture: str = "unet"
    encoder: str = "mobilenet_v2"
    encoder_weights: str | None = "imagenet"
    in_channels: int = 3
    classes: int = 1
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loss: str = "bce_dice"
    loss_options: dict[str, float] = field(default_factory=dict)
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "one_cycle"
    gradient_clip: float = 1.0
    batch_size: int = 16
    epochs: int = 20
    empty_per_tumour: float = 1.0  # tumour-free slices drawn each epoch, per slice with tumour
    ema_decay: float = 0.99
    split_fractions: tuple[float, float, float] = (0.7, 0.12, 0.18)
    test_time_augmentation: tuple[str, ...] = ("horizontal",)
    validate_every: int = 2
    early_stopping_patience: int = 0  # epochs without a better validation loss; 0 for none
    seed: int = 2026
    card: CardText = field(default_factory=CardText)

    def __post_init__(self) -> None:
        problems: dict[str, list[str]] = {}
        tables: dict[str, Any] = {
            "dataset": catalog.DATASETS,
            "architecture": catalog.MODELS,
            "encoder": catalog.ENCODERS,
            "loss": catalog.LOSSES,
            "optimizer": catalog.OPTIMIZERS,
            "schedule": catalog.SCHEDULES,
        }
        for name, table in tables.items():
            try:
                catalog.check(table, getattr(self, name), name)
            except InvalidFields as error:
                problems |= error.errors or {}
        for name in ("batch_size", "epochs", "learning_rate", "validate_every"):
            if not getattr(self, name) > 0:
                problems[name] = ["must be greater than 0"]
        if self.encoder_weights not in ("imagenet", None):
            problems["encoder_weights"] = ["must be imagenet or null"]
        if (
            len(self.split_fractions) != 3
            or abs(sum(self.split_fractions) - 1) > 1e-6
            or min(self.split_fractions) < 0
        ):
            problems["split_fractions"] = [
                "must be three fractions (train, validation, test) that add up to 1"
            ]
        if problems:
            raise InvalidFields(errors=problems)

    def to_dict(self) -> dict[str, Any]:
        """What decides the weights, as plain values: goes into a checkpoint and a card."""
        values = asdict(self)
        del values["card"], values["test_time_augmentation"]
        return values


def read_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """A recipe from YAML; unknown or misshapen fields raise InvalidFields by name, all at once."""
    values = (yaml.safe_load(path.read_text()) or {}) | (overrides or {})
    return recipe_from(values)


def recipe_from(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values (YAML, JSON, a checkpoint)."""
    problems = _unknown(Recipe, values, "")
    nested: dict[str, type] = {"preprocessing": Preprocessing, "augmentation": Augmentation, "card": CardText}
    for name, kind in nested.items():
        problems |= _unknown(kind, values.get(name) or {}, f"{name}.")
    if "name" not in values:
        problems["name"] = ["is required"]
    if problems:
        raise InvalidFields(errors=problems)
    built = {name: kind(**(values.get(name) or {})) for name, kind in nested.items()}
    listed: dict[str, Any] = {
        name: tuple(values[name]) for name in ("split_fractions", "test_time_augmentation") if name in values
    }
    try:
        return Recipe(**(values | built | listed))
    except TypeError as error:
        raise InvalidFields(errors={"recipe": [str(error)]}) from error


def _unknown(kind: Any, values: dict[str, Any], prefix: str) -> dict[str, list[str]]:
    known = {f.name for f in fields(kind)}
    return {prefix + name: ["is not a field of a recipe"] for name in values if name not in known}
