"""The body of `POST /v1/training-runs` for /openapi.json: made from the recipe itself, so that it stays true."""

import types
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from shared import catalog
from shared.recipe import FLIPS, LIMITS, Recipe

Schema = dict[str, Any]
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_NAMES: dict[str, Iterable[str]] = {
    "dataset_format": catalog.DATASETS,
    "architecture": catalog.MODELS,
    "encoder": catalog.ENCODERS,
    "loss": catalog.LOSSES,
    "optimizer": catalog.OPTIMIZERS,
    "schedule": catalog.SCHEDULES,
    "normalization": catalog.NORMALIZATIONS,
    "split": catalog.SPLITS,
    "test_time_augmentation": FLIPS,
}
_WORDS = {
    "name": "Of the run and its model. Needed without `recipe`.",
    "description": "Stands in the model's card.",
    "dataset_format": "The dataset's own, or left out.",
    "encoder_weights": "What the encoder begins with: `imagenet`, or null for random weights.",
    "architecture_options": "Numbers that the architecture takes: see `/v1/catalog`.",
    "encoder": "One that the architecture can be built over; null where it has its own.",
    "in_channels": "As the dataset's, or as many as `modalities`; may be left out.",
    "modalities": "Of the dataset's named ones, in this order; empty for all.",
    "classes": "1: tumour or not. Else the number of classes of the dataset, without background.",
    "gradient_accumulation": "Batches whose gradients make one step.",
    "autocast": "Whether networks compute in bfloat16.",
    "image_size": "Side in pixels of what the network sees, a multiple of 32.",
    "augmentations": "Random changes to image and mask: see `/v1/catalog`. Members left out keep the preset's.",
    "loss_options": "Numbers that the loss takes: see `/v1/catalog`.",
    "learning_rate": "The highest of the schedule; above 0.",
    "gradient_clip": "Largest norm of the gradient; 0 for no limit.",
    "empty_per_tumour": "Tumour-free slices drawn each epoch, per slice with tumour.",
    "ema_decay": "Of the averaged weights, which become the model.",
    "split": "`patient`: no patient in two parts. `slice` can make the numbers too good.",
    "split_fractions": "Train, validation, test; they add up to 1.",
    "test_time_augmentation": "Flips over which predictions are averaged.",
    "validate_every": "Epochs between validations.",
    "early_stopping_patience": "Epochs without a better validation Dice after which it stops; 0 for never.",
    "limit": "Less than all, to try things out.",
    "card": "What the model's card says in words.",
}
_LIMITS = {place: (low, high) for place, low, high in LIMITS}


def properties_of(cls: type[Any], place: str = "") -> Schema:
    """JSON Schema of the fields of a dataclass, with defaults, limits and the names that the tables have."""
    hints = get_type_hints(cls)
    return {field.name: _property(field, hints[field.name], place + field.name) for field in fields(cls)}


def _property(field: Field[Any], hint: Any, place: str) -> Schema:
    schema = _schema(hint, place)
    if place in _LIMITS:
        schema["minimum"], schema["maximum"] = _LIMITS[place]
    if place in _WORDS:
        schema["description"] = _WORDS[place]
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default is not MISSING and not is_dataclass(default):
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def _schema(hint: Any, place: str) -> Schema:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _schema(next(kind for kind in inner if kind is not type(None)), place) | {"nullable": True}
    if is_dataclass(hint) and isinstance(hint, type):
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": properties_of(hint, f"{place}."),
        }
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "number"}}
    if origin is tuple and inner[-1] is Ellipsis:
        return {"type": "array", "uniqueItems": True, "items": _schema(inner[0], place)}
    if origin is tuple:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        return {"type": "array", "minItems": len(inner), "maxItems": len(inner), "items": number}
    schema: Schema = {"type": _KINDS[hint]}
    return schema | ({"enum": list(_NAMES[place])} if place in _NAMES else {})


RUN_BODY: Schema = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["dataset"],
                "additionalProperties": False,
                "properties": {
                    "recipe": {
                        "type": "string",
                        "description": "A preset of `/v1/catalog` to begin with; the other fields replace its own.",
                    },
                    "dataset": {
                        "type": "string",
                        "description": "Id of a dataset that is ready, or the name of one of your own.",
                    },
                    **properties_of(Recipe),
                },
            },
            "example": {"recipe": "lgg-unet", "dataset": "my-study", "name": "first try", "epochs": 2},
        }
    },
}
