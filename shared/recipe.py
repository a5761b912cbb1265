"""A training recipe: every choice of a run as one frozen value, read strictly and checked before anything starts."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.preprocessing.channels import GREY
from shared.preprocessing.preprocess import MOST_CHANNELS, NORMALIZATIONS, Preprocessing
from shared.registry import strict

SPLITS = ("patient", "slice")
FLIPS = ("horizontal", "vertical", "both")
ENCODER_WEIGHTS = ("imagenet",)
MAX_NAME = 100
MAX_TEXT = 4000
MOST_CLASSES = 8
# What the networks halve a picture's sides by, all in all.
STRIDE = 32


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
    other_channel: float = 0.0  # probability that a slice without tumour shows another channel alone (grey)
    main_channel: int | None = None  # what the masks were drawn on; None: see Recipe.main_channel
    crop: int = 0  # side of a random crop, pixels; 0 for none
    crop_until: float = 0.8  # fraction of the epochs after which whole slices are seen


@dataclass(frozen=True)
class Limit:
    """Less than all, to try things out."""

    patients: int | None = None
    steps_per_epoch: int | None = None


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
    """What to train, on what, and how. Lengths in pixels, fractions in 0..1. Raises InvalidFields, all at once."""

    name: str
    description: str = ""
    dataset_format: str = "lgg"
    architecture: str = "unet"
    architecture_options: dict[str, float] = field(default_factory=dict)
    encoder: str | None = "mobilenet_v2"  # None where the architecture has its own
    encoder_weights: str | None = "imagenet"
    in_channels: int = 3
    modalities: tuple[str, ...] = ()  # of the dataset's, in this order; empty for all
    classes: int = 1  # of tumour: 1 for tumour or not, else as many as the dataset has
    image_size: int = 256
    normalization: str = "percentile"
    augmentations: Augmentation = field(default_factory=Augmentation)
    loss: str = "bce_dice"
    loss_options: dict[str, float] = field(default_factory=dict)
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "one_cycle"
    gradient_clip: float = 1.0
    gradient_accumulation: int = 1  # batches whose gradients make one step
    autocast: bool = True  # networks compute in bfloat16, weights and losses stay fp32
    batch_size: int = 16
    epochs: int = 20
    empty_per_tumour: float = 1.0  # tumour-free slices drawn each epoch, per slice with tumour
    ema_decay: float = 0.99
    split: str = "patient"
    split_fractions: tuple[float, float, float] = (0.7, 0.12, 0.18)
    test_time_augmentation: tuple[str, ...] = ("horizontal",)
    validate_every: int = 2
    early_stopping_patience: int = 0  # epochs without a better validation Dice; 0 for none
    seed: int = 2026
    limit: Limit = field(default_factory=Limit)
    card: CardText = field(default_factory=CardText)

    def __post_init__(self) -> None:
        problems: strict.Problems = {}
        for place, message in (*_names(self), *_texts(self), *_ranges(self), *_relations(self)):
            problems.setdefault(place, []).append(message)
        if problems:
            raise InvalidFields(errors=problems)

    @property
    def preprocessing(self) -> Preprocessing:
        """How slices are brought to what the network sees."""
        return Preprocessing(self.in_channels, self.image_size, self.normalization)

    @property
    def main_channel(self) -> int:
        """The channel that the masks were drawn on: as given, FLAIR where it has a name, or where LGG has it."""
        if self.augmentations.main_channel is not None:
            return self.augmentations.main_channel
        if GREY in self.modalities:
            return self.modalities.index(GREY)
        return {3: 1, 4: 3}.get(self.in_channels, 0)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values; `recipe_from` reads it back."""
        values = asdict(self)
        lists = ("split_fractions", "test_time_augmentation", "modalities")
        return values | {name: list(values[name]) for name in lists}

    def identity(self) -> dict[str, Any]:
        """What decides the weights: a checkpoint of another identity is another run's."""
        words = ("name", "description", "card", "test_time_augmentation")
        return {name: value for name, value in self.to_dict().items() if name not in words}


def read_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe from YAML; unknown or misshapen fields raise InvalidFields by name, all at once."""
    return recipe_from(read_values(path) | dict(overrides or {}))


def read_values(path: Path) -> dict[str, Any]:
    """The fields that a recipe file gives, unchecked; InvalidFields where it is no YAML object."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidFields(errors={"recipe": [f"{path.name} is not YAML: {error}"]}) from None
    if not isinstance(values, dict):
        raise InvalidFields(errors={"recipe": [f"{path.name} does not hold fields of a recipe"]})
    return values


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values (YAML, JSON, a checkpoint)."""
    problems: strict.Problems = {}
    values = _with_defaults(values)
    try:
        recipe = strict.read(Recipe, values, problems)
    except InvalidFields as error:
        raise InvalidFields("The recipe is not valid; `errors` names each field.", error.errors) from None
    if recipe is None:
        # What has the right type is still looked at, so that all that is wrong is said at once.
        problems |= _problems_of_the_rest(values, problems)
        raise InvalidFields("The recipe is not valid; `errors` names each field.", problems)
    return recipe


def _with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that follow from what was given: no encoder where there is none to choose, a loss for the classes."""
    filled = dict(values)
    entry = catalog.MODELS.get(_text(values.get("architecture", Recipe.architecture)))
    if entry is not None and not entry.encoders:
        filled = {"encoder": None, "encoder_weights": None} | filled
    elif entry is not None and Recipe.encoder not in entry.encoders:
        filled = {"encoder": entry.encoders[0]} | filled
    if values.get("optimizer", Recipe.optimizer) != Recipe.optimizer:
        filled = {"weight_decay": 0.0} | filled  # elsewhere it is part of the gradient, and much stronger
    if isinstance(modalities := values.get("modalities"), (list, tuple)) and modalities:
        filled = {"in_channels": len(modalities)} | filled
    if type(classes := values.get("classes")) is int and classes > 1:
        filled = {"loss": "ce_dice"} | filled
    return filled


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def part_sizes(count: int, fractions: tuple[float, float, float]) -> tuple[int, int, int]:
    """How many of `count` patients go to train, validation and test; train below 1: they are too few.

    A part with a fraction above 0 gets at least one.
    """
    validation, test = (max(1, round(count * f)) if f > 0 else 0 for f in fractions[1:])
    return count - validation - test, validation, test


def _problems_of_the_rest(values: Mapping[str, Any], problems: strict.Problems) -> strict.Problems:
    sound: dict[str, Any] = {"name": "-", **values}
    for place in problems:
        field, _, member = place.partition("[")[0].partition(".")
        inner = sound.get(field)
        if member and isinstance(inner, dict):
            sound[field] = {name: value for name, value in inner.items() if name != member}
        else:
            sound.pop(field, None)
    try:
        strict.read(Recipe, {"name": "-", **sound}, {})
    except InvalidFields as error:
        return error.errors or {}
    return {}


Found = Iterator[tuple[str, str]]


def _names(recipe: Recipe) -> Found:
    tables: dict[str, Any] = {
        "dataset_format": catalog.DATASETS,
        "loss": catalog.LOSSES,
        "optimizer": catalog.OPTIMIZERS,
        "schedule": catalog.SCHEDULES,
        "normalization": NORMALIZATIONS,
        "split": SPLITS,
    }
    for name, table in tables.items():
        try:
            catalog.check(table, getattr(recipe, name), name)
        except InvalidFields as error:
            yield name, (error.errors or {})[name][0]
    yield from catalog.wrong_architecture(recipe.architecture, recipe.encoder, recipe.architecture_options)
    if recipe.encoder_weights not in (*ENCODER_WEIGHTS, None):
        yield "encoder_weights", f"must be {' or '.join(ENCODER_WEIGHTS)} or null"
    if recipe.encoder is None and recipe.encoder_weights is not None:
        yield "encoder_weights", f"must be null: {recipe.architecture} has no encoder that was trained before"
    if not 0 < len(recipe.name.strip()) <= MAX_NAME or not recipe.name.isprintable():
        yield "name", f"must be 1 to {MAX_NAME} printable characters"
    flips = recipe.test_time_augmentation
    if not set(flips) <= set(FLIPS) or len(set(flips)) != len(flips):
        yield "test_time_augmentation", f"must be of {', '.join(FLIPS)}, each at most once"


def _texts(recipe: Recipe) -> Found:
    """Words end up in the card, in files and in the database: no control characters and no halves of characters."""
    for name in TEXTS:
        text = _at(recipe, name)
        if len(text) > MAX_TEXT or not text.replace("\n", "").isprintable():
            yield name, f"must be text of at most {MAX_TEXT} printable characters"


def _ranges(recipe: Recipe) -> Found:
    for name, low, high in LIMITS:
        value, above = _at(recipe, name), name in ABOVE
        # Written so that NaN fails.
        if value is not None and not ((low < value if above else low <= value) and value <= high):
            limits = "above {:.10g} and at most {:.10g}" if above else "from {:.10g} to {:.10g}"
            yield name, f"must be {limits.format(low, high)}"
    for name, step in MULTIPLES.items():
        if _at(recipe, name) % step:
            yield name, f"must be a multiple of {step}"


def _at(recipe: Recipe, place: str) -> Any:
    """The value of `limit.patients`, say."""
    return reduce(getattr, place.split("."), recipe)


def _relations(recipe: Recipe) -> Found:
    crop = recipe.augmentations.crop
    step = catalog.MODELS[recipe.architecture].stride if recipe.architecture in catalog.MODELS else 16
    if crop and (crop % step or not STRIDE <= crop <= recipe.image_size):
        yield "augmentations.crop", f"must be 0, or a multiple of {step} from {STRIDE} to image_size"
    fractions = recipe.split_fractions
    if not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-6 or fractions[0] == 0:
        yield (
            "split_fractions",
            "must be three fractions (train, validation, test) that add up to 1, train above 0",
        )
    modalities = recipe.modalities
    if modalities and (len(modalities) != recipe.in_channels or len(set(modalities)) != len(modalities)):
        yield "modalities", f"must be {recipe.in_channels} different ones, as in_channels says"
    if 1 <= recipe.in_channels <= recipe.main_channel:
        yield "augmentations.main_channel", f"must be below in_channels, which is {recipe.in_channels}"
    if recipe.loss in catalog.LOSSES:
        entry = catalog.LOSSES[recipe.loss]
        yield from catalog.wrong_options(entry.options, recipe.loss_options, recipe.loss, "loss_options")
        if entry.several_classes != (recipe.classes > 1):
            fit = [n for n, e in catalog.LOSSES.items() if e.several_classes != entry.several_classes]
            yield "loss", f"is not for {recipe.classes} class(es); choose one of: {', '.join(sorted(fit))}"


# Smallest and largest value of each number, by its place.
LIMITS: tuple[tuple[str, float, float], ...] = (
    ("learning_rate", 0, 1),
    ("weight_decay", 0, 1),
    ("gradient_clip", 0, 1e6),
    ("in_channels", 1, MOST_CHANNELS),
    ("classes", 1, MOST_CLASSES),
    ("gradient_accumulation", 1, 1024),
    ("batch_size", 2, 1024),  # batch normalisation needs two
    ("epochs", 1, 10_000),
    ("image_size", STRIDE, 1024),
    ("empty_per_tumour", 0, 1000),
    ("ema_decay", 0, 0.99999),
    ("validate_every", 1, 10_000),
    ("early_stopping_patience", 0, 10_000),
    ("seed", 0, 2**31 - 1),
    ("limit.patients", 1, 1_000_000),
    ("limit.steps_per_epoch", 1, 1_000_000),
    *((f"augmentations.{name}", 0, 1) for name in ("flip_horizontal", "flip_vertical", "affine", "blur")),
    *((f"augmentations.{name}", 0, 1) for name in ("repeat_channel", "missing_channel", "crop_until")),
    ("augmentations.other_channel", 0, 1),
    *(
        (f"augmentations.{name}", 0, 0.9)
        for name in ("translate", "scale", "contrast", "brightness", "noise")
    ),
    ("augmentations.degrees", 0, 180),
    ("augmentations.shear", 0, 60),
    ("augmentations.gamma", 0, 3),
    ("augmentations.main_channel", 0, MOST_CHANNELS - 1),
    ("augmentations.crop", 0, 1024),
)
# Those that must be above their smallest value.
ABOVE = frozenset({"learning_rate"})
MULTIPLES = {"image_size": STRIDE}
# Words of at most MAX_TEXT characters.
TEXTS = ("description", *(f"card.{name}" for name in CardText.__dataclass_fields__))
